"""Where outcomes arrive from any thread, and where the engine waits for them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from notebook_flows.engine.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.engine.call import LogLine, Outcome
    from notebook_flows.engine.ports import WaitingClock


class WaitingInbox:
    """A queue whose ``put`` costs a lock only while the engine sleeps.

    Attributes:
        interrupted: somebody has asked for the run to be stopped, as Ctrl-C asks in the main thread.
        attached: artifacts that have arrived, each before the outcome of its attempt.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self.arrived: deque[Outcome] = deque()
        self.attached: deque[LogLine] = deque()
        self._sleeps = False
        self._bell = Bell()

    def put(self, outcome: Outcome) -> None:
        """Hand one outcome over, and wake the engine."""
        self.arrived.append(outcome)
        if self._sleeps:
            self._bell.set()

    def put_many(self, outcomes: Sequence[Outcome]) -> None:
        """Hand several over at once."""
        self.arrived.extend(outcomes)
        if self._sleeps:
            self._bell.set()

    def attach(self, lines: Sequence[LogLine]) -> None:
        """Hand artifacts over."""
        self.attached.extend(lines)
        if self._sleeps:
            self._bell.set()

    def wake(self) -> None:
        """Wake the engine without an outcome."""
        self._bell.set()

    def interrupt(self) -> None:
        """Stop the run, as Ctrl-C does where the engine has the main thread."""
        self.interrupted = True
        self._bell.set()

    def take(self) -> Outcome | None:
        """The next outcome, or None."""
        return self.arrived.popleft() if self.arrived else None

    def is_empty(self) -> bool:
        """Whether nothing has arrived."""
        return not self.arrived

    def wait(self, timeout_s: float | None) -> None:
        """Sleep until something arrives, somebody wakes us, or the time is up."""
        self._sleep(lambda bell: bell.wait(timeout_s))

    def wait_by(self, clock: WaitingClock, until_s: float | None, *, look_s: float) -> None:
        """The same while nothing is under way, by a clock that may be one of a test's."""
        self._sleep(lambda bell: clock.wait(bell, until_s, look_s=look_s))

    def _sleep(self, wait: Callable[[Bell], object]) -> None:
        self._sleeps = True
        try:
            if not self.arrived and not self.attached:
                wait(self._bell)
        finally:
            self._sleeps = False
            self._bell.clear()
