"""What one cell prints: in the notebook up to a size, in a file beside it when there is more, and in the run's log."""

from __future__ import annotations

import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any

from notebook_flows.engine.call import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TEXT_LIMIT = 10_000_000
"""Characters that a cell may print into the notebook."""
TAIL = 20_000
"""Characters at the end that are shown although there were more."""
HISTORY_LIMIT = 1_000_000
"""Characters of a cell that go to the history's log."""
FILE_LIMIT = 1_000_000_000
"""Bytes of a cell that go to the file beside the notebook."""
LONGEST_LINE = 65_536
LEVELS = {"stdout": 20, "stderr": 30}


class Streams:
    """The printed text of one cell.

    Args:
        outputs: of the cell; changed in place.
        file: where everything goes when it is too much for the notebook; None: nowhere.
        node: makes an output; None: `nbformat.NotebookNode`, whose import may take seconds where JupyterLab is.
    """

    def __init__(
        self, outputs: list[Any], file: Path | None, *, node: Callable[..., dict[str, Any]] | None = None
    ) -> None:
        self._outputs = outputs
        self._node = node
        self._path = file
        self._kept = 0
        self._open: _Growing | None = None
        self._overflow: _Overflow | None = None

    def add(self, name: str, text: str) -> None:
        """The cell has printed this."""
        if self._overflow is not None:
            self._overflow.add(text)
            return
        growing = self._open
        if growing is None or growing.name != name or not growing.is_last_of(self._outputs):
            growing = self._begin(name)
        room = TEXT_LIMIT - self._kept
        growing.add(text[:room] if len(text) > room else text)
        self._kept += min(len(text), room)
        if len(text) > room:
            self._spill(text[room:])

    def _begin(self, name: str) -> _Growing:
        self.settle()
        node = self._node
        if node is None:
            import nbformat

            node = nbformat.NotebookNode
        output = node(output_type="stream", name=name, text="")
        self._outputs.append(output)
        self._open = _Growing(output)
        return self._open

    def _spill(self, text: str) -> None:
        """It is too much: from now on, everything goes to the file."""
        self.settle()
        printed = [output["text"] for output in self._outputs if output["output_type"] == "stream"]
        self._overflow = _Overflow(self._path, printed)
        self._overflow.add(text)

    def settle(self) -> None:
        """Bring the outputs up to date."""
        if self._open is not None:
            self._open.settle()

    def end(self) -> str:
        """The cell is over: drop what carriage returns have overwritten, tell what is not shown.

        Returns:
            The note on what is not shown, if anything is not, with the end of the text.
        """
        self.settle()
        for output in self._outputs:
            if output["output_type"] == "stream" and "\r" in output["text"]:
                output["text"] = overwritten(output["text"])
        if self._overflow is None or self._open is None:
            return ""
        note = self._overflow.end()
        self._open.output["text"] += note
        return note

    def forget(self) -> None:
        """The cell has cleared its outputs."""
        self._open = None
        self._kept = 0


class _Growing:
    """A stream output to which more is added; joined now and then, so that a long one costs no square of its length."""

    def __init__(self, output: dict[str, Any]) -> None:
        self.output = output
        self.name: str = output["name"]
        self._more: list[str] = []

    def is_last_of(self, outputs: list[Any]) -> bool:
        return bool(outputs) and outputs[-1] is self.output

    def add(self, text: str) -> None:
        self._more.append(text)

    def settle(self) -> None:
        if self._more:
            self.output["text"] += "".join(self._more)
            self._more.clear()


class _Overflow:
    """What does not go into the notebook any more."""

    def __init__(self, path: Path | None, printed: Sequence[str]) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._written = 0
        self._more = 0
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._trouble = "" if path is not None else "it is kept nowhere"
        for text in printed:
            self._write(text)

    def add(self, text: str) -> None:
        self._more += len(text)
        text_end = text[-TAIL:]
        self._tail.append(text_end)
        self._tail_length += len(text_end)
        while self._tail_length - len(self._tail[0]) >= TAIL:
            self._tail_length -= len(self._tail.popleft())
        self._write(text)

    def _write(self, text: str) -> None:
        if self._trouble:
            return
        assert self._path is not None
        try:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8", errors="replace", newline="")
            if self._written + len(text) > FILE_LIMIT:
                self._trouble = f"the first {FILE_LIMIT / 1e6:g} MB are in {self._path.name}"
                return
            self._file.write(text)
            self._written += len(text)
        except OSError as error:
            self._trouble = f"it could not be written to {self._path.name}: {error.strerror or error}"

    def end(self) -> str:
        """The note for the notebook, and the last lines."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._trouble = f"it could not be written to {self._file.name}: {error.strerror or error}"
            self._file = None
        where = self._trouble or f"all of it is in {self._path.name if self._path else ''}"
        tail = "".join(self._tail)[-TAIL:]
        self._tail.clear()
        self._trouble = self._trouble or "the cell has ended"
        note = f"[notebook_flows: {self._more / 1e6:.1f} MB more were printed; {where}. The end of it:]"
        return f"\n{note}\n{tail}"


def overwritten(text: str) -> str:
    r"""The text as a terminal shows it: of each line, what follows its last carriage return.

    >>> overwritten("10 %\r50 %\r100 %\ndone\n")
    '100 %\ndone\n'
    """
    return "\n".join(_shown(line) for line in text.split("\n"))


def _shown(line: str) -> str:
    if "\r" not in line:
        return line
    body = line.rstrip("\r")
    return body.rsplit("\r", 1)[-1]


class Lines:
    """The printed text of one cell as lines for the history's log.

    Args:
        send: takes them.
        node: the task's number.
        attempt: which try.
        too_much: is said once there is more than is kept.
    """

    def __init__(
        self,
        send: Callable[[Sequence[LogLine]], None],
        node: int,
        attempt: int,
        *,
        too_much: str = "The cell prints more than is kept here; the output notebook has more.",
    ) -> None:
        self._send = send
        self._node = node
        self._attempt = attempt
        self._too_much = too_much
        self._rest = {"stdout": "", "stderr": ""}
        self._sent = 0

    def add(self, name: str, text: str) -> None:
        """The cell has printed this."""
        room = HISTORY_LIMIT - self._sent
        if room <= 0 or name not in self._rest:
            return
        self._sent += len(text)
        *lines, rest = (self._rest[name] + text[:room]).split("\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = ""
        self._rest[name] = rest
        self._tell(name, lines)
        if self._sent > HISTORY_LIMIT:
            self.end()
            self.say(30, "notebook_flows", self._too_much)

    def end(self) -> None:
        """That was all."""
        for name, rest in self._rest.items():
            if rest:
                self._tell(name, [rest])
                self._rest[name] = ""

    def _tell(self, name: str, lines: Sequence[str]) -> None:
        now_us = time.time_ns() // 1000
        shown = [LogLine(now_us, LEVELS[name], name, _cut(_shown(one)), self._node, -1, self._attempt) for one in lines]
        if shown:
            self._send(shown)

    def say(self, level: int, logger: str, message: str) -> None:
        """A line that the cell has not printed."""
        self._send([LogLine(time.time_ns() // 1000, level, logger, _cut(message), self._node, -1, self._attempt)])


def _cut(line: str) -> str:
    return (
        line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}... ({len(line) - LONGEST_LINE} more characters)"
    )
