"""How a run of a notebook is stopped from another thread of this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StopSignal:
    """Handed to a run; whoever keeps it may end the run as cancelled, from any thread.

    Attributes:
        reason: why the run is to stop; empty as long as it is not.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._lock = threading.Lock()
        self._hear: list[Callable[[str], None]] = []

    def ask(self, reason: str) -> None:
        """Let the run stop; only the first reason counts."""
        with self._lock:
            if self.reason:
                return
            self.reason = reason
            hear = tuple(self._hear)
        for one in hear:
            one(reason)

    def on_ask(self, hear: Callable[[str], None]) -> None:
        """Call this when the run is to stop: at once if that was asked already."""
        with self._lock:
            self._hear.append(hear)
            reason = self.reason
        if reason:
            hear(reason)
