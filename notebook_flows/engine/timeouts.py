"""The time that a task may take: an alarm in the main thread, and the exception that it raises there."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.attempt_context import Attempt


class TaskTimeout(BaseException):
    """Raised inside a task whose time is up; a BaseException, so that the task's ``except Exception`` lets it through.

    Attributes:
        owner: the attempt whose time is up; it may have run a flow whose task it is that was hit. None: whoever raised it.
    """

    def __init__(self, *args: object, owner: Attempt | None = None) -> None:
        super().__init__(*args)
        self.owner = owner


def is_for_others(error: BaseException, here: Attempt | None = None) -> bool:
    """Whether whoever runs the user's code must let it pass: Ctrl-C, or the timeout of a task around this one.

    Args:
        error: what came out of the user's code.
        here: the attempt that the code belongs to; None where no timeout is on, as in handlers and validators.
    """
    if isinstance(error, TaskTimeout):
        return error.owner is not None and error.owner is not here
    return isinstance(error, KeyboardInterrupt)


def in_time(timeout_s: float | None, owner: Attempt, run: Callable[[], Any]) -> Any:
    """What ``run()`` gives, with `TaskTimeout` raised in it when the time is up; only the main thread can.

    No context manager: a signal may be handled on the way into its ``__exit__``, which then would not run.
    """
    if timeout_s is None or threading.current_thread() is not threading.main_thread():
        return run()
    alarm = Alarm(timeout_s, owner)
    try:
        try:
            alarm.begin()
            return run()
        finally:
            alarm.is_over = True  # first of all: from now on it rings no more
    finally:
        alarm.is_over = True  # it may have rung just before the line above, but it rings once
        alarm.end()


class Alarm:
    """Stands for SIGALRM and its timer during one attempt; the alarm that was set before goes on meanwhile.

    Attributes:
        is_over: it does nothing more.
    """

    def __init__(self, timeout_s: float, owner: Attempt) -> None:
        self.is_over = False
        self._timeout_s = timeout_s
        self._owner = owner
        self._due_s: float | None = None
        self._outer_due_s: float | None = None
        self._outer_every_s = 0.0
        self._before: Any = signal.getsignal(signal.SIGALRM)

    def begin(self) -> None:
        """From now on it may ring."""
        signal.signal(signal.SIGALRM, self._ring)
        now_s = time.monotonic()
        left_s, self._outer_every_s = signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        if left_s:
            self._outer_due_s = now_s + left_s
        self._due_s = now_s + self._timeout_s
        if left_s and left_s < self._timeout_s:
            signal.setitimer(signal.ITIMER_REAL, left_s)

    def end(self) -> None:
        """Put back what was there before, with what is left of its time."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._outer_due_s is not None:
            left_s = max(self._outer_due_s - time.monotonic(), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left_s, self._outer_every_s)

    def _ring(self, number: int, frame: Any) -> None:
        if self.is_over:
            return
        now_s = time.monotonic()
        if self._due_s is None:  # not set yet: it is the one before us that rings
            self._ring_before(number, frame)
        elif self._outer_due_s is not None and self._outer_due_s <= now_s:
            self._outer_due_s = now_s + self._outer_every_s if self._outer_every_s else None
            next_s = self._due_s if self._outer_due_s is None else min(self._due_s, self._outer_due_s)
            signal.setitimer(signal.ITIMER_REAL, max(next_s - now_s, 1e-6))
            self._ring_before(number, frame)
        else:
            self.is_over = True
            raise TaskTimeout(owner=self._owner)

    def _ring_before(self, number: int, frame: Any) -> None:
        if callable(self._before):
            self._before(number, frame)
        elif self._before == signal.SIG_DFL:  # then the process was to be ended
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.raise_signal(number)
