"""Attempts in threads of this process."""

from __future__ import annotations

import itertools
import threading
from contextvars import copy_context
from copy import copy
from queue import Empty, SimpleQueue
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.open_calls import OpenCalls, ended_without, next_link, raised_by, stopped
from notebook_flows.executors.calls import checked_workers, number_of_cpus, timed_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.engine.call import Call, Outcome, RunFacts
    from notebook_flows.engine.ports import Inbox

STOPPING_S = 0.7
"""How long `stop` waits for threads whose task may still end by itself; with the lane of async tasks less than 2 s."""


class ThreadExecutor:
    """Runs calls in worker threads, begun as they are needed: right for tasks that wait, or leave the GIL.

    A thread cannot be stopped from outside. After a timeout or a cancel its task is told TIMED_OUT or CANCELLED at
    once, a new thread takes its place, and what the old one still brings is discarded.

    Args:
        workers: how many attempts may run side by side; four more than there are processors unless given.
    """

    works_here = False
    is_remote = False
    takes_segments = True

    _crew: _Crew | None = None

    def __init__(self, workers: int | None = None) -> None:
        self.workers = checked_workers("ThreadExecutor", workers) or min(32, number_of_cpus() + 4)
        self.name = f"threads({self.workers})"

    def for_run(self) -> ThreadExecutor:
        """An executor like this one, for one run: others may go on at the same time."""
        own = copy(self)
        own._crew = None
        return own

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._crew = _Crew(inbox, self.workers)

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        assert self._crew is not None, "start it first"
        self._crew.submit(call)

    def work(self) -> bool:
        """Nothing runs in the calling thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED; if its code runs already, it runs on unheard."""
        return self._crew is not None and self._crew.cancel(ref, attempt)

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within a second; the names of the tasks whose code still runs, also of those that were given up before."""
        return () if self._crew is None else self._crew.stop(cancel_running)


def clock_here() -> _Worker | None:
    """Counts the time of the call that the calling thread is at; None if that is no thread of ours, or has no limit."""
    me = threading.current_thread()
    return me if isinstance(me, _Worker) and me.due_s is not None else None


class _Worker(threading.Thread):
    """One thread, and what it is at.

    Attributes:
        call: what runs; None between calls.
        due_s: when the call is to be told TIMED_OUT, by the monotonic clock; None without a timeout.
        is_lost: another thread has taken its place; it ends when its task does.
    """

    def __init__(self, crew: _Crew, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.call: Call | None = None
        self.due_s: float | None = None
        self.began_us = 0
        self.is_lost = False
        self._crew = crew
        self._left_s: float | None = None

    def run(self) -> None:
        self._crew.work(self)

    def stop(self) -> None:
        """The call waits for others: its time stands still."""
        due_s, self.due_s = self.due_s, None
        if due_s is not None:
            self._left_s = max(due_s - monotonic(), 0.0)

    def go_on(self) -> None:
        """It has waited."""
        left_s, self._left_s = self._left_s, None
        if left_s is not None:
            self._crew.limit(self, left_s)


class _Crew:
    """The threads of one run.

    ``open`` holds every call that has no outcome yet. Whoever pops a call from it, be it the worker, the watch or a
    cancel, is the one who reports it: so no call is reported twice, without a lock for each.
    """

    def __init__(self, inbox: Inbox, size: int) -> None:
        self._perform: Callable[[Call], Outcome] = perform
        self._inbox = inbox
        self._size = size
        self._open = OpenCalls()
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._lost: list[_Worker] = []
        self._numbers = itertools.count(1)
        self._context = copy_context()
        self._hiring = threading.Lock()
        self._watch: _Watch | None = None
        self._is_stopping = False

    def submit(self, call: Call) -> None:
        self._open.add(call)
        self._queue.put(call)
        if len(self._workers) < self._size and len(self._open) > len(self._workers):
            self._hire()

    def _hire(self) -> None:
        with self._hiring:
            if self._is_stopping or len(self._workers) >= self._size:
                return
            worker = _Worker(self, f"notebook-flows-{next(self._numbers)}")
            self._workers.append(worker)
        try:
            worker.start()
        except RuntimeError:  # the system gives no more threads: those there are will do it
            self._workers.remove(worker)
            self._size = len(self._workers)
            if not self._size:
                raise

    def work(self, me: _Worker) -> None:
        """Run calls until told to end."""
        get = self._queue.get
        while (call := get()) is not None:
            self._follow(me, call)
            me.call = call = None  # holds no values while it waits
            if me.is_lost and self._is_given_up(me):
                return

    def _is_given_up(self, me: _Worker) -> bool:
        with self._hiring:  # whoever looks whether it is lost may still change his mind
            return me.is_lost

    def _follow(self, me: _Worker, head: Call) -> None:
        """Run one call and, while all goes well, the rest of its segment."""
        call: Call | None = head
        while call is not None:
            key = (call.ref, call.attempt)
            me.call = call  # first, so that whoever cancels it from now on finds it here
            if self._open.get(key) is not call:  # cancelled while it waited
                return
            if call.timeout_s is not None:
                me.began_us = time_ns() // 1000
                self.limit(me, call.timeout_s)
            try:
                outcome = self._context.copy().run(self._perform, call)
            except BaseException as error:  # KeyboardInterrupt, raised by the task: it ends the task, not the thread
                outcome = ended_without(call, S.CANCELLED, raised_by(error))
            me.due_s = None
            if self._open.get(key) is not call or self._open.pop(key, None) is None:
                return  # timed out or cancelled meanwhile: too late
            rest = call.then
            call = next_link(call, outcome) if rest is not None else None
            if call is None and rest is not None:
                self._open.forget(rest)
            self._inbox.put(outcome)

    def limit(self, worker: _Worker, left_s: float) -> None:
        """Its call has so much time left."""
        worker.due_s = due_s = monotonic() + left_s
        with self._hiring:
            if self._watch is None:
                self._watch = _Watch(self)
                self._watch.start()
        self._watch.look_at(due_s)

    def give_up_late_ones(self) -> float | None:
        """Report calls that are past their time, and replace their threads; when to look again, or None."""
        now_s = monotonic()
        next_s: float | None = None
        for worker in tuple(self._workers):
            due_s, call = worker.due_s, worker.call
            if due_s is None or call is None:
                continue
            if due_s > now_s:
                next_s = due_s if next_s is None else min(next_s, due_s)
            elif worker.due_s == due_s and self._open.pop((call.ref, call.attempt), None) is not None:
                self._lose(worker, call)
                self._open.forget(call.then)
                self._report_timeout(call, worker.began_us)
        return next_s

    def _report_timeout(self, call: Call, began_us: int) -> None:
        if not call.task.state_handlers:
            self._inbox.put(timed_out(call, began_us))
            return

        def report() -> None:  # in a thread of its own: the user's handlers must not hold up the watch
            self._inbox.put(timed_out(call, began_us))

        threading.Thread(target=report, name="notebook-flows-handlers", daemon=True).start()

    def _lose(self, worker: _Worker, call: Call) -> None:
        """Put another thread in the place of a worker that is at a call that nobody waits for any more.

        First it is marked, then we look whether it is still at that call: then it takes no other. If its task has
        ended just now, it stays.
        """
        with self._hiring:
            worker.is_lost = True
            if worker.call is not call:
                worker.is_lost = False
                return
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        with self._hiring:
            if worker in self._workers:
                self._workers.remove(worker)
                self._lost.append(worker)
        if len(self._open) > len(self._workers):
            self._hire()

    def cancel(self, ref: int, attempt: int) -> bool:
        call = self._open.pop((ref, attempt), None)
        if call is None:
            return False
        for worker in tuple(self._workers):
            if worker.call is call:
                self._lose(worker, call)
        self._open.forget(call.then)
        self._inbox.put(ended_without(call, S.CANCELLED, "Cancelled."))
        return True

    def stop(self, cancel_running: bool) -> Sequence[str]:
        with self._hiring:
            is_first = not self._is_stopping
            self._is_stopping = True
        if cancel_running:
            self._drop_all()
        if is_first:
            self._dismiss()
        return [
            call.task.name
            for worker in (*self._workers, *self._lost)
            if worker.is_alive() and (call := worker.call) is not None
        ]

    def _dismiss(self) -> None:
        for _ in (*self._workers, *self._lost):
            self._queue.put(None)
        if self._watch is not None:
            self._watch.end()
        until_s = monotonic() + STOPPING_S
        for worker in self._workers:
            if worker.ident is not None:  # else the watch is just about to start it
                worker.join(max(0.0, until_s - monotonic()))

    def _drop_all(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            pass
        self._inbox.put_many(stopped(self._open))


class _Watch(threading.Thread):
    """Looks when the next timeout is due; begun with the first call that has one."""

    def __init__(self, crew: _Crew) -> None:
        super().__init__(name="notebook-flows-timeouts", daemon=True)
        self._crew = crew
        self._changed = threading.Condition()
        self._next_s: float | None = None
        self._has_ended = False

    def look_at(self, due_s: float) -> None:
        """Look no later than this moment."""
        with self._changed:
            if self._next_s is None or due_s < self._next_s:
                self._next_s = due_s
                self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._has_ended and (self._next_s is None or self._next_s > monotonic()):
                    self._changed.wait(None if self._next_s is None else self._next_s - monotonic())
                if self._has_ended:
                    return
                self._next_s = None
            next_s = self._crew.give_up_late_ones()
            if next_s is not None:
                self.look_at(next_s)
