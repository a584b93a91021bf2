"""The machine's own clocks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_flows.engine.bell import Bell


class SystemClock:
    """Fits `engine.ports.WaitingClock`."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds since some moment; never jumps."""
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        """Wait; Ctrl-C ends it."""
        time.sleep(seconds)

    def wait(self, bell: Bell, until_s: float | None, *, look_s: float) -> None:
        """Wait until the bell rings or the time has come."""
        bell.wait(look_s if until_s is None else min(until_s, look_s))
