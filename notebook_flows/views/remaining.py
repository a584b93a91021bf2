"""How long a run may still take, by what its tasks took in earlier runs. The page tells the same: `eta.ts`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.views.text import told_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST_KNOWN = 0.5
"""Where less than this share of the tasks that are left has run before, nothing is said."""
LONGER = 1.5
"""A task that runs for so many times what it took earlier takes longer than usual..."""
LONGER_S = 2.0
"""... if that is at least so many seconds."""
NEARLY_S = 1.0
"""With no more than this left, what is late is all that there is to tell."""


class Open(NamedTuple):
    """A task that has not ended.

    Attributes:
        running_s: of each task run of it that runs, for how long.
        waiting: how many task runs of it have yet to begin.
    """

    running_s: Sequence[float]
    waiting: int


class Left(NamedTuple):
    """What is left of a run.

    Attributes:
        seconds: how long it may take.
        is_whole: all tasks that are left have run before; else it takes longer.
        is_late: all that is known of has had its time, and something takes longer than usual.
    """

    seconds: float
    is_whole: bool
    is_late: bool

    def __str__(self) -> str:
        if self.is_late:
            return "longer than usual"
        return f"{'about' if self.is_whole else 'at least'} {told_roughly(self.seconds)} left"


def left_of(upstream: Sequence[Sequence[int]], tasks: Mapping[int, Open], medians: Mapping[int, float]) -> Left | None:
    """The greater of what the chains that are left need, and of what all that is left needs at the pace of now.

    The pace of now: as many at once as run now, at least one.

    Args:
        upstream: of each of n tasks, the numbers of those it waits for.
        tasks: {task's number: what there is of it}, of those that have not ended.
        medians: {task's number: seconds}; of a mapped task, those of one child.
    Returns:
        What is left; None where history does not say enough.
    Cost:
        O(n + edges).
    """
    known = [task for task in tasks if task in medians]
    if not tasks or len(known) < LEAST_KNOWN * len(tasks):
        return None
    work, own_s, is_late = 0.0, {}, False
    for task in known:
        median, (running_s, waiting) = medians[task], tasks[task]
        rest_s = [max(0.0, median - elapsed) for elapsed in running_s]
        work += sum(rest_s) + waiting * median
        own_s[task] = max([*rest_s, median if waiting else 0.0])
        is_late = is_late or any(elapsed > max(LONGER * median, median + LONGER_S) for elapsed in running_s)
    busy = sum(len(one.running_s) for one in tasks.values())
    seconds = max(_longest(upstream, own_s), work / max(1, busy))
    return Left(seconds, len(known) == len(tasks), is_late and seconds <= NEARLY_S)


def _longest(upstream: Sequence[Sequence[int]], seconds: Mapping[int, float]) -> float:
    """How long the longest chain takes; what stands on a cycle is left out."""
    waiting = [len(above) for above in upstream]
    below: list[list[int]] = [[] for _ in upstream]
    for task, above in enumerate(upstream):
        for one in above:
            below[one].append(task)
    ends = [0.0] * len(upstream)
    ready = [task for task, count in enumerate(waiting) if not count]
    for task in ready:
        ends[task] += seconds.get(task, 0.0)
        for other in below[task]:
            ends[other] = max(ends[other], ends[task])
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return max(ends, default=0.0)


def told_roughly(seconds: float) -> str:
    """A duration that nobody knows to the second.

    >>> [told_roughly(s) for s in (0.2, 3.4, 43, 83, 2_000, 7_300)]
    ['1 s', '4 s', '45 s', '1 min 30 s', '34 min', '2 h 02 min']
    """
    step = 1 if seconds < 10 else 5 if seconds < 60 else 10 if seconds < 600 else 60
    whole = max(1, math.ceil(seconds / step)) * step
    return f"{whole} s" if whole < 60 else told_duration(whole).removesuffix(" 00 s")
