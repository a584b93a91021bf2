"""How a cell has ended, judged from what its kernel has said, or has not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.magicslips import advice
from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.errors import CellError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_MESSAGE = 500
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_GROUP = re.compile(r"(?P<name>\w*ExceptionGroup): (?P<value>.*)")
_USAGE = re.compile(r"^UsageError: (?P<value>.*)", re.MULTILINE)
_GOOD_EXITS = frozenset({"", "0", "None"})
_UNTOLD = ("UntoldError", "an exception that the kernel could not tell; see the output above")


class Stopped(Enum):
    """What became of a cell that was to be stopped; its value says it in a sentence."""

    INTERRUPTED = "was interrupted"
    KILLED_KERNEL = "ignored the interrupt, so its kernel was killed"
    KILLED_PROCESS = "had its process killed"
    LEFT_ALONE = "cannot be stopped: what it still does in its thread counts for nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The cell as those who judge need to know it.

    Attributes:
        number: 1 for the first that runs.
        path: of its notebook.
        may_raise: it is tagged ``raises-exception``.
    """

    number: int
    path: str
    may_raise: bool = False

    @property
    def label(self) -> str:
        """How sentences begin."""
        return f"Cell {self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a cell has ended.

    Attributes:
        error: what it raised, in words.
        details: more for the event.
        log: a line for the log, of level ERROR; empty: none.
        ends_notebook: the cells after it are not to run.
        adds_error: (name, value) of an exception that its outputs lack.
    """

    state: S
    message: str = ""
    error: Exception | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    ends_notebook: bool = False
    adds_error: tuple[str, str] | None = None


def answered(cell: Judged, reply: Mapping[str, Any], *, has_error: bool, stderr: str) -> Ending:
    """The kernel has answered.

    Args:
        cell: that has ended.
        reply: the content of its ``execute_reply``.
        has_error: its outputs show an exception.
        stderr: what it has printed there.
    """
    status = reply.get("status")
    if status == "ok":
        leaves = any(one.get("source") == "ask_exit" for one in reply.get("payload", ()))
        return Ending(state=S.SUCCESS, ends_notebook=leaves)
    if status == "aborted":
        return Ending(state=S.FAILED, message=f"{cell.label} was not run: its kernel aborted it.")
    if not has_error:  # then the answer repeats what was said of an earlier cell
        return unanswered(cell, stderr)
    name, value = str(reply.get("ename", "Error")), str(reply.get("evalue", ""))
    if name == "SystemExit" and value in _GOOD_EXITS:
        return Ending(state=S.SUCCESS, message="It ended the notebook.", ends_notebook=True)
    if cell.may_raise:
        return Ending(state=S.SUCCESS, message=f"It raised {name}, as it may.")
    traceback = _COLOURS.sub("", "\n".join(map(str, reply.get("traceback", ()))))
    return _failed(cell, name, value, traceback)


def unanswered(cell: Judged, stderr: str) -> Ending:
    """The kernel is done with the cell, and has not said how.

    It was a mistake in the use of a magic, of which IPython only prints a line, or an exception group that nobody caught.
    """
    if cell.may_raise:
        return Ending(state=S.SUCCESS, message="It raised an exception, as it may.")
    usage = _USAGE.search(stderr)
    if usage is not None:
        value = usage["value"].strip()
        value += advice(value)
        return _failed(cell, "UsageError", value, "", adds_error=("UsageError", value))
    told = _GROUP.search(stderr)
    name, value = (told["name"], told["value"].strip()) if told else _UNTOLD
    return _failed(cell, name, value, "", adds_error=(name, value))


def _failed(cell: Judged, name: str, value: str, traceback: str, adds_error: tuple[str, str] | None = None) -> Ending:
    short = _short(value)
    shown = f"sys.exit({short})" if name == "SystemExit" else f"{name}: {short}" if value else name
    return Ending(
        state=S.FAILED,
        message=f"{cell.label} failed: {shown}",
        error=CellError(cell.path, cell.number, name, short, traceback),
        details={"error": name, **({"traceback": traceback} if traceback else {})},
        log=traceback or f"{name}: {value}",
        adds_error=adds_error,
    )


def died(cell: Judged, how: str, last_words: str, running: Sequence[int] = ()) -> Ending:
    """The kernel has died by itself.

    Args:
        cell: that ran.
        how: its process ended.
        last_words: what the process has written at last.
        running: the numbers of all cells that ran.
    """
    where = f"in cell {cell.number}"
    if len(running) > 1:
        *first, last = map(str, running)
        where = f"while cells {', '.join(first)} and {last} ran"
    return Ending(
        state=S.CRASHED,
        message=f"The kernel died {where}: {how}.",
        error=CellError(cell.path, cell.number, "DeadKernelError", how),
        details={"error": "DeadKernelError", **({"traceback": last_words} if last_words else {})},
        log=last_words,
    )


def told(cell: Judged, content: Mapping[str, Any]) -> Ending:
    """The session in the kernel has told how a task cell has ended.

    Args:
        cell: that has ended.
        content: of the message; what is missing in it counts as a failure.
    """
    if content.get("state") in {"success", "cached"}:
        return Ending(state=S.SUCCESS if content["state"] == "success" else S.CACHED)
    name, value = str(content.get("ename") or _UNTOLD[0]), str(content.get("evalue") or "")
    if name == "SystemExit" and value in _GOOD_EXITS:
        return Ending(state=S.SUCCESS, message="It ended the notebook.", ends_notebook=True)
    if cell.may_raise and content.get("state") != "crashed":
        return Ending(state=S.SUCCESS, message=f"It raised {name}, as it may.")
    if content.get("state") == "crashed":
        return _process_died(cell, name, value)
    traceback = _COLOURS.sub("", "\n".join(map(str, content.get("traceback") or ())))
    return _failed(cell, name, value, traceback, adds_error=(name, value))


def _process_died(cell: Judged, name: str, how: str) -> Ending:
    """The process that the cell had for itself has died; the kernel lives on."""
    return Ending(
        state=S.CRASHED,
        message=f"{cell.label} crashed: {_short(how)}",
        error=CellError(cell.path, cell.number, name, how),
        details={"error": name},
        log=how,
        adds_error=(name, how),
    )


def lost(cell: Judged) -> Ending:
    """The session in the kernel does not run the cell any more, and what it said of its end never came."""
    how = "its kernel does not run it any more, and the message that tells how it has ended is lost"
    return Ending(
        state=S.CRASHED,
        message=f"{cell.label} crashed: {how}.",
        error=CellError(cell.path, cell.number, "LostMessage", how),
        details={"error": "LostMessage"},
        log=f"{cell.label}: {how}.",
    )


def too_late(cell: Judged, timeout_s: float, *, was_stopped: Stopped) -> Ending:
    """The cell's time was up."""
    sentence = f"{cell.label} took longer than its timeout of {timeout_s:g} s and {was_stopped.value}."
    return Ending(state=S.TIMED_OUT, message=sentence, error=TimeoutError(sentence), log=sentence)


def cancelled(cell: Judged, *, was_stopped: Stopped) -> Ending:
    """Somebody has cancelled the cell alone."""
    how = "" if was_stopped is Stopped.INTERRUPTED else f"; it {was_stopped.value}"
    return Ending(state=S.CANCELLED, message=f"{cell.label} was cancelled{how}.")


def _short(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."
