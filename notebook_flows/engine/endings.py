"""How an attempt ended: the state that its value, its error or its handlers lead to, as an outcome for the engine."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome
from notebook_flows.engine.handlers import handled
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.engine.wording import LONGEST_MESSAGE, bounded, short, traceback_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Call

LATEST_US = 253_402_300_800_000_000
"""The end of the year 9999, in microseconds since 1970."""


def failed_outcome(call: Call, error: BaseException, started_us: int) -> Outcome:
    """The outcome of an attempt that raised."""
    proposed = _state_of(call, error)
    if proposed.is_looped():
        assert isinstance(proposed, api.Looped)
        proposed.loop_count = call.loop
    return settled(call, proposed, started_us, error)


def settled(call: Call, proposed: api.State, started_us: int, error: BaseException | None = None) -> Outcome:
    """The outcome, once the handlers have seen the state; a failure, theirs too, is tried again if a retry is left."""
    state = proposed if call.is_plain else handled(call.task, api.Running(), proposed)
    if not state.is_failed():
        return outcome_of(call, state, started_us, None, proposed)
    if error is None and isinstance(state.result, BaseException):
        error = state.result
    details: dict[str, Any] = {}
    if error is not None:
        kind = "TimeoutError" if isinstance(error, TaskTimeout) else type(error).__name__
        details = {"error": kind, "traceback": traceback_of(error)}
    policy = call.task.retry_policy
    if policy.attempts > call.attempt and _worth_a_retry(call.task, state.result):
        delay = policy.delay_after(call.attempt, luck=random.random())  # noqa: S311 - spreads retries, guards nothing
        assert delay is not None
        retrying = api.Retrying(message=state.message, result=state.result, run_count=call.attempt, start_time=delay)
        state = retrying if call.is_plain else handled(call.task, state, retrying)
        if state is retrying:
            return outcome_of(call, state, started_us, details)
    return outcome_of(call, state, started_us, details, proposed)


def outcome_of(
    call: Call,
    state: api.State,
    started_us: int,
    details: Mapping[str, Any] | None = None,
    proposed: api.State | None = None,
) -> Outcome:
    """The outcome that a state makes.

    Args:
        call: of the attempt.
        state: how it ended.
        started_us: when the attempt began.
        details: error and traceback of a failure.
        proposed: the state before the handlers, whose name is kept where they have put another in its place.
    """
    proposed = proposed or state
    state, event_state = api.ending_of(state)
    known = dict(details or {})
    if proposed is not state:
        known["proposed"] = type(proposed).__name__
    if event_state is S.RETRYING:
        known.update(retry_details(state))
    if call.task.task_run_name is not None and call.context is not None and "task_run_name" in call.context:
        known["run_name"] = call.context["task_run_name"]
    return Outcome(
        call.ref,
        call.attempt,
        event_state,
        state.result,
        bounded(str(state.message or ""), LONGEST_MESSAGE),
        started_us,
        time.time_ns() // 1000,
        known or None,
    )


def _state_of(call: Call, error: BaseException) -> api.State:
    if isinstance(error, signals.Signal):
        return error.state
    if isinstance(error, TaskTimeout):
        message = f"Timed out after {_told(call.timeout_s or 0)}."
        return api.TimedOut(message, result=TimeoutError(message))
    return api.Failed(f"Error during execution of task: {short(error)}", result=error)


_SHORT_S = 59.9


def _told(seconds: float) -> str:
    """A time limit, as people write it.

    >>> _told(0.5), _told(1), _told(90)
    ('0.5 s', '1 s', '0:01:30')
    """
    return f"{seconds:g} s" if seconds <= _SHORT_S else str(timedelta(seconds=seconds))


def _worth_a_retry(task: Task, error: Any) -> bool:
    return task.retry_on is None or isinstance(error, task.retry_on)


def retry_details(state: api.State) -> dict[str, Any]:
    """When a state that rests goes on, as its event carries it.

    Returns:
        ``due_us``, microseconds since 1970, 0 for at once; and ``rest_us`` where it was said how long to rest.
    """
    start = getattr(state, "start_time", None)
    if isinstance(start, timedelta):
        rest_us = min(max(round(start.total_seconds() * 1e6), 0), LATEST_US)
        return {"due_us": min(time.time_ns() // 1000 + rest_us, LATEST_US), "rest_us": rest_us}
    try:
        due_us = int(start.timestamp() * 1e6) if isinstance(start, datetime) else 0
    except (ValueError, OverflowError, OSError):  # a time too early or too late for this machine, or none: NaT
        due_us = 0
    return {"due_us": due_us}
