"""The time that a cell may take, counted while it runs and not while it waits for other cells."""

from __future__ import annotations

import asyncio


class TimeLimit:
    """A clock on the running loop; it stands until `go_on`.

    Args:
        limit_s: how long the cell may take; None: as long as it likes.

    Attributes:
        is_up: done when the time is up.
    """

    def __init__(self, limit_s: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_up: asyncio.Future[None] = self._loop.create_future()
        self._left_s = limit_s
        self._bell: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        """Time passes."""
        if self._left_s is not None and self._bell is None and not self.is_up.done():
            self._bell = self._loop.call_later(self._left_s, self.is_up.set_result, None)

    def stop(self) -> None:
        """Time stands still."""
        if self._bell is not None and not self.is_up.done():
            self._left_s = max(self._bell.when() - self._loop.time(), 0.0)
            self._bell.cancel()
        self._bell = None
