"""The picture of a run while it goes on, below the line that has started it: laid out once, then only coloured."""

from __future__ import annotations

import logging
import threading
import uuid
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.picture import Picture
from notebook_flows.views.standing import Standing, standings_of, standings_of_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.session.outputs import Sink

EVERY_S = 0.5
"""How often it is drawn anew at most; the end is drawn at once."""
SOON_S = 0.05
"""How long after an event it is drawn at the earliest, so that what happens together is drawn together."""


class LivePicture:
    """Shows a flow's run; an observer of it.

    Args:
        flow: what runs.
        sink: where it is shown.
    """

    def __init__(self, flow: Flow, sink: Sink) -> None:
        self._sink = sink
        self._flow = flow
        self._display_id = uuid.uuid4().hex
        pending = {(number, UNMAPPED): Standing(S.PENDING) for number in range(len(flow.tasks))}
        self._picture = Picture(diagram_of(flow), pending)  # with room for states from the first
        self._drawn_s = 0.0
        self._last: Any = None
        self._drawing = threading.RLock()
        self._run: Run | None = None
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Show the flow before anything has run."""
        self._sink.display(self._bundle(), {}, {"display_id": self._display_id})

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened: they are drawn soon, by another thread."""
        if IS_FINAL[run.run_state]:
            self._last = standings_of_run(run)
            return  # the end is drawn by `finish`
        with self._drawing:
            self._run = run
            if self._timer is None:
                wait_s = max(SOON_S, self._drawn_s + EVERY_S - monotonic())
                self._timer = threading.Timer(wait_s, self._draw_newest)
                self._timer.daemon = True
                self._timer.start()

    def finish(self, state: State | None) -> None:
        """Show how it ended; None: it was stopped, and what was told last is how it ended."""
        with self._drawing:
            self._run = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            standings = standings_of(self._flow, state) if state is not None else self._last
            if standings is not None:
                self._draw(standings)

    @property
    def text(self) -> str:
        """The flow as a tree of its tasks, as they stand."""
        return self._picture.text()

    def _draw_newest(self) -> None:
        with self._drawing:
            self._timer = None
            if self._run is not None:
                self._drawn_s = monotonic()
                self._draw(standings_of_run(self._run))

    def _draw(self, standings: Any) -> None:
        try:
            self._picture = self._picture.with_standings(standings)
            self._sink.update(self._bundle(), {}, {"display_id": self._display_id})
        except Exception:  # the run is what counts; its picture is not worth its failure
            logging.getLogger(__name__).warning("The picture of the run could not be drawn.", exc_info=True)

    def _bundle(self) -> dict[str, str]:
        return dict(self._picture._repr_mimebundle_())
