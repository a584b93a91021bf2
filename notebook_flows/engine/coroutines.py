"""The event loop on which async tasks run side by side."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from heapq import heappop, heappush
from itertools import count
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform_async
from notebook_flows.engine.endings import failed_outcome
from notebook_flows.engine.open_calls import OpenCalls, ended_without, raised_by, stopped
from notebook_flows.engine.timeouts import TaskTimeout
from notebook_flows.errors import WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextvars import Context

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox

ANSWER_S = 0.1
"""How long a loop may take to answer, before what is late on it is told so from outside."""
GRACE_S = 0.5
"""How long after its timeout a coroutine may take to say so itself; then it is said for it. A loop that has not
answered for as long is replaced."""
STOPPING_S = 0.7
"""How long `stop` waits for coroutines that clean up after themselves; with the executor's threads less than 2 s."""

Key = tuple[int, int]


class CoroutineLane:
    """Runs the calls of `async def` tasks on a loop in a daemon thread of its own, so under a running kernel loop too.

    Any number run side by side. ``_open`` holds every call that has no outcome yet; whoever pops a call from it
    reports it, so none is reported twice. Calls come alone: `Call.then` is not followed. A coroutine that blocks the
    loop beyond its timeout keeps it, with those that it has begun; a new loop takes what comes then.

    Args:
        inbox: where outcomes go.
        facts: of the run.
    """

    def __init__(self, inbox: Inbox, facts: RunFacts) -> None:
        self._inbox = inbox
        self._context = copy_context()
        self._open = OpenCalls()
        self._waiting: deque[Call] = deque()
        self._is_told = False
        self._until_s: float | None = None
        self._changing = threading.Lock()
        self._watch: _Watch | None = None
        self._loop = _Loop(self._follow, self._has_ended)
        self._blocked: list[_Loop] = []

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._open.add(call)
        self._waiting.append(call)
        if not self._is_told:
            self._is_told = True
            loop = self._loop
            if not loop.tell(self._begin_waiting, loop):
                self._has_ended(loop)

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED; its coroutine gets a CancelledError."""
        call = self._open.pop((ref, attempt), None)
        if call is None:
            return False
        self._inbox.put(ended_without(call, S.CANCELLED, "Cancelled."))
        for loop in (self._loop, *self._blocked):
            loop.tell(loop.cancel, call)
        return True

    def begin_stop(self, *, cancel_running: bool) -> None:
        """Begin to end, without waiting: `stop` comes later, and waits only for what is left of its time."""
        if cancel_running:
            self._inbox.put_many(stopped(self._open))
        with self._changing:
            if self._until_s is not None:
                return
            self._until_s = monotonic() + STOPPING_S
        if self._watch is not None:
            self._watch.end()
        for loop in (self._loop, *self._blocked):
            loop.begin_to_end()

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within a second; the names of the tasks that neither ended nor heard that they were cancelled."""
        self.begin_stop(cancel_running=cancel_running)
        assert self._until_s is not None
        self._loop.join(max(0.0, self._until_s - monotonic()))
        return [name for loop in (self._loop, *self._blocked) for name in loop.still_running()] or ()

    def _has_ended(self, loop: _Loop) -> None:
        """A loop's thread is over: nobody else will report what it had, nor what waits where it was the last."""
        left = list(loop.running.values())
        if loop is self._loop:
            self._is_told = False
            with suppress(IndexError):  # when none is left
                while True:
                    left.append(self._waiting.popleft())
        message = "The event loop of the async tasks has ended."
        for call in left:
            if self._open.pop((call.ref, call.attempt), None) is not None:
                self._inbox.put(ended_without(call, S.CRASHED, message, WorkerDied(message)))

    # -- on the loop's thread ------------------------------------------------------------------------------------------

    def _begin_waiting(self, loop: _Loop) -> None:
        if loop is not self._loop:  # it was blocked, and another has taken its place
            return
        self._is_told = False  # before the look: a call that comes now tells again
        while self._waiting:
            try:
                call = self._waiting.popleft()
            except IndexError:  # another loop has begun to take them
                return
            if (call.ref, call.attempt) in self._open:
                loop.begin(call, self._context.copy())

    async def _follow(self, loop: _Loop, call: Call) -> None:
        try:
            if call.timeout_s is not None:
                self._limit(loop, call, call.timeout_s)
            outcome = await perform_async(call)
        except BaseException as error:  # also KeyboardInterrupt: it ends the task, not the loop that others need
            outcome = ended_without(call, S.CANCELLED, raised_by(error))
        if self._open.pop((call.ref, call.attempt), None) is not None:
            self._inbox.put(outcome)

    # -- timeouts, seen from outside the loop --------------------------------------------------------------------------

    def _limit(self, loop: _Loop, call: Call, timeout_s: float) -> None:
        watch = self._watching()
        if watch is None:
            return
        began_us, key, due_s = time_ns() // 1000, (call.ref, call.attempt), monotonic() + timeout_s

        def is_late() -> None:
            if key in self._open:
                loop.ask()
                watch.look_at(due_s + ANSWER_S, has_no_answer)
                watch.look_at(due_s + GRACE_S, is_too_late)

        def has_no_answer() -> None:
            if key in self._open and loop.answered_s < due_s:
                self._time_out(loop, key, began_us)

        def is_too_late() -> None:
            self._time_out(loop, key, began_us)
            if loop.answered_s < due_s:
                self._replace(loop)

        watch.look_at(due_s, is_late)

    def _watching(self) -> _Watch | None:
        """The watch; None at the end, when what runs is being cancelled."""
        if self._watch is None:
            with self._changing:
                if self._until_s is None and self._watch is None:
                    self._watch = _Watch()
        return self._watch

    def _time_out(self, loop: _Loop, key: Key, began_us: int) -> None:
        """Say for a coroutine that its time is up."""
        call = self._open.pop(key, None)
        if call is None:
            return
        loop.deaf.append(call)
        loop.tell(loop.cancel, call)
        if not call.task.state_handlers:
            self._inbox.put(failed_outcome(call, TaskTimeout(), began_us))
            return

        def report() -> None:  # in a thread of its own: the user's handlers must not hold up the watch
            self._inbox.put(failed_outcome(call, TaskTimeout(), began_us))

        context = self._context.copy()
        threading.Thread(target=context.run, args=(report,), name="notebook-flows-handlers", daemon=True).start()

    def _replace(self, loop: _Loop) -> None:
        """A loop is blocked: another one takes what comes now."""
        with self._changing:
            if loop is not self._loop or self._until_s is not None:
                return
            try:
                new = _Loop(self._follow, self._has_ended)
            except (OSError, RuntimeError):  # the system gives no more files or threads: wait for the one there is
                return
            self._blocked.append(loop)
            self._loop = new
        self._is_told = True
        new.tell(self._begin_waiting, new)


