"""Errors in words: short ones, bounded ones, and tracebacks that begin in the user's own code."""

from __future__ import annotations

import traceback

from notebook_flows.engine.timeouts import TaskTimeout

LONGEST_MESSAGE = 8_192

LONGEST_TRACEBACK = 65_536
"""How many characters of an error the history keeps."""


_AROUND = frozenset(
    {
        *(f"notebook_flows.engine.{module}" for module in ("attempt", "endings", "handlers", "targets", "timeouts")),
        *(f"notebook_flows.session.{module}" for module in ("awaycell", "celltask", "exclusive", "private", "running")),
    }
)
"""Our modules whose frames lie between the engine and the user's code."""


def short(error: BaseException) -> str:
    """The error in short, whatever its own ``__repr__`` does."""
    try:
        return bounded(repr(error), LONGEST_MESSAGE)
    except Exception:  # a repr of the user's own may fail; its type still says something
        return type(error).__name__


def said(error: BaseException) -> str:
    """What the error says, whatever its own ``__str__`` does."""
    try:
        return str(error)
    except Exception:  # it is the user's own
        return f"<{type(error).__name__} cannot be told: its __str__ fails>"


def bounded(text: str, longest: int) -> str:
    """The text, or its beginning and its end.

    >>> bounded("abcdefgh", 4)
    'ab ... (4 characters left out) ... gh'
    """
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters left out) ... {text[-half:]}"


def traceback_of(error: BaseException) -> str:
    """The traceback as text, beginning in the task's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") in _AROUND:
        trace = trace.tb_next
    if isinstance(error, TaskTimeout):  # where the task was when its time was up; not our own frame, nor our own error
        where = "".join(traceback.format_tb(trace)[:-1])
        return f"Traceback (most recent call last):\n{where}TimeoutError: its time was up\n"
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # its own ``__str__``, or its fields, may be anything
        where = "".join(traceback.format_tb(trace))
        text = f"Traceback (most recent call last):\n{where}{short(error)}\n"
    return bounded(text, LONGEST_TRACEBACK)
