"""Errors in words: short ones, bounded ones, and tracebacks that begin in the user's own code."""

from __future__ import annotations

import dis
import traceback
from typing import TYPE_CHECKING

from notebook_flows.engine.interrupts import Interrupts
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LONGEST_MESSAGE = 8_192

LONGEST_TRACEBACK = 65_536
"""How many characters of an error the history keeps."""


_RAISES = frozenset(dis.opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))
_NO_TEXT = ": <exception str() failed>"
"""Python's own words for it."""
_HANDLES_SIGNALS = Interrupts._interrupted.__code__
_AROUND = frozenset(
    {
        *(f"notebook_flows.engine.{module}" for module in ("attempt", "endings", "handlers", "targets", "timeouts")),
        *(
            f"notebook_flows.session.{module}"
            for module in ("apart", "awaycell", "celltask", "exclusive", "private", "running")
        ),
    }
)
"""Our modules whose frames lie between the engine and the user's code."""


def short(error: BaseException) -> str:
    """The error in short, whatever its own ``__repr__`` does."""
    try:
        return bounded(text_of(lambda: repr(error)), LONGEST_MESSAGE)
    except NoText as problem:
        return f"{type(error).__name__} {problem}"


def said(error: BaseException) -> str:
    """What the error says, whatever its own ``__str__`` does."""
    try:
        return text_of(lambda: str(error))
    except NoText as problem:
        return str(problem)


def named(error: BaseException) -> str:
    """The error as Python's last line tells it: its type, and what it says."""
    kind, text = type(error).__name__, said(error)
    if text.startswith(NoText.BEGINNING):
        return f"{kind} {text}"
    return f"{kind}: {text}" if text else kind


class NoText(FlowError):  # noqa: N818 - the sentence that people read
    """Code of the user's own was to make a text, and has raised something instead, were it even a KeyboardInterrupt."""

    BEGINNING = "(its text could not be made"

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        kind = type(self.cause).__name__
        try:
            return f"{self.BEGINNING}: {text_of(lambda: ': '.join(filter(None, (kind, str(self.cause)))))})"
        except NoText:
            return f"{self.BEGINNING}: {kind})"


def text_of(make: Callable[[], str]) -> str:
    """A text that code of the user's own makes: a ``__str__``, a ``__repr__``, a ``_render_traceback_``.

    Raises:
        NoText: it has raised, whatever it was.
        BaseException: Ctrl-C, or the task's time was up, while it was at it.
    """
    try:
        return str.__str__(make())  # it may be of a kind of its own, too
    except BaseException as error:
        if _came_from_outside(error):
            raise
        raise NoText(error) from None


def _came_from_outside(error: BaseException) -> bool:
    """Whether nobody's code has raised it, but a signal: no ``raise`` stands where it came up."""
    if isinstance(error, TaskTimeout):
        return True
    if not isinstance(error, KeyboardInterrupt):
        return False
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is _HANDLES_SIGNALS:  # which raises, or calls who does
            return True
        if trace.tb_next is None:
            return trace.tb_frame.f_code.co_code[trace.tb_lasti] not in _RAISES
        trace = trace.tb_next
    return False


def as_python(error: BaseException, trace: TracebackType | None) -> str:
    """The error as Python prints it, from some frame on; where it has no text, with the reason."""
    text = "".join(traceback.format_exception(type(error), error, trace))
    above, sign, rest = text.rpartition(_NO_TEXT)
    why = said(error)
    return f"{above} {why}{rest}" if sign and not rest.strip() and why.startswith(NoText.BEGINNING) else text


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
        text = text_of(lambda: as_python(error, trace))
    except NoText:  # its own ``__str__``, or its fields, may be anything
        where = "".join(traceback.format_tb(trace))
        text = f"Traceback (most recent call last):\n{where}{short(error)}\n"
    return bounded(text, LONGEST_TRACEBACK)
