"""What a statement costs in a fresh interpreter beyond another statement; for imports and first flows.

As in: python -m peers.start "import dask" --beyond "pass"
"""

import argparse
import json
import subprocess
import sys

AFTERWARDS = "\nimport time\nprint(time.process_time())"


def cpu_seconds(statement: str) -> float:
    """CPU seconds of an interpreter from its start to the end of the statement."""
    ran = subprocess.run([sys.executable, "-c", statement + AFTERWARDS], check=True, stdout=subprocess.PIPE, text=True)
    return float(ran.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("statement")
    parser.add_argument("--beyond", default="pass")
    asked = parser.parse_args()
    cpu_seconds(asked.statement)  # the first time reads files from the disk and may write bytecode
    floor = cpu_seconds(asked.beyond)
    print(json.dumps({"n": 1, "cpu_s": cpu_seconds(asked.statement) - floor, "floor_cpu_s": floor}))


if __name__ == "__main__":
    main()
