"""Outputs of cells that have no place of their own, as they come, below the line that has started the run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.notebook.streams import TEXT_LIMIT
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.publishing import flush_soon, joined

if TYPE_CHECKING:
    from pathlib import Path

    from notebook_flows.session.outputs import CellSink


@dataclass(kw_only=True, eq=False, slots=True)
class Speaker:
    """Somebody who puts something out.

    Attributes:
        name: what people call him.
        has_ended: what still comes from him stands where there is room.
        held: what he has put out while it was another one's turn: texts with the names of their streams, and displays.
    """

    name: str
    has_ended: bool = False
    held: list[tuple[str, str] | tuple[str, dict[str, Any]]] = field(default_factory=list)


class Below:
    """The place below the line: one has his turn until he has ended, so that what each puts out stands together.

    Args:
        sink: of the line's cell.
    """

    def __init__(self, sink: CellSink) -> None:
        self.sink = sink
        self._lock = threading.RLock()
        self._turn: Speaker | None = None
        self._holding: dict[Speaker, None] = {}
        self._waiting: list[tuple[str, str]] = []
        self._last: Speaker | None = None
        self._is_mid_line = False

    def print(self, who: Speaker, name: str, text: str) -> None:
        """Somebody has printed this: it is shown in a moment, if it is his turn."""
        with self._lock:
            if not self._has_turn(who):
                who.held.append((name, text))
                return
            self._name(who)
            if not self._waiting:
                flush_soon(self)
            self._waiting.append((name, text))

    def flush(self) -> None:
        """What was printed by whose turn it is is on its way."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for name, text in joined(waiting):
                self.sink.pass_text_on(name, text)
                self._is_mid_line = not text.endswith("\n")
            self.sink.flush()

    def show(self, who: Speaker, kind: str, content: dict[str, Any]) -> None:
        """Somebody shows something, or changes what was shown, which may be anywhere."""
        with self._lock:
            if kind == "update_display_data":
                self._change_held(content)
            elif not self._has_turn(who):
                who.held.append((kind, content))
                return
            else:
                self._name(who)
            self.flush()
            self._is_mid_line = self._is_mid_line and kind == "update_display_data"
            self.sink.pass_on(kind, content)

    def end(self, who: Speaker) -> None:
        """Somebody has ended: it is the turn of those who have waited, first of all those who have ended, too."""
        with self._lock:
            who.has_ended = True
            self.flush()
            if self._turn not in {None, who}:
                return
            self._turn = None
            holding, self._holding = sorted(self._holding, key=lambda one: not one.has_ended), {}
            for one in holding:
                self._say_held(one)
            self._break()
            self.sink.flush()

    def _has_turn(self, who: Speaker) -> bool:
        if self._turn is None and not who.has_ended:
            self._turn = who
        if self._turn in {None, who}:
            return True
        self._holding[who] = None
        return False

    def _say_held(self, who: Speaker) -> None:
        if self._turn is not None:  # one who goes on has it before him
            self._holding[who] = None
            return
        held, who.held = who.held, []
        for name, what in held:
            if isinstance(what, str):
                self.print(who, name, what)
            else:
                self.show(who, name, what)
        self.flush()

    def _change_held(self, content: dict[str, Any]) -> None:
        changed = content["transient"].get("display_id")
        for _, what in (one for speaker in self._holding for one in speaker.held):
            if changed and isinstance(what, dict) and what.get("transient", {}).get("display_id") == changed:
                what |= {"data": content["data"], "metadata": content["metadata"]}

    def _name(self, who: Speaker) -> None:
        if self._last is not who:
            self.flush()
            self._break()
            self._last = who
            self.sink.pass_text_on("stdout", f"{who.name}:\n")

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
        self._who = Speaker(name=who)
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
        self._below.end(self._who)
        self._is_muted = True

    def leave_log(self) -> None:
        """The run is over: nobody waits for it any more."""
        super().leave_log()
        self._below.end(self._who)

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