class _Loop:
    """An event loop in a thread of its own.

    Attributes:
        running: the calls whose coroutines have begun and not ended.
        deaf: the calls whose timeout was told from outside; their coroutines may go on.
        answered_s: when it last answered, by the monotonic clock.
    """

    def __init__(
        self, follow: Callable[[_Loop, Call], Coroutine[None, None, None]], at_end: Callable[[_Loop], None]
    ) -> None:
        self.running: dict[asyncio.Task[None], Call] = {}
        self.deaf: list[Call] = []
        self.answered_s = 0.0
        self._follow = follow
        self._at_end = at_end
        self._has_ended = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="notebook-flows-async", daemon=True)
        try:
            self._thread.start()
        except BaseException:  # the system gives no more threads
            self._loop.close()
            raise

    def tell(self, function: Callable[..., None], *arguments: object) -> bool:
        """Have something done on the loop's thread; False if it has ended."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # it is closed
            return False
        return True

    def ask(self) -> None:
        """Ask for an answer, which a blocked loop cannot give."""
        self.tell(self._answer)

    def begin_to_end(self) -> None:
        """Have it end when all that runs has heard that it is cancelled."""
        self.tell(self._begin_to_end)

    def join(self, within_s: float) -> None:
        """Wait until it has ended, for some seconds at most."""
        self._thread.join(within_s)

    def still_running(self) -> list[str]:
        """The names of the tasks that keep it from ending."""
        if not self._thread.is_alive():
            return []
        calls = {id(call): call for call in (*tuple(self.running.values()), *self.deaf)}
        return [call.task.name for call in calls.values()]

    # -- on its own thread ---------------------------------------------------------------------------------------------

    def begin(self, call: Call, context: Context) -> None:
        """Begin a call's coroutine."""
        task = self._loop.create_task(self._follow(self, call), name=call.task.name, context=context)
        self.running[task] = call
        task.add_done_callback(self.running.pop)

    def cancel(self, call: Call) -> None:
        """Let a call's coroutine hear that it is cancelled."""
        for task, running in self.running.items():
            if running is call:
                task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not (self._has_ended or self._loop.is_closed()):
                with suppress(BaseException):  # SystemExit, KeyboardInterrupt: of asyncio tasks that a task has begun
                    self._loop.run_forever()
            with suppress(BaseException):  # as above
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
            self._at_end(self)

    def _answer(self) -> None:
        self.answered_s = monotonic()

    def _begin_to_end(self) -> None:
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        """Cancel all that runs, also what the users' coroutines have begun, and stop when it has ended."""
        for task in asyncio.all_tasks() - {self._ending}:
            task.cancel()
        while others := asyncio.all_tasks() - {self._ending}:
            await asyncio.wait(others)
        self._has_ended = True
        self._loop.stop()


class _Watch:
    """Does things at their moments in a thread of its own, whatever the loops are at; begun with the first timeout."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._has_ended = False
        threading.Thread(target=self._run, name="notebook-flows-async-timeouts", daemon=True).start()

    def look_at(self, due_s: float, do: Callable[[], None]) -> None:
        """Do this at that moment, by the monotonic clock."""
        with self._changed:
            heappush(self._due, (due_s, next(self._numbers), do))
            if self._due[0][2] is do:
                self._changed.notify()

    def end(self) -> None:
        """Do nothing more."""
        with self._changed:
            self._has_ended = True
            self._due.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_ended and (not self._due or self._due[0][0] > monotonic()):
                    self._changed.wait(self._due[0][0] - monotonic() if self._due else None)
                if self._has_ended:
                    return
                do = heappop(self._due)[2]
            do()
