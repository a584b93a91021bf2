"""The thread that starts worker processes, hands them calls, hears their outcomes, and replaces those that die."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import _layers
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import LogLine, Outcome, Pickled
from notebook_flows.engine.open_calls import OpenCalls, ended_without, links_of, stopped
from notebook_flows.errors import ExecutorError, NotTransferable, WorkerDied
from notebook_flows.executors import frames, notes
from notebook_flows.executors.calls import crashed, timed_out
from notebook_flows.executors.pace import BATCH_BYTES, BATCH_S, Pace
from notebook_flows.executors.pickles import load_exception
from notebook_flows.executors.shelf import Shelf, Thing
from notebook_flows.executors.workers import Nursery, WorkerProcess, said_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.call import Call
    from notebook_flows.engine.ports import Inbox
    from notebook_flows.executors.frames import Frame

GRACE_S = 0.5
"""How long after its timeout a task may take to be told so in its own process; then the process is killed."""
LEAVING_S = 0.5
"""How long workers may take to leave at the end of a run; then they are killed."""
FAILED_STARTS = 3
"""After so many processes in a row that died before they were up, no more are started."""


class Supervisor:
    """The workers of one run.

    ``_open`` holds every call that has no outcome yet; whoever pops a call from it, here or in the engine's thread, is
    the one who reports it, so no call is reported twice. All else belongs to the thread alone.
    """

    def __init__(self, inbox: Inbox, size: int) -> None:
        self._inbox = inbox
        self._size = size
        self._open = OpenCalls()
        self._waiting: deque[Call] = deque()
        self._orders: deque[Callable[[], None]] = deque()
        self._workers: list[WorkerProcess] = []
        self._idle: list[WorkerProcess] = []
        self._shelf = Shelf(_layers.get())
        self._nursery: Nursery | None = None
        self._pace = Pace()
        self._failed_starts = 0
        self._sent_again: Call | None = None
        self._has_ended = False
        self._wants_calls = False
        self._bell, self._button = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._selector = DefaultSelector()
            self._selector.register(self._bell, EVENT_READ, self._hear_bell)
            self._thread = threading.Thread(target=self._run, name="notebook-flows-processes", daemon=True)
            self._thread.start()
        except BaseException:  # no more file descriptors, or threads: nobody will call `stop`
            os.close(self._bell)
            os.close(self._button)
            raise

    # -- in the engine's thread ----------------------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """Take one call over."""
        self._open.add(call)
        self._waiting.append(call)
        if self._wants_calls:
            self._wants_calls = False
            self._ring()

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED, and kill the process in which it runs."""
        call = self._open.pop((ref, attempt), None)
        if call is None:
            return False
        self._open.forget(call.then)
        self._inbox.put(ended_without(call, S.CANCELLED, "Cancelled."))
        for worker in tuple(self._workers):
            if any(link is call for head in tuple(worker.batch) for link in links_of(head)):
                worker.drop(ref, attempt)  # here, so that it knows of it before we return
        self._orders.append(lambda: self._take_away(call))
        self._ring()
        return True

    def stop(self, *, cancel_running: bool) -> None:
        """End all workers."""
        if cancel_running:
            self._inbox.put_many(stopped(self._open))
        if self._bell < 0:  # stopped before
            return
        self._orders.append(lambda: self._end(at_once=cancel_running))
        self._ring()
        self._thread.join(1.9)
        if self._thread.is_alive():  # a user's __reduce__ blocks it; the workers end all the same
            for worker in tuple(self._workers):
                worker.kill()
            return
        os.close(self._bell)
        os.close(self._button)
        self._bell = self._button = -1

    def _ring(self) -> None:
        with suppress(OSError):  # it is ringing so much that the pipe is full, or all is over
            os.write(self._button, b"!")

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._has_ended:
                self._turn()
        except BaseException as error:
            self._give_up(f"The supervisor of the worker processes failed: {type(error).__name__}: {error}", error)
            raise
        finally:
            self._selector.close()

    def _turn(self) -> None:
        while self._orders:
            self._orders.popleft()()
        if self._has_ended:
            return
        if self._can_hand_out():
            self._hand_out()
        patience_s = self._seconds_to_next()
        self._wants_calls = self._has_room()
        if self._can_hand_out():  # a call came before the line above, and did not ring
            return
        for key, events in self._selector.select(patience_s):
            key.data(events)

    def _has_room(self) -> bool:
        """Whether one more call could make a difference."""
        return bool(self._idle) or len(self._workers) < self._size

    def _can_hand_out(self) -> bool:
        """Whether calls wait that are worth a worker: an idle one, or a new one."""
        if not self._waiting:
            return False
        return bool(self._idle) or (len(self._workers) < self._size and len(self._waiting) > self._starting())

    def _starting(self) -> int:
        return sum(not worker.is_ready for worker in self._workers)

    def _hear_bell(self, _: int) -> None:
        with suppress(BlockingIOError):
            os.read(self._bell, 4096)

    def _seconds_to_next(self) -> float | None:
        """Kill what is late and recall what is stuck; in how many seconds to look again, or None."""
        now_s = monotonic()
        looks: list[float] = []
        can_take = self._has_room()
        for worker in tuple(self._workers):
            if worker.due_s is not None:
                if worker.due_s <= now_s:
                    self._time_out(worker)
                else:
                    looks.append(worker.due_s - now_s)
            if can_take and worker.has_taken and len(worker.batch) > 1 and not (worker.is_recalled or self._waiting):
                stuck_s = now_s - worker.progress_s
                if stuck_s >= BATCH_S:
                    worker.recall()
                else:
                    looks.append(BATCH_S - stuck_s)
        return min(looks, default=None)

    # -- handing out ---------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            self._give(self._idle.pop())
        while len(self._workers) < self._size and len(self._waiting) > self._starting():
            if not self._hire():
                return

    def _give(self, worker: WorkerProcess) -> None:
        packed: list[tuple[Call, bytes, tuple[Thing, ...]]] = []
        size = 0
        count = self._pace.batch_count(len(self._waiting), self._size)
        while self._waiting and len(packed) < count and size < BATCH_BYTES:
            call = self._waiting.popleft()
            if self._open.get((call.ref, call.attempt)) is not call:  # cancelled while it waited
                continue
            if call.timeout_s is not None and packed:
                self._waiting.appendleft(call)
                break
            try:
                data, needs = self._shelf.packed_call(call)
            except Exception as error:
                self._report_unsendable(call, error)
                continue
            packed.append((call, data, needs))
            size += len(data) + sum(len(thing.data) for thing in needs)
            if call.timeout_s is not None:
                break
        if not packed:
            self._idle.append(worker)
            return
        worker.give(packed)
        self._flush(worker)

    def _report_unsendable(self, call: Call, error: Exception) -> None:
        self._open.forget(call.then)
        if self._open.pop((call.ref, call.attempt), None) is None:
            return
        if not isinstance(error, NotTransferable):
            error = NotTransferable(f"Task {call.task.name!r} cannot be sent to a worker process: {error}")
        self._inbox.put(ended_without(call, S.FAILED, str(error), error))

    def _flush(self, worker: WorkerProcess) -> None:
        is_left = worker.flush()
        self._selector.modify(worker.data, EVENT_READ | EVENT_WRITE if is_left else EVENT_READ, self._ear_of(worker))

    def _ear_of(self, worker: WorkerProcess) -> Callable[[int], None]:
        def hear(events: int) -> None:
            if events & EVENT_WRITE:
                self._flush(worker)
            if events & EVENT_READ:
                self._hear(worker)

        return hear

    # -- workers come and go -------------------------------------------------------------------------------------------

    def _hire(self) -> bool:
        try:
            worker = WorkerProcess(self._living_nursery())
        except OSError as error:
            if self._workers:  # the system gives no more processes: those there are will do it
                self._size = len(self._workers)
            else:
                self._give_up(f"No worker process can be started: {error}", error)
            return False
        self._workers.append(worker)
        self._selector.register(worker.data, EVENT_READ, self._ear_of(worker))
        return True

    def _living_nursery(self) -> Nursery:
        if self._nursery is not None and not self._nursery.is_alive:
            self._nursery.end()
            self._nursery = None
        if self._nursery is None:
            with suppress(
                Exception
            ):  # a look ahead, to know whether cloudpickle is needed; errors come when its turn is
                self._shelf.packed_call(self._waiting[0])
            self._nursery = Nursery([name for name in ("cloudpickle",) if name in sys.modules])
        return self._nursery

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker has died: blame the call that ran, and put the others back."""
        if worker not in self._workers:
            return
        with suppress(EOFError, OSError):  # what it told before it died counts
            while True:
                self._take_all(worker, worker.reader.receive())
        self._workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._selector.unregister(worker.data)
        if worker.pidfd >= 0:
            self._selector.unregister(worker.pidfd)
        code = worker.bury()
        if worker.link is not None and not self._may_go_again(worker):
            self._report_death(worker, worker.link, code)
            worker.batch.popleft()
        self._waiting.extendleft(reversed(worker.batch))
        if worker.is_ready:
            return
        self._failed_starts += 1
        if self._failed_starts >= FAILED_STARTS:
            self._give_up(f"Worker processes cannot be started: the last one {said_of(code)}; see its error output.")

    def _may_go_again(self, worker: WorkerProcess) -> bool:
        """Whether the worker died before it took its calls up: they are innocent, unless it is their second time."""
        call = worker.batch[0]
        if worker.has_taken or call is self._sent_again:
            return False
        self._sent_again = call
        return True

    def _report_death(self, worker: WorkerProcess, call: Call, code: int | None) -> None:
        self._open.forget(call.then)
        if self._open.pop((call.ref, call.attempt), None) is None:  # cancelled or timed out: we have killed it
            return
        message = f"Task {call.task.name!r}: its worker process (pid {worker.pid}) {said_of(code)}."
        self._report(call, lambda: crashed(call, WorkerDied(message), worker.began_us))

    def _report(self, call: Call, make: Callable[[], Outcome]) -> None:
        """Report what the attempt could not tell itself."""
        if not call.task.state_handlers:
            self._inbox.put(make())
            return
        # in a thread of its own: the user's handlers must not hold up the other workers
        threading.Thread(target=lambda: self._inbox.put(make()), name="notebook-flows-handlers", daemon=True).start()

    def _time_out(self, worker: WorkerProcess) -> None:
        call = worker.link
        worker.due_s = None
        if call is None or self._open.pop((call.ref, call.attempt), None) is None:
            return
        self._open.forget(call.then)
        began_us = worker.began_us
        worker.kill()
        self._report(call, lambda: timed_out(call, began_us))

    def _take_away(self, call: Call) -> None:
        """A call was cancelled: kill the worker that runs it."""
        for worker in self._workers:
            if worker.link is call:
                worker.kill()

    # -- what workers tell ---------------------------------------------------------------------------------------------

    def _hear(self, worker: WorkerProcess) -> None:
        try:
            told = worker.reader.receive()
        except BlockingIOError:
            return
        except (EOFError, OSError):
            if worker in self._workers:
                worker.kill()  # it has closed its socket; if it lives still, it cannot be reached any more
                self._bury(worker)
            return
        self._take_all(worker, told)

    def _take_all(self, worker: WorkerProcess, told: list[Frame]) -> None:
        outcomes: list[Outcome] = []
        for frame in told:
            if frame.kind == frames.OUTCOME:
                self._take_outcome(worker, frames.Report(*frame.head), frame.body, outcomes)
            elif frame.kind == frames.TAKEN:
                worker.has_taken = True
            elif frame.kind == frames.READY:
                self._welcome(worker, frame.head)
            elif frame.kind == frames.BEGUN:
                self._begin_timeout(worker, *frame.head)
            elif frame.kind == frames.BACK:
                self._take_back(worker, frame.head)
            elif frame.kind == frames.LINES:
                self._hand_on(*frame.head)
            elif frame.kind == frames.NOTE:
                notes.heard(frame.head, frame.body)
        if len(outcomes) == 1:
            self._inbox.put(outcomes[0])
        elif outcomes:
            self._inbox.put_many(outcomes)
        if told and worker.link is None and worker.is_ready and worker not in self._idle:
            self._idle.append(worker)

    def _hand_on(self, run_id: str, lines: list[tuple[Any, ...]]) -> None:
        """Log lines go where those of this process's own threads would go."""
        logs = sys.modules.get("notebook_flows.engine.logs")  # without it nobody listens
        sink = logs.sink_of(run_id) if logs is not None else None
        if sink is not None:
            sink([LogLine(*line) for line in lines])

    def _welcome(self, worker: WorkerProcess, pid: int) -> None:
        worker.introduce(pid)
        if worker.pidfd >= 0:
            self._selector.register(worker.pidfd, EVENT_READ, lambda _: self._bury(worker))
        self._failed_starts = 0
        self._idle.append(worker)

    def _take_outcome(self, worker: WorkerProcess, report: frames.Report, body: bytes, outcomes: list[Outcome]) -> None:
        call = worker.link
        if call is None or (call.ref, call.attempt) != (report.ref, report.attempt):
            raise ExecutorError(f"Worker {worker.pid} told an outcome of call {report.ref}, which it does not run.")
        if not report.goes_on:
            self._open.forget(call.then)
        worker.link_ended(goes_on=report.goes_on)
        self._pace.learn((report.ended_us - report.started_us) / 1e6)
        if self._open.pop((report.ref, report.attempt), None) is None:  # cancelled or timed out meanwhile
            return
        value: Any = load_exception(body, report.error) if report.is_error else Pickled(body)
        outcomes.append(
            Outcome(
                report.ref, report.attempt, S(report.state), value, report.message, report.started_us, report.ended_us,
                report.details,
            )
        )  # fmt: skip

    def _begin_timeout(self, worker: WorkerProcess, ref: int, attempt: int) -> None:
        call = worker.link
        if call is not None and (call.ref, call.attempt) == (ref, attempt) and call.timeout_s is not None:
            worker.due_s = monotonic() + call.timeout_s + GRACE_S

    def _take_back(self, worker: WorkerProcess, given_back: list[tuple[int, int]]) -> None:
        self._waiting.extendleft(reversed(worker.take_back(set(given_back))))
        self._pace.learn(BATCH_S)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _give_up(self, message: str, cause: BaseException | None = None) -> None:
        """No worker will run what is open: say so for each call."""
        outcomes = []
        for call in self._open.drain():
            problem = WorkerDied(message)
            problem.__cause__ = cause
            outcomes.append(ended_without(call, S.CRASHED, message, problem))
        self._waiting.clear()
        self._failed_starts = 0
        self._inbox.put_many(outcomes)

    def _end(self, *, at_once: bool) -> None:
        self._has_ended = True
        self._waiting.clear()
        strays = [(worker, worker.descendants()) for worker in self._workers]
        if not at_once:
            for worker in self._workers:
                worker.let_go()
            until_s = monotonic() + LEAVING_S
            for worker in self._workers:
                worker.has_ended(within_s=until_s - monotonic())
        for worker, started in strays:
            worker.kill(started)
        for worker in self._workers:
            worker.bury()
        self._workers.clear()
        if self._nursery is not None:
            self._nursery.end()
