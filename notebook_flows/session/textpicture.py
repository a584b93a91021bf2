"""How a run goes, in lines, for people at a kernel whose front end shows only text, such as ``jupyter console``."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TypeGuard

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.session.outputs import CellSink
from notebook_flows.views.runview import OWN_FAILURES, RunView
from notebook_flows.views.styled import plain
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
    """Whether somebody sits there, at a console: it asks for input, and its requests name no cell.

    Notebooks name theirs, but for Colab's.
    """
    if not isinstance(sink, CellSink) or "google.colab" in sys.modules:
        return False
    is_asked = (sink.parent.get("content") or {}).get("allow_stdin")
    return bool(is_asked) and not (sink.parent.get("metadata") or {}).get("cellId")


class TextPicture:
    """Shows a flow's run; an observer of it: a line for each task that has ended, then the tree.

    Args:
        flow: what runs.
        sink: where it is shown.
    """

    def __init__(self, flow: Flow, sink: CellSink) -> None:
        self._sink = sink
        self._view = RunView(
            {number for number, task in enumerate(flow._into) if isinstance(task, (Parameter, Constant))}
        )
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
        """Show the tree as it was at the end."""
        with self._lock:
            self._view.catch_up()
            most = MOST_LISTED if self._lines.rows_needed() <= MOST_LISTED else MOST_FAILURES
            lines = [plain(line) for line in self._lines.lines(COLUMNS, most, time.time_ns() // 1000, is_end=True)]
        self._say(["", *lines] if lines else [])

    def _say(self, lines: Sequence[str]) -> None:
        if lines:
            sys.stdout.flush()  # what the tasks have printed comes first
            self._sink.stream("stdout", "".join(f"{line}\n" for line in lines))
            self._sink.flush()
