"""The numbers that the design holds us to, beside what was measured."""

from collections.abc import Callable
from dataclasses import dataclass

from results import Results
from workloads import BY_NAME


@dataclass(frozen=True)
class Target:
    """A limit, and how the results tell the number that it limits; at least where ``is_floor``, else at most."""

    what: str
    limit: float
    unit: str
    measured: Callable[[Results], float | None]
    is_floor: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the measured number keeps to the limit."""
        return value >= self.limit if self.is_floor else value <= self.limit


def _ratio(workload: str, peer: str, n: int, to: str, to_n: int | None = None) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(BY_NAME[workload], peer, n, to=to, to_n=to_n)


def _median(workload: str, peer: str, n: int) -> Callable[[Results], float | None]:
    return lambda results: results.median(BY_NAME[workload], peer, n)


TARGETS = (
    Target("no-op fan of 10,000, in process, build included", 1.0, "x TPE", _ratio("fan", "ours", 10_000, "tpe")),
    Target(
        "no-op fan of 10,000, two threads, build included", 1.5, "x TPE", _ratio("fan", "ours-threads", 10_000, "tpe")
    ),
    Target("chain of 10,000, in process", 0.5, "x TPE", _ratio("chain", "ours", 10_000, "tpe")),
    Target("chain of 10,000, two threads", 0.5, "x TPE", _ratio("chain", "ours-threads", 10_000, "tpe")),
    Target(
        "growth: fan, CPU per task, 100,000 against 1,000", 1.25, "x", _ratio("fan", "ours", 100_000, "ours", 1_000)
    ),
    Target("cached re-run of 10,000 tasks, apart", 20, "us CPU per task", _median("cached", "ours", 10_000)),
    Target(
        "cached re-run of 10,000 tasks, chains of ten", 20, "us CPU per task", _median("cached-chains", "ours", 10_000)
    ),
    Target("memory added by run(), fan of 100,000", 1000, "bytes per task", _median("memory", "ours", 100_000)),
    Target("validate(), lattice of 100,000", 250, "ms CPU", _median("validate", "ours", 100_000)),
    Target("1,000 sleeps of 10 ms, 64 workers, wall", 1.15, "x TPE", _ratio("sleep", "ours-threads", 1_000, "tpe")),
    Target("import", 0.15, "s CPU", _median("import", "ours", 1)),
    Target("import and a first flow of ten", 0.3, "s CPU", _median("first-flow", "ours", 1)),
    Target(
        "history, synchronous=FULL, fan of 10,000",
        30_000,
        "transitions per s",
        _median("history", "ours", 10_000),
        is_floor=True,
    ),
)
MEASURED_ELSEWHERE = (
    (
        "200-cell notebook with durable progress per cell, at most 1.1 x nbclient; 8 notebooks on 2 cores, at most 0.20 x"
        " papermill one by one, warm 0.10 x: `benchmarks/notebooks/measure.py`, told in [notebooks](notebooks.md#what-it-costs)"
    ),
    (
        "live widget at 10,000 tasks, at most 20 messages per s and 2 % of the run's CPU: `benchmarks/live/measure.py`, told in"
        " [decision 16](decisions/0016-what-a-page-is-told.md)"
    ),
    (
        "1,000 state changes a second, at least 30 frames per s: `benchmarks/live/frames.py`, told in"
        " [decision 14](decisions/0014-what-the-page-draws.md)"
    ),
)
"""What has a command of its own."""
