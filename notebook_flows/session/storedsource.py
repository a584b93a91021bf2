"""What the picture of a run from the history knows of its tasks, and what can be done by clicks on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.errors import FlowError
from notebook_flows.session.picturesource import NOT_LOADED, TRIED_AGAIN, wish_of
from notebook_flows.session.rundetail import recorded_detail
from notebook_flows.session.selection import Wish
from notebook_flows.widget.detail import LONGEST_TEXT
from notebook_flows.widget.flowmessage import ACTIONS, CANCELLED, Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session
    from notebook_flows.session.storedrun import StoredRun
    from notebook_flows.widget.board import Board

NOT_HERE = "Its tasks are not those of this notebook any more."


class StoredSource:
    """Of a run that another process runs, or has run. Its tasks are told from cells of this notebook by their names.

    Args:
        session: of the kernel.
        stored: the run.
        sink: below which cell the picture is.
    """

    def __init__(self, session: Session, stored: StoredRun, sink: Sink) -> None:
        self._session = session
        self._stored = stored
        self._sink = sink
        self.keys: Sequence[str | None] = keys_of(stored.names, session.book.records())

    def surroundings(self) -> Surroundings:
        """Headings, and how long tasks took in earlier runs."""
        from notebook_flows.workspace.durations import median_durations

        headings = self._session.saved.headings()
        return Surroundings(
            headings={number: headings[key] for number, key in enumerate(self.keys) if key and headings.get(key)},
            median_s=median_durations(self._stored.row.flow, self._stored.slugs),
        )

    # -- clicks --------------------------------------------------------------------------------------------------------

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """While it runs its process can be asked; then its tasks can run here, as far as the notebook has them."""
        if is_running and not self._stored.is_over:
            asked = {"cancel": True, "retry_failed": True}
            return {**dict.fromkeys(ACTIONS, False), **asked}, "It runs in another process."
        if self._session.start_wish is None or not any(self.keys):
            return dict.fromkeys(ACTIONS, False), NOT_HERE
        return {**dict.fromkeys(ACTIONS, True), "cancel": False, "retry_failed": bool(self._failed())}, None

    def act(self, action: str, node: int | None, view: Mapping[str, Any]) -> tuple[bool, str]:
        """Ask its process to stop, or to try again what failed; when it has ended, run cells here."""
        if action == "cancel" or (action == "retry_failed" and not self._stored.is_over):
            return self._ask(action)
        start = self._session.start_wish
        if start is None:
            return False, NOT_LOADED
        self._session.flow.count_saved_cells()
        if action == "retry_failed":
            failed = self._failed()
            if not failed:
                return False, "Nothing has failed."
            return True, start(lambda: Wish(names=failed), self._sink, view)
        key = self.keys[node] if node is not None and 0 <= node < len(self.keys) else None
        if key is None:
            return False, NOT_HERE
        wish = wish_of(action, key)
        if wish is None:
            return False, f"There is no action {action!r}."
        return True, start(lambda: wish, self._sink, view)

    def _ask(self, action: str) -> tuple[bool, str]:
        if self._stored.is_over:
            return False, "The run has ended already."
        try:
            if action == "retry_failed":
                self._stored.retry()
                return True, TRIED_AGAIN
            self._stored.cancel(CANCELLED)
        except FlowError as error:
            return False, str(error)
        return True, "The process that runs it is asked to stop."

    def _failed(self) -> tuple[str, ...]:
        """Cells that did not end well in it."""
        states = self._stored.run.state
        found = [key for number, key in enumerate(self.keys) if key and not IS_SUCCESSFUL[states[number]]]
        tasks = {one.key for one in self._session.book.tasks()}
        return tuple(key for key in found if key in tasks)

    # -- details -------------------------------------------------------------------------------------------------------

    def begun(self, run_id: str, ledger: Ledger) -> None:
        """A run of this kernel is seen on it."""

    def ended(self, state: State | None) -> None:
        """Nothing is held."""

    def stale_now(self) -> Mapping[int, str]:
        """What is stale in this kernel, of the cells that have run in it."""
        stale = self._session.flow.outlook().stale
        return {number: stale[key] for number, key in enumerate(self.keys) if key is not None and key in stale}

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """What the history knows, and the code of the cell as it is now."""
        if not 0 <= node < len(self.keys):
            return {}
        known = recorded_detail(self._stored.row.run_id, self._stored.slugs[node], index)
        key = self.keys[node]
        record = next((one for one in self._session.book.records() if one.key == key), None)
        return known if record is None else {**known, "code": record.source[:LONGEST_TEXT]}


def with_times(board: Board, keys: Sequence[str], stored: StoredRun, records: Sequence[CellRecord]) -> Board:
    """How tasks stand, with times, attempts and messages of those that stand as they ended in a run of the history.

    Args:
        board: of the tasks.
        keys: of their cells.
        stored: the run.
        records: of all cells.
    """
    place = {key: number for number, key in enumerate(keys)}
    theirs = stored.board
    for number, key in enumerate(keys_of(stored.names, records)):
        ours = place.get(key) if key is not None else None
        if ours is not None and board.state[ours] is theirs.state[number]:
            board.stand_as(ours, theirs, number)
    return board


def keys_of(names: Sequence[str], records: Sequence[CellRecord]) -> list[str | None]:
    """Of each task the cell that bears its name now; None: there is none, or several."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(record.name, []).append(record.key)
    return [found[name][0] if len(found.get(name, ())) == 1 else None for name in names]
