"""Obeys the client that has started this kernel: tasks run beside one another, and land before the next ordinary cell."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import CellFacts, connect
from notebook_flows.errors import FlowError
from notebook_flows.session.awaylane import AwayLane
from notebook_flows.session.cellresults import sight_of
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.code import prepare
from notebook_flows.session.crew import Crew
from notebook_flows.session.landing import land
from notebook_flows.session.lanes import Lane
from notebook_flows.session.mainlane import MainLane
from notebook_flows.session.outputs import CellSink, show_again
from notebook_flows.session.routing import unattributed_to
from notebook_flows.session.runvalues import RunValues
from notebook_flows.session.served import CACHED, ServedAttempt, publish_failure, publish_text
from notebook_flows.session.waiting import timed_by, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.analysis import Cell, Connections
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.servedmemory import ServedMemory
    from notebook_flows.session.session import Session
    from notebook_flows.session.values import CellValues

SKIP_TAG = "skip-execution"
_HERE = "__import__('notebook_flows.session.serve', fromlist=['serve'])"
_RUN = f"{_HERE}.run_held()"
_AWAIT = f"await {_HERE}.await_held()"


class Server:
    """The kernel's side of one headless run.

    A request for a task cell starts an attempt and is over at once; how the attempt ends comes in a message of its own.
    Where the main thread is needed, the attempt runs in the request.

    Args:
        session: whose document is the client's.
        workers: how many processes there may be.
        strict_shell: a failing ``!command`` fails its task.
        memory: of earlier runs; None: nothing is taken from them, and nothing is kept.
    """

    def __init__(
        self, session: Session, *, workers: int, strict_shell: bool = False, memory: ServedMemory | None = None
    ) -> None:
        self._memory = memory
        self._session = session
        self._workers = workers
        self._strict_shell = strict_shell
        records = session.book.records()
        self._names = {one.key: one.name for one in records}
        self._connections: Connections = connect([_as_cell(one) for one in records])
        self._place = {key: place for place, key in enumerate(self._connections.cells)}
        tasks = self._connections.tasks
        self._values = RunValues(self._connections, tasks, kept={}, bound_by=session.bindings.owner)
        self._made: dict[str, CellValues] = {}
        self._over: dict[str, bool] = {}  # key -> whether it ended well; in the order of the ends
        self._waiting = set(tasks)  # for their first end that is a good one
        self._latest: dict[str, int] = {}
        self._attempts: dict[tuple[str, int], ServedAttempt] = {}
        self._held: ServedAttempt | None = None
        self._away: AwayLane | None = None
        self._crew = Crew()
        self._floor = Floor()
        session.before_cell.append(self.before_cell)
        self._while_it_serves = ExitStack()
        self._while_it_serves.enter_context(unattributed_to(self._take_text))

    def _take_text(self, name: str, text: str) -> None:
        """Several tasks may have written it: it is for the run's log."""
        publish_text(self._session.shell.kernel, name, text)

    def close(self) -> None:
        """Another one takes over: what still runs leaves nothing."""
        self._session.before_cell.remove(self.before_cell)
        self._while_it_serves.close()
        for name, number in tuple(self._attempts):
            self.cancel(name, number)

    # -- what the client asks; on the main thread ----------------------------------------------------------------------

    def start(self, record: CellRecord, order: Mapping[str, Any]) -> bool:
        """A request for a task cell: its own code is left out of it.

        Args:
            record: the cell, as it was sent.
            order: ``task``, ``attempt`` and ``executor``, from the request.
        """
        try:
            attempt = self._attempt(record, order)
            if self._take(attempt, record, order):
                return True
            lane = attempt.task.lane
            if lane is Lane.PROCESSES:
                self._send_away(attempt)
            elif lane is Lane.THREADS and order.get("executor") != Lane.MAIN.value:
                self._begin(attempt)
            else:
                self._held = attempt
        except Exception as error:  # the client waits for an end: it has to hear of it, whatever it is
            publish_failure(self._session.shell.kernel, record.parent, order, error)
        return True

    def _take(self, attempt: ServedAttempt, record: CellRecord, order: Mapping[str, Any]) -> bool:
        """Whether what an earlier run has made of the cell stands for it; then it has ended."""
        asked = order.get("memory")
        if self._memory is None or not isinstance(asked, dict):
            return False
        key = record.key
        links = self._connections.cells[key]
        sight = sight_of(
            self._values.inputs_of(key),
            self._session.shell.user_ns,
            absent=self._absent_at(key),
            needed=self._connections.read_from(key),
            mutates=links.mutates,
            codes=tuple(step.code for step in attempt.task.code.steps),
        )
        hit = self._memory.find(record, links, sight, asked)
        if hit is None:
            return False
        show_again(hit.outputs, attempt.sink)
        attempt.result = hit.values
        attempt.state = CACHED
        attempt.more = self._memory.told_of_hit(key, hit)
        self._end(attempt)
        return True

    def _keep(self, attempt: ServedAttempt) -> None:
        """Keep what an attempt has made, before anybody can change it."""
        record = self._session.book.executed(attempt.key)
        if self._memory is None or attempt.result is None or attempt.state or record is None or attempt.is_cancelled:
            return
        attempt.more = self._memory.keep(record, attempt.result, attempt.sink.outputs)

    def instead(self, record: CellRecord) -> str:
        """The code that runs in a request in place of the cell's own."""
        if self._held is None or self._held.key != record.key:
            return ""
        return _AWAIT if self._held.task.lane is Lane.LOOP else _RUN

    def runs(self, name: str, number: int) -> bool:
        """Whether this attempt still goes on: its end is not told yet."""
        return (name, number) in self._attempts

    def cancel(self, name: str, number: int) -> None:
        """The client does not wait for this attempt any more: what it makes is forgotten."""
        attempt = self._attempts.pop((name, number), None)
        if attempt is not None:
            attempt.is_cancelled = True
            attempt.task.stop()
            if self._away is not None:
                self._away.cancel(attempt)

    def before_cell(self, record: CellRecord) -> None:
        """A cell is about to run: before an ordinary one, all values land."""
        self._floor.take_the_loop()
        if record.key not in self._connections.tasks:
            self.land()

    def land(self) -> None:
        """Put what tasks have made into the namespace; of each name the last value in document order."""
        session = self._session
        with self._floor.changed:
            made, self._made = self._made, {}
            over, self._over = self._over, {}
        done = {key: self._without_later(key, made[key]) for key in sorted(made, key=self._place.__getitem__)}
        land(done.values(), session.shell.user_ns)
        for key, values in done.items():
            session.bindings.landed(key, values.bound, values.deleted)
        self._values.keep_for(tuple(self._waiting))
        records = {one.key: one for one in session.book.records()} if over else {}
        for key in (key for key in over if key in records):
            session.flow.ran_by_hand(records[key], has_succeeded=over[key])

    def _without_later(self, key: str, values: CellValues) -> CellValues:
        """Without the names that a cell further below has bound already."""
        bindings, place = self._session.bindings, self._place[key]
        names = (*values.bound, *values.deleted)
        later = {name for name in names if self._place.get(bindings.owner(name) or "", -1) > place}
        if not later:
            return values
        bound = {name: value for name, value in values.bound.items() if name not in later}
        return replace(values, bound=bound, deleted=values.deleted - later)

    # -- an attempt ----------------------------------------------------------------------------------------------------

    def _attempt(self, record: CellRecord, order: Mapping[str, Any]) -> ServedAttempt:
        session, key = self._session, record.key
        if key not in self._connections.cells:
            raise FlowError(f"The cell {key!r} was not among those that the runner told before.")
        links, who = self._connections.cells[key], (str(order["task"]), int(order["attempt"]))
        code = prepare(
            record.body,
            key=key,
            name=self._names[key],
            facts=record.facts,
            shell=session.shell,
            number=record.execution_count,
            source=record.source,
        )
        sink = CellSink(
            record.parent or {},
            execution_count=record.execution_count,
            publishes_all=True,
            kernel=session.shell.kernel,
        )
        values = self._values.inputs_of(key)
        borrows = bool(links.alone or record.facts.magics) or (
            order.get("executor") == Lane.MAIN.value and "get_ipython" in record.body
        )
        task = KernelCellTask(
            code,
            user_ns=session.shell.user_ns,
            inputs=lambda: values,
            sink=lambda: sink,
            lane=_lane(code.awaits, borrows, order.get("executor")),
            shell=session.shell,
            hands_back=links.mutates,
            needed=self._connections.read_from(key),
            predicted=links.outputs | links.may_outputs | links.deletes,
            absent=self._absent_at(key),
            alone=lambda make: self._floor.alone(who, make),
            borrows=borrows,
            strict_shell=self._strict_shell,
            clock=lambda: attempt,
        )
        attempt = ServedAttempt(
            name=who[0], number=who[1], task=task, sink=sink, kernel=session.shell.kernel, borrows=borrows
        )
        self._latest[key] = attempt.number
        self._attempts[who] = attempt
        return attempt

    def _absent_at(self, key: str) -> frozenset[str]:
        """Names that only cells below have bound."""
        place, inputs = self._place[key], self._connections.cells[key].inputs
        return frozenset(
            name
            for name, owner in self._session.bindings.owners.items()
            if self._place.get(owner.key, -1) > place and not inputs.get(name)
        )

    def _begin(self, attempt: ServedAttempt) -> None:
        def run() -> None:
            attempt.run()
            self._end(attempt)

        self._floor.enter(attempt.who)
        self._crew.run(run, name=f"notebook_flows {attempt.task.name}")

    def _send_away(self, attempt: ServedAttempt) -> None:
        if self._away is None:
            self._away = AwayLane(self._workers, self._end)
        self._away.submit(attempt)

    def run_held(self) -> None:
        """Run the attempt that needs the main thread; inside its request."""
        attempt, self._held = self._held, None
        assert attempt is not None
        try:
            self._take_the_floor(attempt)
            attempt.run()
        except BaseException as error:  # Ctrl-C while it waits
            attempt.error = error
        self._end(attempt)

    async def await_held(self) -> None:
        """Run the attempt that awaits; inside its request, on the kernel's loop."""
        attempt, self._held = self._held, None
        assert attempt is not None
        try:
            self._take_the_floor(attempt)
            await attempt.follow()
        except BaseException as error:
            attempt.error = attempt.error or error
            raise
        finally:
            self._end(attempt)

    def _take_the_floor(self, attempt: ServedAttempt) -> None:
        if attempt.borrows and not self._floor.is_empty:
            with timed_by(attempt), waiting():
                self._floor.wait_until_empty()

    def _end(self, attempt: ServedAttempt) -> None:
        """It is over; any thread."""
        self._keep(attempt)
        key, result = attempt.key, attempt.result
        with self._floor.changed:
            self._attempts.pop(attempt.who, None)
            counts = not attempt.is_cancelled and self._latest[key] == attempt.number
            if counts and result is not None:
                self._made[key] = result
                self._values.made(key, result)
                self._waiting.discard(key)
            if counts:
                self._over.pop(key, None)
                self._over[key] = attempt.error is None
        if result is not None and not counts:
            result.release()
        attempt.task.forget()
        self._session.book.ended(key, has_succeeded=attempt.error is None)
        attempt.tell()
        self._floor.leave(attempt.who)


