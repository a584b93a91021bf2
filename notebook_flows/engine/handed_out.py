"""Which task runs an executor has, in which order, and which of them follow one another on one worker."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class HandedOut:
    """What the executor, and the lane of async tasks, have of a run.

    Attributes:
        in_lane: task runs on the lane; they take no worker.
    """

    def __init__(self) -> None:
        self.in_lane: set[int] = set()
        self._waiting: dict[int, int | None] = {}
        self._next: dict[int, int] = {}
        self._taken_over: dict[int, None] = {}

    def add(self, number: int, at_us: int, workers: int) -> None:
        """The executor has it from this moment on; of so many workers one begins with it at once, if any is free."""
        is_begun = len(self._waiting) + len(self._taken_over) < workers
        self._waiting[number] = at_us if is_begun else None

    def followed_by(self, number: int, following: int) -> None:
        """They go to one worker: once the first has succeeded, it goes on with the other."""
        self._next[number] = following

    def came_back(self, number: int, *, has_succeeded: bool) -> None:
        """It has ended; its worker has gone on with what follows it, or has dropped that."""
        if self.in_lane:
            self.in_lane.discard(number)
        if number in self._taken_over:
            del self._taken_over[number]
        else:
            self._waiting.pop(number, None)
        if not self._next:
            return
        following = self._next.pop(number, None)
        if following is not None:
            if has_succeeded:
                self._taken_over[following] = None
            else:
                self._drop(following)

    def _drop(self, number: int) -> None:
        following: int | None = number
        while following is not None:
            following = self._next.pop(following, None)

    def likely_begun(self, workers: int) -> Iterator[tuple[int, int | None]]:
        """What so many workers have had the time to begin, and when they have, where that is known."""
        free = max(workers - len(self._taken_over), 0)
        yield from ((number, None) for number in self._taken_over)
        yield from islice(self._waiting.items(), free)
