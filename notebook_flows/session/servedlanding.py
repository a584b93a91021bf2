"""What tasks of a kernel that a client drives have made, until it lands before the next ordinary cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from notebook_flows.session.landing import land

if TYPE_CHECKING:
    from threading import Condition

    from notebook_flows.session.served import ServedAttempt
    from notebook_flows.session.servedcells import ServedCells
    from notebook_flows.session.session import Session
    from notebook_flows.session.values import CellValues


class ServedLanding:
    """Holds what attempts have made.

    Args:
        session: in whose namespace it lands.
        cells: of the run.
        changed: is held by whoever ends an attempt.
    """

    def __init__(self, session: Session, cells: ServedCells, changed: Condition) -> None:
        self._session = session
        self._cells = cells
        self._changed = changed
        self._made: dict[str, CellValues] = {}
        self._over: dict[str, bool] = {}  # key -> whether it ended well; in the order of the ends
        self._waiting = set(cells.connections.tasks)  # for their first end that is a good one
        self._latest: dict[str, int] = {}

    def begun(self, attempt: ServedAttempt) -> None:
        """Of its cell, only this attempt counts from now on."""
        self._latest[attempt.key] = attempt.number

    def ended(self, attempt: ServedAttempt) -> bool:
        """Take what an attempt has made, if it counts; whoever calls holds ``changed``.

        Returns:
            Whether it counts: it was not given up, and is the latest of its cell.
        """
        key, result = attempt.key, attempt.result
        if attempt.is_cancelled or self._latest[key] != attempt.number:
            return False
        if result is not None:
            self._made[key] = result
            self._cells.values.made(key, result)
            self._waiting.discard(key)
        self._over.pop(key, None)
        self._over[key] = attempt.error is None
        return True

    def land(self) -> None:
        """Put what tasks have made into the namespace; of each name the last value in document order."""
        session = self._session
        with self._changed:
            made, self._made = self._made, {}
            over, self._over = self._over, {}
        done = {key: self._without_later(key, made[key]) for key in sorted(made, key=self._cells.place.__getitem__)}
        land(done.values(), session.shell.user_ns)
        for key, values in done.items():
            session.bindings.landed(key, values.bound, values.deleted)
        self._cells.values.keep_for(tuple(self._waiting))
        records = {one.key: one for one in session.book.records()} if over else {}
        for key in (key for key in over if key in records):
            session.flow.ran_by_hand(records[key], has_succeeded=over[key])

    def _without_later(self, key: str, values: CellValues) -> CellValues:
        """Without the names that a cell further below has bound already."""
        bindings, place = self._session.bindings, self._cells.place[key]
        names = (*values.bound, *values.deleted)
        later = {name for name in names if self._cells.place.get(bindings.owner(name) or "", -1) > place}
        if not later:
            return values
        bound = {name: value for name, value in values.bound.items() if name not in later}
        return replace(values, bound=bound, deleted=values.deleted - later)
