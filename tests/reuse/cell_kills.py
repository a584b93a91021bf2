"""Kills headless runs of a notebook at random times and goes on with them: ``python tests/reuse/cell_kills.py 30 [SEED]``.

As `kills.py` does with flows. Each cell counts its runs in a file that the store knows nothing of. After each kill another
process reads the history; a task cell that it finds recorded must never be run again. Now the runner is killed, now its
kernel.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

COUNT = """
import os, time
def count(name):
    descriptor = os.open(os.environ["KILLS_COUNTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name}\\n".encode())
    os.close(descriptor)
    time.sleep(0.03)
"""
CELLS = [
    "%load_ext notebook_flows",
    "from counting import count\nimport numpy as np\nclass Box:\n    pass",
    "%%task start\ncount('start')\nrows = list(range(5))",
    "%%task large --executor processes\ncount('large')\ntext = 'x' * 80_000 + str(sum(rows))",
    "%%task array\ncount('array')\nvalues = np.arange(20_000) + rows[1]",
    "%%task box\ncount('box')\nbox = Box()\nbox.n = len(rows)",
    "%%task grow\ncount('grow')\nrows.append(5)",
    "total = sum(rows)",
    "%%task middle\ncount('middle')\nmiddle = total + len(text) + int(values[0]) + box.n",
    "%%task left\ncount('left')\nleft = middle + 1",
    "%%task right --executor processes\ncount('right')\nright = middle + 2",
    "%%task last\ncount('last')\nlast = left + right\nprint('last', last)",
]
EXPECTED = "last 160049\n"
NAMES = ("start", "large", "array", "box", "grow", "middle", "left", "right", "last")
RUN = """
import sys
from notebook_flows.running import run_notebook
from notebook_flows.workspace import event_log
event_log().sweep()
done = run_notebook(sys.argv[1], output=sys.argv[2], resume="latest" if event_log().runs(limit=1) else None)
print(done.state.name, done.error)
sys.exit(not done.is_successful)
"""
LOOK = """
import json
from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.workspace import event_log
log = event_log()
log.sweep()
done = []
for run in log.runs(limit=1):
    for row in log.task_runs(run.run_id):
        if IS_SUCCESSFUL[row.state] and row.result is not None and "sha256" in row.result and "cell" in row.result:
            done.append(int(row.slug.removeprefix("cell-")) - 1)
print(json.dumps(done))
"""


def write(folder: Path) -> Path:
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "killed.ipynb"
    nbformat.write(notebook, path)
    (folder / "counting.py").write_text(COUNT)
    return path


def counts(folder: Path) -> Counter[str]:
    path = folder / "counts"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def recorded(environment: dict[str, str]) -> list[str]:
    """The tasks that the newest run has recorded as done, with their results."""
    looked = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)
    names = [
        CELLS[place].split()[1] if CELLS[place].startswith("%%task") else "" for place in json.loads(looked.stdout)
    ]
    return [name for name in names if name]


def kernels_of(pid: int) -> list[int]:
    import psutil

    try:
        below = psutil.Process(pid).children(recursive=True)
        return [one.pid for one in below if "ipykernel_launcher" in " ".join(one.cmdline())]
    except psutil.NoSuchProcess:
        return []


def one_round(folder: Path, luck: random.Random, kills_left: int) -> int:
    """A run that is killed and gone on with until it ends; how many kills."""
    path, output = write(folder), folder / "out.ipynb"
    environment = {
        **os.environ,
        "KILLS_COUNTS": str(folder / "counts"),
        "NOTEBOOK_FLOWS_STORE": str(folder / "store" / "history.sqlite"),
        "NOTEBOOK_FLOWS_HISTORY": "on",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    kills, most, done = 0, min(luck.randint(1, 5), kills_left), list[str]()
    while True:
        before = counts(folder)
        running = subprocess.Popen(
            [sys.executable, "-c", RUN, str(path), str(output)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        is_killed = kills < most and _killed(running, folder, before, luck)
        said, _ = running.communicate(timeout=100)
        again = [name for name in done if counts(folder)[name] > before[name]]
        assert not again, f"recorded as done, and run again: {again}\n{said}"
        if running.returncode == 0:
            shown = [one["text"] for one in json.loads(output.read_text())["cells"][-2]["outputs"]]
            assert "".join("".join(one) for one in shown) == EXPECTED, shown
            assert set(counts(folder)) == set(NAMES)
            return kills
        assert is_killed, f"a run that nobody has killed failed: {said}"
        kills += 1
        done = recorded(environment)


def _killed(running: subprocess.Popen[str], folder: Path, before: Counter[str], luck: random.Random) -> bool:
    """Kill the runner or its kernel some time after the first cell has counted, or so."""
    patience_s = time.monotonic() + 60
    wanted = sum(before.values()) + luck.randint(0, 6)
    while sum(counts(folder).values()) < wanted and running.poll() is None and time.monotonic() < patience_s:
        time.sleep(0.005)
    time.sleep(luck.uniform(0, 0.05))
    kernels = kernels_of(running.pid)
    if running.poll() is not None:
        return False
    try:
        os.kill(luck.choice([running.pid, *kernels[:1]]), signal.SIGKILL)
    except ProcessLookupError:  # it has ended just now
        return False
    return True


def kill_so_often(wanted: int, seed: int) -> int:
    """Kill so often; how many rounds that took."""
    luck = random.Random(seed)
    kills = rounds = 0
    while kills < wanted:
        with TemporaryDirectory(prefix="cell-kills-") as folder:
            kills += one_round(Path(folder), luck, wanted - kills)
        rounds += 1
        print(f"{kills} kills", flush=True)
    return rounds


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    start = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"{number} kills, seed {start}", flush=True)
    print(f"All is well: {number} kills in {kill_so_often(number, start)} rounds.")