class Floor:
    """Who runs in threads now; whoever has to be alone waits until nobody does."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._inside: set[tuple[str, int]] = set()
        self._waiting: list[Callable[[], None]] = []
        self._main: MainLane | None = None

    def take_the_loop(self) -> None:
        """The calling thread is the main one; its loop runs what has to be alone, between two requests."""
        if self._main is None:
            self._main = MainLane(asyncio.get_running_loop())

    def enter(self, who: tuple[str, int]) -> None:
        """An attempt begins in a thread."""
        with self.changed:
            self._inside.add(who)

    def leave(self, who: tuple[str, int]) -> None:
        """It has ended, or waits to be alone."""
        with self.changed:
            self._inside.discard(who)
            self.changed.notify_all()
            has_waiting = bool(self._waiting)
        if has_waiting and self._main is not None:
            self._main.post(self._serve)

    def alone(self, who: tuple[str, int], make: Callable[[], Any]) -> Any:
        """Call a function on the main thread while nobody is inside; for one who is.

        Raises:
            BaseException: what the function raises.
        """
        if threading.current_thread() is threading.main_thread():
            self.wait_until_empty()
            return make()
        found: list[Any] = []
        raised: list[BaseException] = []
        is_made = threading.Event()

        def job() -> None:
            try:
                found.append(make())
            except BaseException as error:  # raised again where it is waited for
                raised.append(error)
            finally:
                self.enter(who)
                is_made.set()

        with self.changed:
            self._waiting.append(job)
        self.leave(who)
        is_made.wait()
        if raised:
            raise raised[0]
        return found[0]

    @property
    def is_empty(self) -> bool:
        """Whether whoever asks on the main thread would not wait; there all begin, so that it stays true."""
        with self.changed:
            return not self._inside and not self._waiting

    def wait_until_empty(self) -> None:
        """On the main thread: return when nobody is inside; whoever waits to be alone is served meanwhile."""
        while True:
            with self.changed:
                if not self._inside and not self._waiting:
                    return
                if self._inside:
                    self.changed.wait()
            self._serve()

    def _serve(self) -> None:
        with self.changed:
            if self._inside or not self._waiting:
                return  # whoever leaves last looks again
            job = self._waiting.pop(0)
        job()


def _lane(awaits: bool, is_alone: bool, executor: Any) -> Lane:
    if awaits:
        return Lane.LOOP
    if is_alone:
        return Lane.MAIN
    return Lane.PROCESSES if executor == Lane.PROCESSES.value else Lane.THREADS


def _as_cell(record: CellRecord) -> Cell:
    """A cell for `connect`: one that is skipped does nothing."""
    cell = record.as_cell()
    return replace(cell, facts=CellFacts()) if SKIP_TAG in record.tags else cell
