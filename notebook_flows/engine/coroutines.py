"""The one event loop on which async tasks run side by side."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextvars import copy_context
from time import time_ns
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import TaskTimeout, failed_outcome, perform_async
from notebook_flows.engine.call import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox

GRACE_S = 0.5
"""How long after its timeout a coroutine may take to say so itself; then it is said for it."""
STOPPING_S = 1.0
"""How long `stop` waits for coroutines that clean up after themselves."""


class CoroutineLane:
    """Runs the calls of `async def` tasks on a loop in a daemon thread of its own, so under a running kernel loop too.

    Any number run side by side. ``_open`` holds every call that has no outcome yet; whoever pops a call from it
    reports it, so none is reported twice. Calls come alone: `Call.then` is not followed.

    Args:
        inbox: where outcomes go.
        facts: of the run.
    """

    def __init__(self, inbox: Inbox, facts: RunFacts) -> None:
        self._inbox = inbox
        self._context = copy_context()
        self._open: dict[tuple[int, int], Call] = {}
        self._waiting: deque[Call] = deque()
        self._is_told = False
        self._is_ending = False
        self._running: dict[asyncio.Task[None], Call] = {}
        self._deaf: list[Call] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="notebook-flows-async", daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._open[call.ref, call.attempt] = call
        self._waiting.append(call)
        if not self._is_told:
            self._is_told = True
            self._loop.call_soon_threadsafe(self._begin_waiting)

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED; its coroutine gets a CancelledError."""
        call = self._open.pop((ref, attempt), None)
        if call is None:
            return False
        self._inbox.put(_ended(call, S.CANCELLED, "Cancelled."))
        self._loop.call_soon_threadsafe(self._cancel, call)
        return True

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within 2 s; the names of the tasks that neither ended nor heard that they were cancelled."""
        if cancel_running:
            dropped = []
            while self._open:
                try:
                    _, call = self._open.popitem()
                except KeyError:  # the last one has just ended
                    break
                dropped.append(_ended(call, S.CANCELLED, "The run has stopped."))
            self._inbox.put_many(dropped[::-1])
        if not self._is_ending:
            self._is_ending = True
            self._loop.call_soon_threadsafe(self._begin_to_end)
            self._thread.join(STOPPING_S)
        if not self._thread.is_alive():
            return ()
        return [call.task.name for call in (*self._running.values(), *self._deaf)]

    # -- on the loop's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def _begin_waiting(self) -> None:
        self._is_told = False  # before the look: a call that comes now tells again
        while self._waiting:
            call = self._waiting.popleft()
            if (call.ref, call.attempt) in self._open:
                task = self._loop.create_task(self._follow(call), name=call.task.name, context=self._context.copy())
                self._running[task] = call
                task.add_done_callback(self._running.pop)

    async def _follow(self, call: Call) -> None:
        timer = None
        if call.timeout_s is not None:
            me = asyncio.current_task()
            assert me is not None
            timer = self._loop.call_later(call.timeout_s + GRACE_S, self._time_out, call, me, time_ns() // 1000)
        try:
            outcome = await perform_async(call)
        except BaseException as error:  # also KeyboardInterrupt: it ends the task, not the loop that others need
            outcome = _ended(call, S.CANCELLED, f"The task raised {type(error).__name__}.")
        finally:
            if timer is not None:
                timer.cancel()
        if self._open.pop((call.ref, call.attempt), None) is not None:
            self._inbox.put(outcome)

    def _time_out(self, call: Call, task: asyncio.Task[None], began_us: int) -> None:
        if self._open.pop((call.ref, call.attempt), None) is not None:
            self._deaf.append(call)
            self._inbox.put(failed_outcome(call, TaskTimeout(), began_us))
            task.cancel()

    def _cancel(self, call: Call) -> None:
        for task, running in self._running.items():
            if running is call:
                task.cancel()

    def _begin_to_end(self) -> None:
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        """Cancel all that runs, also what the users' coroutines have begun, and stop when it has ended."""
        for task in asyncio.all_tasks() - {self._ending}:
            task.cancel()
        while others := asyncio.all_tasks() - {self._ending}:
            await asyncio.wait(others)
        self._loop.stop()


def _ended(call: Call, state: S, message: str) -> Outcome:
    now_us = time_ns() // 1000
    return Outcome(call.ref, call.attempt, state, None, message, now_us, now_us)
