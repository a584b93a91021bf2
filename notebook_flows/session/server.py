"""Obeys the client that has started this kernel: tasks run beside one another, and land before the next ordinary cell."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from notebook_flows.session.awaylane import AwayLane
from notebook_flows.session.crew import Crew
from notebook_flows.session.floor import Floor
from notebook_flows.session.lanes import Lane
from notebook_flows.session.outputs import show_again
from notebook_flows.session.routing import unattributed_to
from notebook_flows.session.served import CACHED, ServedAttempt, publish_failure, publish_text
from notebook_flows.session.servedcells import ServedCells
from notebook_flows.session.servedlanding import ServedLanding
from notebook_flows.session.waiting import timed_by, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.servedmemory import ServedMemory
    from notebook_flows.session.session import Session

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
        self._floor = Floor()
        self._cells = ServedCells(session)
        self._landing = ServedLanding(session, self._cells, self._floor.changed)
        self._attempts: dict[tuple[str, int], ServedAttempt] = {}
        self._held: ServedAttempt | None = None
        self._away: AwayLane | None = None
        self._crew = Crew()
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
            attempt = self._cells.attempt(record, order, floor=self._floor, strict_shell=self._strict_shell)
            self._landing.begun(attempt)
            self._attempts[attempt.who] = attempt
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
        hit = self._memory.find(record, self._cells.connections, self._cells.sight(attempt.task), asked)
        if hit is None:
            return False
        show_again(hit.outputs, attempt.sink)
        attempt.result = hit.values
        attempt.state = CACHED
        attempt.more = self._memory.told_of_hit(record.key, hit)
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
        if record.key not in self._cells.connections.tasks:
            self.land()

    def land(self) -> None:
        """Put what tasks have made into the namespace."""
        self._landing.land()

    # -- an attempt ----------------------------------------------------------------------------------------------------

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
        with self._floor.changed:
            self._attempts.pop(attempt.who, None)
            counts = self._landing.ended(attempt)
        if attempt.result is not None and not counts:
            attempt.result.release()
        attempt.task.forget()
        self._session.book.ended(attempt.key, has_succeeded=attempt.error is None)
        attempt.tell()
        self._floor.leave(attempt.who)
