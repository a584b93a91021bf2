"""What executors say for attempts that cannot tell their own end, and how many workers they have."""

from __future__ import annotations

import os
from operator import index
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.endings import failed_outcome
from notebook_flows.engine.open_calls import ended_without
from notebook_flows.engine.timeouts import TaskTimeout

if TYPE_CHECKING:
    from notebook_flows.engine.call import Call, Outcome
    from notebook_flows.errors import WorkerDied


def timed_out(call: Call, began_us: int) -> Outcome:
    """The outcome of an attempt whose time is up while its code still runs: a retry, where its task has one left.

    The task's handlers run here, in the calling thread.
    """
    return failed_outcome(call, TaskTimeout(), began_us)


def crashed(call: Call, problem: WorkerDied, began_us: int) -> Outcome:
    """The outcome of an attempt whose process has died: a retry, where its task has one left."""
    if call.task.retry_policy.attempts > call.attempt:
        outcome = failed_outcome(call, problem, began_us)
        if outcome.state is S.RETRYING:
            return outcome
    return ended_without(call, S.CRASHED, str(problem), problem, began_us=began_us)


def checked_workers(executor: str, workers: Any) -> int | None:
    """A number of workers, if it is one.

    Raises:
        ValueError: it is no whole number, or none above 0.
    """
    if workers is None:
        return None
    try:
        number = None if isinstance(workers, bool) else index(workers)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(f"{executor} needs a whole number of workers, 1 or more, not {workers!r}.")
    if number < 1:
        raise ValueError(f"{executor} needs 1 worker or more, not {number}.")
    return number


def number_of_cpus() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
