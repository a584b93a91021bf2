"""What is raised in a cell that is interrupted on the loop, and how an interrupt is shown below a cell."""

from __future__ import annotations

from asyncio import CancelledError
from types import TracebackType

_RAISED_IN = "notebook_flows.session.hearing"


class StepInterrupted(CancelledError):  # noqa: N818 - as CancelledError, it is no error of the cell
    """Raised in the midst of a step on the loop, which KeyboardInterrupt would end."""


class StepIsLate(StepInterrupted):
    """The same, where the time of the cell is up."""


def as_shown(error: BaseException) -> BaseException:
    """The same error as people know it, without the frames of ours that have raised it."""
    if not isinstance(error, StepInterrupted | KeyboardInterrupt):
        return error
    traceback = _without_ours(error.__traceback__)
    if isinstance(error, StepIsLate):
        return TimeoutError("its time was up").with_traceback(traceback)
    if isinstance(error, StepInterrupted):
        return KeyboardInterrupt().with_traceback(traceback)
    return error.with_traceback(traceback)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__") != _RAISED_IN:
        kept.append(traceback)
        traceback = traceback.tb_next
    found: TracebackType | None = None
    for one in reversed(kept):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found
