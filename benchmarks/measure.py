"""Measures one thing in this process and prints it as one JSON line; every peer's file ends here."""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapes

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_TASKS = 10

Extra = dict[str, float]
Act = Callable[[], Extra | None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one measurement does."""

    kind: str
    shape: str
    n: int
    variant: str

    @property
    def parents(self) -> shapes.Parents:
        """The upstream tasks of each task."""
        return shapes.parents(self.shape, self.n)


def main(kinds: dict[str, Callable[[Case], Act]]) -> None:
    """Read the case from the command line, warm up with ten tasks, measure, print.

    Args:
        kinds: for each kind of workload a function that prepares a case and returns the act to be measured. What the
            act returns is added to the line.
    """
    case, is_traced = _asked()
    prepare = kinds[case.kind]
    prepare(Case(kind=case.kind, shape=case.shape, n=WARM_UP_TASKS, variant=case.variant))()
    act = prepare(case)
    line = json.dumps({"n": case.n, **(traced(act) if is_traced else cost(act))})
    print(line, file=sys.__stdout__, flush=True)  # doit's threads leave another sys.stdout behind


def _asked() -> tuple[Case, bool]:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("--shape", default="fan")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--variant", default="")
    parser.add_argument("--traced", action="store_true", help="count Python's allocations instead of the time")
    asked = parser.parse_args()
    return Case(kind=asked.kind, shape=asked.shape, n=asked.n, variant=asked.variant), asked.traced


def run_before(case: Case) -> None:
    """Let another process do the same beforehand, with the same folder to keep results in: its kind is ``<kind>-first``.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    module = sys.modules["__main__"].__spec__.name
    options = ["--shape", case.shape, "--n", str(case.n), "--variant", case.variant]
    subprocess.run(
        [sys.executable, "-m", module, f"{case.kind}-first", *options], check=True, stdout=subprocess.DEVNULL
    )


def cost(act: Act) -> dict[str, Any]:
    """What the act takes: CPU seconds with those of child processes, wall seconds, and memory."""
    gc.collect()
    _forget_peak()
    rss_before, children_before = memory_kib("VmRSS"), _cpu_of_children()
    wall_before, own_before = time.perf_counter(), time.process_time()
    extra = act()
    own_s, wall_s = time.process_time() - own_before, time.perf_counter() - wall_before
    cpu_s = own_s + _cpu_of_children() - children_before
    peak = memory_kib("VmHWM")
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_rss_kib": peak, "added_kib": peak - rss_before, **(extra or {})}


def traced(act: Act) -> dict[str, Any]:
    """The most bytes of Python objects that lived at once during the act, beyond those before it."""
    gc.collect()
    tracemalloc.start(1)
    act()
    return {"added_kib": tracemalloc.get_traced_memory()[1] / 1024}


def _cpu_of_children() -> float:
    """CPU seconds of the child processes, those that still run included (those in steps of 10 ms).

    Cost: some milliseconds, which is why it is asked outside of what is measured.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + _cpu_of_live_children()


def _cpu_of_live_children() -> float:
    parent_of, ticks_of = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parent_of[int(folder.name)] = int(fields[1])
                ticks_of[int(folder.name)] = sum(map(int, fields[11:15]))
    family, generation = set[int](), {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parent_of.items() if parent in generation}
        family |= generation
    return sum(ticks_of[pid] for pid in family) / TICKS


def memory_kib(field: str) -> int:
    """A field of this process's status: VmRSS is held now, VmHWM the most since the last ``_forget_peak``."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))


def _forget_peak() -> None:
    with suppress(OSError):  # without it the peak may be that of the preparation: it then only looks worse
        Path("/proc/self/clear_refs").write_text("5")
