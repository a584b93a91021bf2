"""Attempts in the engine's own thread, one after the other."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from copy import copy
from time import time_ns
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.endings import failed_outcome
from notebook_flows.engine.interrupts import CancelAsked
from notebook_flows.engine.open_calls import STOPPED, ended_without, links_of, next_link
from notebook_flows.executors.calls import timed_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import Call, Outcome, RunFacts
    from notebook_flows.engine.ports import Inbox


class LocalExecutor:
    """Runs each call when the engine asks it to `work`: no threads, no copies, plain tracebacks and debuggers.

    A segment is followed one link for each `work`, so that the engine looks around in between. In another thread than
    the main one, where no timer can ring, a call with a timeout gets a thread of its own.
    """

    name = "local"
    workers = 1
    works_here = True
    is_remote = False
    takes_segments = True
    keeps_order = True

    _inbox: Inbox

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self._beside: list[_Beside] = []

    def for_run(self) -> LocalExecutor:
        """An executor like this one, for one run: others may go on at the same time."""
        own = copy(self)
        own._waiting = deque()
        own._beside = []
        return own

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._waiting.clear()
        self._beside.clear()
        self._inbox = inbox

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._waiting.append(call)

    def work(self) -> bool:
        """Run one waiting call in the calling thread; False where there is none.

        Raises:
            KeyboardInterrupt: the user's; the call that it hit has ended CANCELLED.
        """
        if not self._waiting:
            return False
        call = self._waiting.popleft()
        try:
            outcome = perform(call) if call.timeout_s is None else self._limited(call, call.timeout_s)
        except BaseException as error:
            said = STOPPED if isinstance(error, CancelAsked) else f"Interrupted by {type(error).__name__}."
            self._inbox.put(ended_without(call, S.CANCELLED, said))
            raise
        if call.then is not None and (then := next_link(call, outcome)) is not None:
            self._waiting.appendleft(then)
        self._inbox.put(outcome)
        return True

    def _limited(self, call: Call, timeout_s: float) -> Outcome:
        """Make an attempt that may take so many seconds."""
        if threading.current_thread() is threading.main_thread():
            return perform(call)  # it has a timer
        beside = _Beside(call)
        began_us = time_ns() // 1000
        try:
            beside.start()
        except RuntimeError as error:  # the system gives no more threads
            return failed_outcome(call, error, began_us)
        beside.join(timeout_s)
        if beside.error is not None:
            raise beside.error
        if beside.outcome is None:
            self._beside.append(beside)
            return timed_out(call, began_us)
        return beside.outcome

    def cancel(self, ref: int, attempt: int) -> bool:
        """Stop one attempt that has not begun: CANCELLED will come."""
        for head in self._waiting:
            for link in links_of(head):
                if link.ref == ref and link.attempt == attempt:
                    self._cut(head, link)
                    self._inbox.put(ended_without(link, S.CANCELLED, "Cancelled before it began."))
                    return True
        return False

    def _cut(self, head: Call, link: Call) -> None:
        """Take a link, and those after it, off what waits."""
        if head is link:
            self._waiting.remove(head)
            return
        before = next(one for one in links_of(head) if one.then is link)
        before.then = None

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """Drop what waits; the names of the tasks that have passed their timeout and still run."""
        dropped = [link for head in self._waiting for link in links_of(head)]
        self._waiting.clear()
        if dropped:
            self._inbox.put_many([ended_without(link, S.CANCELLED, STOPPED) for link in dropped])
        return [one.task_name for one in self._beside if one.is_alive()] or ()


class _Beside(threading.Thread):
    """One attempt, in a thread that may be left to itself; the interpreter does not wait for it.

    Attributes:
        outcome: how it ended; None before.
        error: what it raised in place of an outcome.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(name="notebook-flows-timeout", daemon=True)
        self.task_name = call.task.name
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._call: Call | None = call
        self._context = copy_context()

    def run(self) -> None:
        call, self._call = self._call, None
        assert call is not None
        try:
            self.outcome = self._context.run(perform, call)
        except BaseException as error:  # KeyboardInterrupt, raised by the task: whoever waits for it decides
            self.error = error
