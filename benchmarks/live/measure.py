"""What the live picture costs: messages a second, its share of a run's CPU, how soon a flow is seen; in a real kernel.

``python benchmarks/live/measure.py [--rounds 3]``; our history is on, in a folder of its own. The page is played by this
process, which takes every message as JupyterLab's would; what a browser needs to draw them is not in these numbers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from bisect import bisect_left
from pathlib import Path
from time import monotonic
from typing import Any

from jupyter_client.manager import KernelManager

PATIENCE_S = 300
MESSAGES_A_SECOND = 20
SHARE = 0.02
FIRST_S = 0.3
LAYOUT_S = 2.0

MAKE = """
import os, threading, time
from notebook_flows import Flow, task
from notebook_flows.settings import settings_from
@task
def nothing(): pass
@task
def some():  # about a millisecond of work
    sum(range(35_000))
@task
def after(one, other): pass
def fan(of, count):
    with Flow(f"{count} of {of.name}") as flow:
        for _ in range(count): of()
    return flow
def layers(count, wide=20):
    '''Each task waits for two of those of the layer above.'''
    with Flow(f"{count} in layers") as flow:
        above = [nothing() for _ in range(wide)]
        for made in range(wide, count, wide):
            above = [after(above[n], above[(n + 1) % wide]) for n in range(min(wide, count - made))]
    return flow
def cpu(flow, live):
    os.environ["NOTEBOOK_FLOWS_LIVE_PICTURE"] = "on" if live else "off"
    began = time.process_time()
    flow.run(executor=executor)
    within = time.process_time() - began
    while any(one.name in ("notebook-flows-picture", "notebook-flows-layout") for one in threading.enumerate()):
        time.sleep(0.05)  # the layout, and the picture of the end, for which the run does not wait
    print(within, time.process_time() - began - within)
executor = "local"
from notebook_flows.views.layout import render
_ = render("digraph {a -> b}")  # the process that lays out is warm
"""


class Kernel:
    """A kernel, and when each message to a page has come."""

    def __init__(self, folder: Path) -> None:
        store = str(folder / "history.sqlite")
        environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "NOTEBOOK_FLOWS_STORE": store}
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "at"))
        self._manager.start_kernel(env=environment, cwd=str(folder))
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, code: str) -> tuple[str, list[tuple[float, dict[str, Any]]]]:
        """What it prints, and (seconds after the request, message to the page)."""
        began_s = monotonic()
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True, "stop_on_error": True}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": "the one cell"})
        self._client.shell_channel.send(message)
        request = message["msg_id"]
        printed, told = "", []
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE_S)
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed += content["text"]
            elif kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif kind == "comm_msg" and content["data"].get("method") == "custom":
                told.append((monotonic() - began_s, content["data"]["content"]))
            elif content.get("execution_state") == "idle" and message["parent_header"].get("msg_id") == request:
                return printed, told

    def close(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def most_in_a_second(times: list[float]) -> int:
    """The most messages that came within one second."""
    return max((bisect_left(times, one + 1) - place for place, one in enumerate(times)), default=0)


def of_cpu(kernel: Kernel, flow: str, rounds: int) -> tuple[float, float, float, int]:
    """(CPU seconds of the run without, with the picture, and after it; most messages in a second), medians of rounds in turn."""
    without, with_it, after, most = [], [], [], 0
    for _ in range(rounds):
        printed, _ = kernel.run(f"cpu({flow}, False)")
        without.append(float(printed.split()[0]))
        printed, told = kernel.run(f"cpu({flow}, True)")
        with_it.append(float(printed.split()[0]))
        after.append(float(printed.split()[1]))
        most = max(most, most_in_a_second([at_s for at_s, _ in told]))
    return statistics.median(without), statistics.median(with_it), statistics.median(after), most


def seen_after_s(kernel: Kernel, flow: str) -> tuple[float, float]:
    """(when the picture came, when the first task was told to run), in seconds after the cell was sent."""
    _, told = kernel.run(f"cpu({flow}, True)")
    drawn = next(at_s for at_s, one in told if one["type"] == "flow" and one["svg"])
    began = next(at_s for at_s, one in told if one.get("run_state") or one["type"] == "events")
    return drawn, began


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    rounds = options.parse_args().rounds
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder))
        try:
            kernel.run(MAKE)
            for name, flow in (
                ("10,000 tasks of 1 ms", "fan(some, 10_000)"),
                ("10,000 no-ops", "fan(nothing, 10_000)"),
                ("1,000 no-ops in layers", "layers(1_000)"),
            ):
                without, with_it, after, most = of_cpu(kernel, flow, rounds)
                rows.append((f"{name}: messages in the busiest second", f"{most}", f"≤ {MESSAGES_A_SECOND}"))
                share = f"{(with_it - without) / without:+.1%} ({without:.2f} → {with_it:.2f} s)"
                rows.append((f"{name}: CPU of the run with the picture", share, f"≤ {SHARE:.0%}"))
                rows.append((f"{name}: CPU after the run, for the picture of its end", f"{after:.2f} s", ""))
            for name, count, target in (("50 tasks", 50, FIRST_S), ("1,000 tasks", 1_000, LAYOUT_S)):
                found = [seen_after_s(kernel, f"layers({count}, wide={max(5, count // 20)})") for _ in range(rounds)]
                drawn, began = (statistics.median(one) for one in zip(*found, strict=True))
                rows.append((f"{name} in layers: seen after", f"{drawn * 1000:.0f} ms", f"≤ {target * 1000:.0f} ms"))
                rows.append((f"{name} in layers: the run is told to go on after", f"{began * 1000:.0f} ms", ""))
        finally:
            kernel.close()
    print("| what | measured | target |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
