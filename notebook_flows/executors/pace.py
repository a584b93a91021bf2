"""How many calls a worker process is given at once: many short ones, one of those that take their time."""

from __future__ import annotations

BATCH_S = 0.005
"""How much work a worker is given at once: several calls where calls are shorter than this."""
OVERHEAD_S = 50e-6
"""What a call costs at least."""
BATCH_COUNT = 64
BATCH_BYTES = 128 * 1024


class Pace:
    """What is known of how long calls take: quick to believe that they are long, slower that they are short."""

    def __init__(self) -> None:
        self._each_s: float | None = None

    def learn(self, elapsed_s: float) -> None:
        """A call has taken so long."""
        self._each_s = max(elapsed_s, 0.8 * (self._each_s or 0.0), OVERHEAD_S)

    def batch_count(self, waiting: int, workers: int) -> int:
        """How many of the calls that wait one worker is given now.

        Args:
            waiting: how many wait; the others get their share of them.
            workers: how many workers there may be.

        >>> pace = Pace()
        >>> pace.batch_count(1000, 2)
        1
        >>> pace.learn(0.0001)
        >>> pace.batch_count(1000, 2), pace.batch_count(8, 2)
        (50, 2)
        """
        if self._each_s is None:
            return 1
        fair = -(-waiting // (2 * workers))
        return max(1, min(BATCH_COUNT, fair, int(BATCH_S / self._each_s)))
