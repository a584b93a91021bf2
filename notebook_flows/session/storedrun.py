"""Runs of this notebook that other kernels, terminals and schedules have begun, as the history has them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.errors import FlowError
from notebook_flows.settings import settings_from
from notebook_flows.store.locks import this_process
from notebook_flows.store.rows import is_of_notebook
from notebook_flows.views.diagram import diagram_from_json
from notebook_flows.views.picture import Picture
from notebook_flows.views.standing import standings_of_run, widths_of, with_messages
from notebook_flows.widget.board import Board
from notebook_flows.widget.teller import for_people

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from notebook_flows.core.events import Event
    from notebook_flows.session.rundetail import AnyLog
    from notebook_flows.store.rows import RunRow
    from notebook_flows.views.standing import Standings

LOOKED_AT = 200
"""So many of the newest runs are looked through: cells by hand are runs, too."""


class StoredRun:
    """A run, read from the history as far as it has come; `new_events` reads on.

    Args:
        log: the history.
        row: of the run.

    Attributes:
        run: where it stands.
        board: the same, with times, as pages are told it.

    Raises:
        FlowError: it cannot be read, or has recorded nothing yet.
    """

    def __init__(self, log: AnyLog, row: RunRow) -> None:
        self.row = row
        self._log = log
        self.first = log.read(row.run_id)
        self._data: Mapping[str, Any] = (self.first[0].data or {}) if self.first else {}
        if "graph" not in self._data:  # its process has died before anything was recorded
            raise FlowError(f"Run {row.run_id[:8]} has recorded nothing of its tasks.")
        self.run = Run(plan_from_first_event(self._data))
        self.board = Board(len(self.run.plan.names))
        self._take(self.first)

    @property
    def names(self) -> list[str]:
        """Of its tasks, by their numbers."""
        return list(self.run.plan.names)

    @property
    def slugs(self) -> list[str]:
        """Of its tasks, by their numbers."""
        return list((self._data.get("graph") or {}).get("slugs") or self.names)

    @property
    def facts(self) -> dict[str, Any]:
        """What pages are told of it as a whole."""
        told = for_people(self.row.parameters)
        return {"id": self.row.run_id, "name": self.row.name, "flow": self.row.flow, "parameters": told}

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens in it by itself."""
        return self.board.is_over

    def new_events(self) -> list[Event]:
        """What has been recorded since the last look."""
        events = self._log.read(self.row.run_id, after=self.run.seq)
        self._take(events)
        return events

    def look_whether_it_lives(self) -> None:
        """If its process has died, its end is recorded now."""
        self._log.sweep()

    def cancel(self, reason: str) -> None:
        """Ask the process that runs it to end it."""
        self._log.request(self.row.run_id, "cancel", {"reason": reason})

    def retry(self) -> None:
        """Ask the process that runs it to try again what has failed."""
        self._log.request(self.row.run_id, "retry")

    def picture(self) -> Picture:
        """As it stands now. Cells that only load the extension, or ask it for something, are left out."""
        from notebook_flows.notebook.cells import asides

        standings = self.standings()
        hidden = asides(self.names) if is_of_notebook(self.row) else frozenset()
        return Picture(
            diagram_from_json(self.row.flow, self._data["graph"], widths_of(standings), hidden=hidden), standings
        )

    def standings(self) -> Standings:
        """How its tasks stand, with what they have said."""
        board = self.board
        messages = {board.place_of(number): message for number, message in board.messages.items()}
        return with_messages(standings_of_run(self.run), messages)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self.run.apply(event)
        self.board.take(events)


def goes_on_elsewhere(row: RunRow) -> bool:
    """Whether another process runs it."""
    return row.goes_on and row.owner != this_process()


def newest_of(notebook: str, *, only_elsewhere: bool) -> StoredRun | None:
    """The run of a notebook that goes on in another process, else the newest; None: there is none, or no history.

    Args:
        notebook: its name.
        only_elsewhere: none that has ended.
    """
    if settings_from().history == "off":
        return None
    try:
        from notebook_flows.workspace import event_log

        log = event_log()
        log.sweep()  # a run whose kernel has died has crashed
        rows = [one for one in log.runs(flow=notebook, limit=LOOKED_AT) if is_of_notebook(one)]
        going = [one for one in rows if goes_on_elsewhere(one)]
        for row in going or ([] if only_elsewhere else rows):
            with suppress(FlowError):  # nothing is recorded of it; the one before it has more to show
                return StoredRun(log, log.run(row.run_id))
    except FlowError:
        pass  # a history that cannot be read is told by the next run
    return None


def run_called(name: str) -> StoredRun | None:
    """A run by its id or the beginning of it; None: there is none."""
    if settings_from().history == "off":
        return None
    from notebook_flows.workspace import event_log

    log = event_log()
    try:
        log.sweep()
        return StoredRun(log, log.run(name))
    except FlowError:  # it may be the name of something else
        return None
