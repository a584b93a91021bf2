"""How a run goes, in lines, for people at a kernel whose front end shows only text, such as ``jupyter console``."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TypeGuard

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.session.outputs import CellSink
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.picture import Picture
from notebook_flows.views.runview import OWN_FAILURES, RunView, given_in
from notebook_flows.views.standing import standings_of, standings_of_run, widths_of
from notebook_flows.views.styled import plain
from notebook_flows.views.table import told_counts
from notebook_flows.views.text import printable
from notebook_flows.views.treelines import TreeLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.session.outputs import Sink

COLUMNS = 100
MOST_LISTED = 100
"""Of a run with more tasks only those that fail are told one by one..."""
MOST_FAILURES = 20
"""... and so many of them."""


def shows_text_only(sink: Sink) -> TypeGuard[CellSink]:
    """Whether somebody may sit at a console there: it can be asked for input, and its requests name no cell.

    Notebooks name theirs, but for Colab's. Others that do not get lines too, and the picture at the end.
    """
    if not isinstance(sink, CellSink) or "google.colab" in sys.modules:
        return False
    is_asked = (sink.parent.get("content") or {}).get("allow_stdin")
    return bool(is_asked) and not (sink.parent.get("metadata") or {}).get("cellId")


class TextPicture:
    """Shows a flow's run; an observer of it: a line for each task that has ended, then how all of them ended.

    Args:
        flow: what runs.
        sink: where it is shown.
    """

    def __init__(self, flow: Flow, sink: CellSink) -> None:
        self._sink = sink
        self._flow: Flow | None = flow
        self._view = RunView(given_in(flow))
        self._lines = TreeLines(self._view, {})
        self._is_large = len(flow._into) > MOST_LISTED
        self._failures = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Nothing is known yet."""

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        ended = [
            event.node
            for event in events
            if event.kind is Kind.TASK and event.index == UNMAPPED and self._is_told(event.state)
        ]
        with self._lock:
            self._view.tell(run, events)
            if not ended:
                return
            self._view.catch_up()
            told = [node for node in dict.fromkeys(ended) if self._view.is_seen(node)]
            lines = self._lines.of_tasks(told, COLUMNS, time.time_ns() // 1000)
        self._say(lines)

    def _is_told(self, state: S) -> bool:
        if not self._is_large:
            return IS_FINAL[state] or state is S.RETRYING
        self._failures += state in OWN_FAILURES
        return state in OWN_FAILURES and self._failures <= MOST_FAILURES

    def finish(self, state: State | None) -> None:
        """Show how it ended: in text the tree, and a picture where somebody can see one."""
        flow, self._flow = self._flow, None  # this stays longer than the flow may, which may hold large values
        with self._lock:
            self._view.catch_up()
            run = self._view.run
            most = MOST_LISTED if self._lines.rows_needed() <= MOST_LISTED else MOST_FAILURES
            lines = [plain(line) for line in self._lines.lines(COLUMNS, most, time.time_ns() // 1000, is_end=True)]
            counts = told_counts(self._view.counts())
        if flow is None or run is None:
            return
        standings = standings_of_run(run) if state is None else standings_of(flow, state)
        picture = Picture(diagram_of(flow, widths_of(standings)), standings)
        text = "\n".join([f"Flow {printable(flow.name)!r}: {counts}", *lines])
        sys.stdout.flush()
        self._sink.display({**picture._repr_mimebundle_(), "text/plain": text}, {}, {})

    def _say(self, lines: Sequence[str]) -> None:
        if lines:
            sys.stdout.flush()  # what the tasks have printed comes first
            self._sink.stream("stdout", "".join(f"{line}\n" for line in lines))
            self._sink.flush()
