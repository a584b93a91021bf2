"""Outputs of cells that have no place of their own, as they come, below the line that has started the run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from notebook_flows.notebook.streams import TEXT_LIMIT
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.publishing import flush_soon, joined

if TYPE_CHECKING:
    from pathlib import Path

    from notebook_flows.session.outputs import CellSink


class Below:
    """The place below the line: whoever puts something out there is named, each time another one has done so before.

    Args:
        sink: of the line's cell.
    """

    def __init__(self, sink: CellSink) -> None:
        self.sink = sink
        self._lock = threading.RLock()
        self._waiting: dict[str, list[tuple[str, str]]] = {}
        self._last: str | None = None
        self._is_mid_line = False

    def print(self, who: str, name: str, text: str) -> None:
        """Somebody has printed this: it is shown in a moment, so that lines of several come in pieces."""
        with self._lock:
            if not self._waiting:
                flush_soon(self)
            self._waiting.setdefault(who, []).append((name, text))

    def flush(self) -> None:
        """What was printed is on its way, in the order in which they have begun to print."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            for who, texts in waiting.items():
                self._name(who)
                for name, text in joined(texts):
                    self.sink.pass_text_on(name, text)
                    self._is_mid_line = not text.endswith("\n")
            self.sink.flush()

    def show(self, who: str, kind: str, content: dict[str, Any]) -> None:
        """Somebody shows something, or changes what was shown, which may be anywhere."""
        with self._lock:
            self.flush()
            if kind != "update_display_data":
                self._name(who)
                self._is_mid_line = False
            self.sink.pass_on(kind, content)

    def end(self, who: str) -> None:
        """Somebody has ended: what comes next does not stand in the same line."""
        with self._lock:
            self.flush()
            if self._last == who:
                self._break()
                self.sink.flush()

    def _name(self, who: str) -> None:
        if self._last != who:
            self._break()
            self._last = who
            self.sink.pass_text_on("stdout", f"{who}:\n")

    def _break(self) -> None:
        if self._is_mid_line:
            self._is_mid_line = False
            self.sink.pass_text_on("stdout", "\n")


class BelowSink(RecordingSink):
    """The output of one cell, kept, and shown below the line. What it clears stays there, for others stand between it.

    Args:
        below: the place.
        who: what the cell is called there.
        execution_count: the number that results bear; None: that of the line's cell, for JupyterLab shows no result
            without a number.
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.
    """

    def __init__(self, below: Below, *, who: str, execution_count: int | None = None, file: Path | None = None) -> None:
        count = below.sink.execution_count if execution_count is None else execution_count
        super().__init__(execution_count=count, file=file)
        self.parent = below.sink.parent  # the request that widgets name as the cause of what they do
        self._below = below
        self._who = who
        self._published = 0
        self._is_muted = False

    def end(self) -> None:
        """The task is over."""
        super().end()
        self._below.end(self._who)

    def flush(self) -> None:
        """What was printed is on its way."""
        self._below.flush()

    def mute(self) -> None:
        """From now on nothing of it is seen."""
        self.flush()
        self._is_muted = True

    def _publish_text(self, name: str, text: str) -> None:
        if self._is_muted:
            return
        room = max(0, TEXT_LIMIT - self._published)
        self._published += len(text)
        if room:
            self._below.print(self._who, name, text[:room])

    def _publish(self, kind: str, content: dict[str, Any]) -> None:
        if self._is_muted or kind == "clear_output":
            return
        self._below.show(self._who, kind, content)

    def _note(self, text: str) -> None:
        if text and not self._is_muted:
            self._below.print(self._who, "stdout", text)

    def _hold_back(self) -> None:
        self._below.sink.hold_back()
