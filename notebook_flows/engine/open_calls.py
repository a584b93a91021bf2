"""Calls that have no outcome yet: who reports them, and the segments that they are part of."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.engine.call import Call

STOPPED = "The run has stopped."


def links_of(call: Call | None) -> Iterator[Call]:
    """The call itself, then the rest of its segment."""
    while call is not None:
        yield call
        call = call.then


class OpenCalls(dict[tuple[int, int], "Call"]):
    """The calls that have no outcome yet, by (ref, attempt), in the order in which they came.

    Several threads share it without a lock. Whoever pops a call is the one who reports it, so none is reported twice.
    """

    def add(self, call: Call) -> None:
        """Take a call in, and the rest of its segment."""
        if call.then is None:
            self[call.ref, call.attempt] = call
            return
        for link in links_of(call):
            self[link.ref, link.attempt] = link

    def forget(self, call: Call | None) -> None:
        """The rest of a segment will not be run here: the engine decides about it, and may send it anew."""
        for link in links_of(call):
            if self.get((link.ref, link.attempt)) is link:
                self.pop((link.ref, link.attempt), None)

    def drain(self) -> list[Call]:
        """Take out all that are there, and leave to other threads what they take meanwhile."""
        found: list[Call] = []
        while self:
            try:
                _, call = self.popitem()
            except KeyError:  # another thread took the last one
                break
            found.append(call)
        return found[::-1]


def next_link(call: Call, outcome: Outcome) -> Call | None:
    """The call to go on with on the same worker, its argument filled in; None at the end, or after anything but success."""
    then = call.then
    if then is None or outcome.state is not S.SUCCESS:
        return None
    if call.passes_to is not None:
        then.arguments[call.passes_to] = outcome.value
    return then


def raised_by(error: BaseException) -> str:
    """What is said of a task that has raised what ends programs, where that ends the task only."""
    return f"The task raised {type(error).__name__}."


def ended_without(call: Call, state: S, message: str, value: Any = None, *, began_us: int | None = None) -> Outcome:
    """The outcome of an attempt that ended without one of its own: cancelled, crashed, timed out."""
    now_us = time_ns() // 1000
    return Outcome(call.ref, call.attempt, state, value, message, now_us if began_us is None else began_us, now_us)


def stopped(calls: OpenCalls) -> list[Outcome]:
    """Drain them: the outcomes of calls that end because their run does."""
    return [ended_without(call, S.CANCELLED, STOPPED) for call in calls.drain()]
