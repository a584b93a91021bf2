"""Ctrl-C, so that it interrupts the user's code at once, and the engine's own only between two steps."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Interrupts:
    """Stands for SIGINT while a run is on, in the main thread; elsewhere nothing changes.

    Attributes:
        in_user_code: the engine has gone into a task, where Ctrl-C is raised at once.
        asked: Ctrl-C was pressed while the engine was at work; it stops at its next step.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.in_user_code = False
        self.asked = False
        self._wake = wake
        self._before: Any = None
        self._is_set = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # SIG_IGN and SIG_DFL stay what somebody has made them
                self._before = signal.signal(signal.SIGINT, self._interrupted)
                self._is_set = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_set:
            signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, number: int, frame: Any) -> None:
        if self.in_user_code or self.asked:
            self.asked = True
            self._before(number, frame)  # Python's own raises KeyboardInterrupt; somebody else's does what they want
            return
        self.asked = True
        self._wake()
