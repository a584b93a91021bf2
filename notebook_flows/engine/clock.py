"""The machine's own clocks."""

from __future__ import annotations

import time


class SystemClock:
    """Fits `engine.ports.Clock`."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds since some moment; never jumps."""
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        """Wait; Ctrl-C ends it."""
        time.sleep(seconds)
