"""How long to rest before a task is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often a task is tried, and the rests in between.

    Attributes:
        attempts: tries in all, 1 or more; 1 means no retry.
        delays: the rest after the first, second... try; the last one stands for all further ones.
        jitter: the share of a rest by which luck may lengthen it: 0.5 means up to half as long again.
    """

    attempts: int = 1
    delays: tuple[timedelta, ...] = (timedelta(0),)
    jitter: float = 0.0

    def delay_after(self, attempt: int, *, luck: float) -> timedelta | None:
        """The rest after this try, or None when it was the last.

        Args:
            attempt: 1 for the first try.
            luck: 0 to 1, thrown by the caller.

        >>> RetryPolicy(attempts=3, delays=(timedelta(seconds=1), timedelta(seconds=5))).delay_after(2, luck=0.0)
        datetime.timedelta(seconds=5)
        """
        if attempt >= self.attempts:
            return None
        delay = self.delays[min(attempt, len(self.delays)) - 1]
        return delay * (1 + self.jitter * luck)


def exponential_backoff(
    first: timedelta, *, factor: float = 2.0, retries: int, longest: timedelta
) -> Sequence[timedelta]:
    """Rests that grow by ``factor`` up to ``longest``, to be given as ``retry_delay``.

    >>> exponential_backoff(timedelta(seconds=1), retries=4, longest=timedelta(seconds=5))[-1].total_seconds()
    5.0
    """
    rests: list[timedelta] = []
    rest_s, longest_s = first.total_seconds(), longest.total_seconds()
    for _ in range(retries):
        rests.append(timedelta(seconds=min(rest_s, longest_s)))
        rest_s = min(rest_s * factor, longest_s)  # and no further: powers soon leave what a timedelta can hold
    return rests
