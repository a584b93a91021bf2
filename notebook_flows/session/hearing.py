"""Ctrl-C while the main thread works for a run: it is raised in the code of a cell, and kept for later in our own."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_ITS_WAY_S = 1.0
"""How long a signal that was sent may take to arrive; it takes microseconds."""


class StepInterrupted(asyncio.CancelledError):
    """Raised in the midst of a step on the loop, which KeyboardInterrupt would end."""


class StepIsLate(StepInterrupted):
    """The same, where the time of the cell is up."""


class _Target:
    """What can be interrupted: the code of a cell, or a function that was posted for one.

    Attributes:
        who: whose it is.
        number: by which an interrupt that was meant for an earlier one is told apart.
        is_open: it goes on.
    """

    __slots__ = ("is_open", "number", "who")

    def __init__(self, who: object) -> None:
        self.who = who
        self.number = next(_numbers)
        self.is_open = True

    def is_meant(self, meant: list[tuple[object, int]]) -> bool:
        """Whether one of these interrupts is for it; None as its addressee: it is for all."""
        return any(who in {None, self.who} and self.number < number for who, number in meant)


_numbers = count()
_code: ContextVar[_Target | None] = ContextVar("notebook_flows_code", default=None)
_job: Hearing | None = None
"""Whose posted function the main thread runs."""


@contextmanager
def hears_interrupts(who: object) -> Iterator[None]:
    """Inside is the code of a cell, with all asyncio tasks that it begins: there interrupts are raised.

    Raises:
        KeyboardInterrupt: there has been one since the main thread has begun with this cell.
    """
    if _job is not None and threading.current_thread() is threading.main_thread():
        _job.look()
    code = _Target(who)
    token = _code.set(code)
    try:
        yield
    finally:
        code.is_open = False
        _code.reset(token)


class Hearing:
    """Stands for SIGINT in the main thread; elsewhere nothing changes.

    Wherever the signal arrives, one of these happens:

    - in the code of a cell that is alone on the main thread: KeyboardInterrupt is raised;
    - in the code of a cell that awaits, in the midst of a step on the loop: CancelledError is raised, for
      KeyboardInterrupt would end the loop; and the handler of before is called;
    - in a posted function, but not in the code of a cell: it is kept until the function is over, so that no outcome
      is lost;
    - elsewhere: the handler of before is called, which is the kernel's, and cancels the cell with `%flow run`.

    An interrupt that we have sent ourselves does nothing if it comes too late.

    Args:
        is_kernel: between two cells a kernel ignores SIGINT; while a run holds up its main thread, it is heard all the
            same. In a script that ignores it, it is not.

    Attributes:
        was_asked: a person wants the run to be stopped; for whoever serves it.
        hit: of whom a step on the loop was interrupted.
    """

    def __init__(self, *, is_kernel: bool) -> None:
        self.was_asked = False
        self._is_kernel = is_kernel
        self._before: Any = None
        self._depth = 0
        self._function: _Target | None = None
        self._has_begun = self._is_meant = False
        self.hit: set[object] = set()
        self._is_late = False
        self._sending = threading.Lock()
        self._meant: list[tuple[object, int]] = []
        self._sent = 0
        self._arrived = 0

    # -- on the main thread --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Stand for SIGINT, until as many calls of `end`."""
        if threading.current_thread() is threading.main_thread():
            self.stand()
            self._depth += 1

    def stand(self) -> None:
        """Stand for it again, if somebody else has taken the place: a kernel does so for each cell."""
        now = signal.getsignal(signal.SIGINT)
        owner = getattr(now, "__self__", None)
        if owner is self or now is None or threading.current_thread() is not threading.main_thread():
            return
        self._before = owner._before if isinstance(owner, Hearing) and not owner._depth else now
        signal.signal(signal.SIGINT, self._heard)

    def end(self) -> None:
        """Give its place back, if nobody else has taken it; what was sent has arrived before."""
        if threading.current_thread() is not threading.main_thread():
            return
        with self._sending:
            self._depth -= 1
        if self._depth:
            return
        until_s = time.monotonic() + ON_ITS_WAY_S
        while self._arrived != self._sent and time.monotonic() < until_s:
            time.sleep(0.001)  # nothing tells of a signal on its way but its handler, which runs between two lines here
        if getattr(signal.getsignal(signal.SIGINT), "__self__", None) is self:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def posted(self, who: object) -> Iterator[None]:
        """Inside runs a function that was posted for somebody."""
        global _job
        outer, self._function = _job, _Target(who)
        self._has_begun = self._is_meant = False
        try:
            _job = self
            self.begin()
            try:
                yield
            finally:
                self.end()
        finally:
            _job, self._function = outer, None

    def look(self) -> None:
        """The code of the cell is about to begin for which a function was posted.

        Raises:
            KeyboardInterrupt: it is not wanted any more.
        """
        self._has_begun = True
        if self.was_asked or self._is_meant:
            self._is_meant = False
            raise KeyboardInterrupt

    def raise_if_asked(self) -> None:
        """Tell, once, that a person wants the run to be stopped.

        Raises:
            KeyboardInterrupt: so it is.
        """
        if self.was_asked:
            self.was_asked = False
            raise KeyboardInterrupt

    # -- any thread ----------------------------------------------------------------------------------------------------

    def send(self, who: object, *, is_late: bool = False) -> None:
        """Interrupt what the main thread does, if it is somebody's; None: whosoever it is.

        Args:
            who: whose it has to be.
            is_late: for its time is up.
        """
        if not hasattr(signal, "pthread_kill"):
            return
        with self._sending:
            if self._depth and getattr(signal.getsignal(signal.SIGINT), "__self__", None) is self:
                self._is_late = is_late
                self._meant.append((who, next(_numbers)))
                self._sent += 1
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # -- the signal ----------------------------------------------------------------------------------------------------

    def _heard(self, number: int, frame: Any) -> None:
        if self._arrived != self._sent:
            meant, self._meant, self._arrived = self._meant, [], self._sent
            self._heard_ours(meant)
        elif self._before is not signal.SIG_IGN or (self._is_kernel and self._depth):
            self._heard_a_persons(number, frame)

    def _heard_ours(self, meant: list[tuple[object, int]]) -> None:
        code, function = _open_code(), self._function
        if code is not None and code.is_meant(meant):
            if function is not None:
                raise KeyboardInterrupt
            if _is_in_a_step():
                self.hit.add(code.who)
                raise StepIsLate if self._is_late else StepInterrupted
        elif function is not None and not self._has_begun and function.is_meant(meant):
            self._is_meant = True

    def _heard_a_persons(self, number: int, frame: Any) -> None:
        code = _open_code() if self._depth else None
        if self._depth and self._function is not None:
            self.was_asked = True
            if code is not None:
                raise KeyboardInterrupt
            return
        hit = code if code is not None and _is_in_a_step() else None
        self.was_asked = self.was_asked or hit is not None
        if callable(self._before):
            self._before(number, frame)
        if hit is not None:
            self.hit.add(hit.who)
            raise StepInterrupted


def _open_code() -> _Target | None:
    code = _code.get()
    return code if code is not None and code.is_open else None


def _is_in_a_step() -> bool:
    """Whether an asyncio task is being run just now; a signal finds the context variables of what it interrupts."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:  # no loop runs
        return False
