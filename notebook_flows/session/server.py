"""Obeys the client that has started this kernel: tasks run beside one another, and land before the next ordinary cell."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import CellFacts, connect
from notebook_flows.session.code import prepare
from notebook_flows.session.landing import land
from notebook_flows.session.mainlane import MainLane
from notebook_flows.session.outputs import CellSink
from notebook_flows.session.private import NeedsRealNamespace
from notebook_flows.session.runvalues import RunValues
from notebook_flows.session.served import ServedAttempt, publish_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Cell, Connections
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session
    from notebook_flows.session.values import CellValues

SKIP_TAG = "skip-execution"
MAIN = "main"
_HERE = "__import__('notebook_flows.session.serve', fromlist=['serve'])"
_RUN = f"{_HERE}.run_held()"
_AWAIT = f"await {_HERE}.await_held()"


class Server:
    """The kernel's side of one headless run.

    A request for a task cell starts an attempt and is over at once; how the attempt ends comes in a message of its own.
    Where the main thread is needed, the attempt runs in the request.

    Args:
        session: whose document is the client's.
        strict_shell: a failing ``!command`` fails its task.
    """

    def __init__(self, session: Session, *, strict_shell: bool = False) -> None:
        self._session = session
        self._strict_shell = strict_shell
        records = session.book.records()
        self._records = {one.key: one for one in records}
        self._connections: Connections = connect([_as_cell(one) for one in records])
        self._place = {key: place for place, key in enumerate(self._connections.cells)}
        tasks = self._connections.tasks
        self._values = RunValues(self._connections, tasks, kept={}, bound_by=session.bindings.owner)
        self._made: dict[str, CellValues] = {}
        self._latest: dict[str, int] = {}
        self._attempts: dict[tuple[str, int], ServedAttempt] = {}
        self._held: ServedAttempt | None = None
        self._main: MainLane | None = None
        self._changed = threading.Condition()
        self._running: set[tuple[str, int]] = set()
        self._wait_to_be_alone: list[ServedAttempt] = []
        session.before_cell.append(self.before_cell)

    # -- what the client asks; on the main thread ----------------------------------------------------------------------

    def start(self, record: CellRecord, order: Mapping[str, Any]) -> bool:
        """A request for a task cell: whether the cell's own code is to be left out of it.

        Args:
            record: the cell, as it was sent.
            order: ``task``, ``attempt`` and ``executor``, from the request.
        """
        try:
            attempt = self._attempt(record, order)
            if order.get("executor") == MAIN or attempt.awaits or attempt.is_alone:
                self._held = attempt
            else:
                self._begin(attempt)
        except Exception as error:  # the client waits for an end: it has to hear of it, whatever it is
            publish_failure(self._session.shell, record.parent, order, error)
        return True

    def instead(self, record: CellRecord) -> str:
        """The code that runs in a request in place of the cell's own."""
        if self._held is None or self._held.record.key != record.key:
            return ""
        return _AWAIT if self._held.awaits else _RUN

    def cancel(self, task: str, number: int) -> None:
        """The client does not wait for this attempt any more: what it makes is forgotten."""
        attempt = self._attempts.pop((task, number), None)
        if attempt is not None:
            attempt.is_cancelled = True

    def before_cell(self, record: CellRecord) -> None:
        """A cell is about to run: before an ordinary one, all values land."""
        self._take_the_loop()
        if record.key not in self._connections.tasks:
            self.land()

    def land(self) -> None:
        """Put what tasks have made into the namespace; of each name the last value in document order."""
        session = self._session
        with self._changed:
            made, self._made = self._made, {}
        done = {key: self._without_later(key, made[key]) for key in sorted(made, key=self._place.__getitem__)}
        land(done.values(), session.shell.user_ns)
        for key, values in done.items():
            session.bindings.landed(key, values.bound, values.deleted)

    def _without_later(self, key: str, values: CellValues) -> CellValues:
        """Without the names that a cell further below has bound already."""
        bindings = self._session.bindings
        place = self._place[key]
        later = {
            name for name in (*values.bound, *values.deleted) if self._place.get(bindings.owner(name) or "", -1) > place
        }
        if not later:
            return values
        bound = {name: value for name, value in values.bound.items() if name not in later}
        return replace(values, bound=bound, deleted=values.deleted - later)

    def _attempt(self, record: CellRecord, order: Mapping[str, Any]) -> ServedAttempt:
        session, shell = self._session, self._session.shell
        key = record.key
        links = self._connections.cells[key]
        known = self._records[key]
        code = prepare(
            record.body,
            key=key,
            name=known.name,
            facts=record.facts,
            shell=shell,
            number=record.execution_count,
            source=record.source,
        )
        attempt = ServedAttempt(
            task=str(order["task"]),
            number=int(order["attempt"]),
            record=record,
            code=code,
            sink=CellSink(
                record.parent or {},
                execution_count=record.execution_count,
                publishes_all=True,
                kernel=shell.kernel,
            ),
            shell=shell,
            values=self._values.inputs_of(key),
            predicted=links.outputs | links.may_outputs | links.deletes,
            absent=self._absent_at(key),
            is_alone=bool(links.alone or record.facts.magics),
            strict_shell=self._strict_shell,
        )
        session.bindings.begin()
        self._latest[key] = attempt.number
        self._attempts[attempt.who] = attempt
        return attempt

    def _absent_at(self, key: str) -> frozenset[str]:
        """Names that only cells below have bound."""
        place = self._place[key]
        inputs = self._connections.cells[key].inputs
        owners = self._session.bindings.owners
        return frozenset(
            name
            for name, owner in owners.items()
            if self._place.get(owner.key, -1) >= place and not inputs.get(name) and owner.key != key
        )

    # -- tasks in threads ----------------------------------------------------------------------------------------------

    def _begin(self, attempt: ServedAttempt) -> None:
        with self._changed:
            self._running.add(attempt.who)
        name = f"notebook_flows {attempt.record.name}"
        threading.Thread(target=self._run, args=(attempt,), name=name, daemon=True).start()

    def _run(self, attempt: ServedAttempt) -> None:
        try:
            attempt.run()
        except NeedsRealNamespace:  # found out only now: it waits until it is alone
            with self._changed:
                self._running.discard(attempt.who)
                self._wait_to_be_alone.append(attempt)
                self._changed.notify_all()
            self._look_for_the_lonely()
            return
        self._end(attempt)

    def _end(self, attempt: ServedAttempt) -> None:
        """It is over; any thread."""
        key = attempt.record.key
        with self._changed:
            self._running.discard(attempt.who)
            self._changed.notify_all()
            self._attempts.pop(attempt.who, None)
            counts = not attempt.is_cancelled and self._latest[key] == attempt.number
            if counts and attempt.result is not None:
                self._made[key] = attempt.result
                self._values.made(key, attempt.result)
        if attempt.result is not None and not counts:
            attempt.result.release()
        self._session.book.ended(key, has_succeeded=attempt.error is None)
        attempt.tell()
        self._look_for_the_lonely()

    # -- tasks on the main thread --------------------------------------------------------------------------------------

    def run_held(self) -> None:
        """Run the attempt that needs the main thread; inside its request."""
        attempt, self._held = self._held, None
        assert attempt is not None
        try:
            if attempt.is_alone:
                self._make_alone(attempt)
            else:
                self._make_beside(attempt)
        finally:
            self._end(attempt)

    async def await_held(self) -> None:
        """Run the attempt that awaits; inside its request, on the kernel's loop."""
        attempt, self._held = self._held, None
        assert attempt is not None
        try:
            if attempt.is_alone:
                self._wait_until_alone()
            await attempt.follow()
        finally:
            self._end(attempt)

    def _make_beside(self, attempt: ServedAttempt) -> None:
        try:
            attempt.run()
        except NeedsRealNamespace:
            self._make_alone(attempt)

    def _make_alone(self, attempt: ServedAttempt) -> None:
        self._wait_until_alone()
        attempt.run_alone()

    def _wait_until_alone(self) -> None:
        with self._changed:
            while self._running:
                self._changed.wait()

    def _take_the_loop(self) -> None:
        if self._main is None:
            try:
                self._main = MainLane(asyncio.get_running_loop())
            except RuntimeError:  # no loop runs: then there is no kernel, and no client either
                self._main = MainLane(None)

    def _look_for_the_lonely(self) -> None:
        """Whoever waits to be alone runs on the main thread, between two requests, when nobody else runs."""
        if self._wait_to_be_alone and self._main is not None:
            self._main.post(self._serve_the_lonely)

    def _serve_the_lonely(self) -> None:
        with self._changed:
            if self._running or not self._wait_to_be_alone:
                return  # whoever ends last looks again
            attempt = self._wait_to_be_alone.pop(0)
        attempt.run_alone()
        self._end(attempt)


def _as_cell(record: CellRecord) -> Cell:
    """A cell for `connect`: one that is skipped does nothing."""
    cell = record.as_cell()
    return replace(cell, facts=CellFacts()) if SKIP_TAG in record.tags else cell
