"""A clock that a test turns, or that turns itself when somebody waits by it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_flows.engine.bell import Bell

BEGINNING = datetime(2021, 1, 1, tzinfo=UTC)
"""When a fake clock begins, unless told otherwise."""
GLANCE_S = 0.001
"""How long a wait for nothing but a bell lasts in real time, before fake time goes on."""


class FakeClock:
    """Fits `engine.ports.WaitingClock`; any thread may use it.

    While tasks run, its time stands still: how long they really take changes nothing.

    Args:
        start: the first moment; aware. 1 January 2021, UTC, unless given.
        turns_itself: who waits by it finds that the time has come, at once. Else only `advance` and `set` turn it,
            and whoever waits does wait until another thread calls them.

    >>> clock = FakeClock()
    >>> clock.sleep_s(3600)
    >>> clock.now()
    datetime.datetime(2021, 1, 1, 1, 0, tzinfo=datetime.timezone.utc)
    """

    def __init__(self, start: datetime = BEGINNING, *, turns_itself: bool = True) -> None:
        if start.tzinfo is None:
            raise ValueError(f"{start!r} has no time zone; give datetime(..., tzinfo=UTC).")
        self._us = round(start.timestamp() * 1e6)
        self._elapsed_us = 0
        self._turns_itself = turns_itself
        self._turned = threading.Condition()
        self._bells: list[Bell] = []

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._us)

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return self._us

    def monotonic_s(self) -> float:
        """Seconds since the first moment; `set` does not change them."""
        return self._elapsed_us / 1e6

    @property
    def elapsed_s(self) -> float:
        """Seconds that have passed since the first moment."""
        return self._elapsed_us / 1e6

    def advance(self, by: timedelta | float) -> None:
        """Let so much time pass; a number is seconds, 0 or more. Wakes whoever waits."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        if seconds < 0:
            raise ValueError(f"Time does not run backwards; to set the clock back, use `set`. Not {seconds} s.")
        with self._turned:
            self._us += round(seconds * 1e6)
            self._elapsed_us += round(seconds * 1e6)
            self._ring()

    def set(self, moment: datetime) -> None:
        """Set it, as a person or a time server may, back too; no time passes. Wakes whoever waits."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment!r} has no time zone; give datetime(..., tzinfo=UTC).")
        with self._turned:
            self._us = round(moment.timestamp() * 1e6)
            self._ring()

    def _ring(self) -> None:
        self._turned.notify_all()
        for bell in self._bells:
            bell.set()

    def sleep_s(self, seconds: float) -> None:
        """Let the time pass, or wait until somebody does."""
        if self._turns_itself:
            self.advance(max(seconds, 0.0))
            return
        until_us = self._elapsed_us + round(seconds * 1e6)
        with self._turned:
            self._turned.wait_for(lambda: self._elapsed_us >= until_us)

    def wait(self, bell: Bell, until_s: float | None, *, look_s: float) -> None:
        """Let the time come, unless the bell has been rung; or wait until somebody turns the clock or rings."""
        if not self._turns_itself:
            with self._turned:
                self._bells.append(bell)
            bell.wait(look_s)
            with self._turned:
                self._bells.remove(bell)
        elif until_s is None:
            if not bell.wait(GLANCE_S):
                self.advance(look_s)
        elif not bell.is_set():
            self.advance(until_s)

    def __repr__(self) -> str:
        return f"<FakeClock: {self.now().isoformat()}>"
