"""Ctrl-C, so that it interrupts the user's code at once, and the engine's own only between two steps."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ON_ITS_WAY_S = 1.0
"""How long a signal that was sent may take to arrive; it takes microseconds."""


class CancelAsked(KeyboardInterrupt):
    """Raised in the user's code in the main thread, when its run is to be cancelled; it ends at the engine of that run."""


class Interrupts:
    """Stands for SIGINT while a run is on, in the main thread; elsewhere nothing changes.

    Any thread may have the run cancelled: the user's code is interrupted by the same signal, and never what comes after
    the run: the signal is sent only while this object stands for it, and it goes when no signal is on its way any more.

    Whether Ctrl-C stops the run is for the handler to say that it finds there, and asks at once: Python's own raises
    KeyboardInterrupt, somebody else's may raise something of their own, or nothing: then the run goes on.

    Attributes:
        in_user_code: the engine has gone into a task or a handler, where Ctrl-C is raised at once.
        asked: Ctrl-C was pressed, and the handler of before has raised something for it; the engine stops at its next
            step, and raises when all is recorded.
        is_winding_up: the end is being recorded, in bounded time: Ctrl-C only sets ``asked``.
        cancel_reason: why the run is to be cancelled; empty while it is not.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.in_user_code = False
        self.asked = False
        self.is_winding_up = False
        self.cancel_reason = ""
        self._wake = wake
        self._before: Any = None
        self._raised: BaseException | None = None
        self._is_set = False
        self._sending = threading.Lock()
        self._sent = 0
        self._arrived = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # SIG_IGN and SIG_DFL stay what somebody has made them
                self._before = signal.signal(signal.SIGINT, self._interrupted)
                self._is_set = True
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._is_set:
            with self._sending:
                self._is_set = False
            self._await_signal()
            signal.signal(signal.SIGINT, self._before)
        raised, self._raised = self._raised, None
        if kind is None and raised is not None and not isinstance(raised, KeyboardInterrupt):
            raise raised  # the exception of a handler of the user's own, now that all is recorded

    def _await_signal(self) -> None:
        """Let a signal that was sent arrive here, and not where it would interrupt what comes after the run."""
        until_s = time.monotonic() + ON_ITS_WAY_S
        while self._arrived != self._sent and time.monotonic() < until_s:
            time.sleep(0.001)

    def cancel(self, reason: str) -> None:
        """Have the run end as cancelled; any thread may ask for it, and does not wait."""
        self.cancel_reason = self.cancel_reason or reason
        self._wake()
        with self._sending:
            is_on_its_way = self._sent != self._arrived
            if self._is_set and self.in_user_code and not self.is_winding_up and not is_on_its_way:
                self._sent += 1
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    @property
    def said(self) -> str:
        """What the handler of before has said of it, such as that it was SIGTERM; mostly nothing."""
        return str(self._raised) if isinstance(self._raised, KeyboardInterrupt) else ""

    @contextmanager
    def user_code(self) -> Iterator[None]:
        """Inside, the user's code runs in the engine's thread."""
        was_in = self.in_user_code
        self.in_user_code = True
        try:
            yield
        finally:
            self.in_user_code = was_in

    def _interrupted(self, number: int, frame: Any) -> None:
        if self._arrived != self._sent:
            self._arrived = self._sent
            if self.in_user_code and not self.is_winding_up:
                raise CancelAsked(self.cancel_reason)
            return
        at_once = self.in_user_code or (self.asked and not self.is_winding_up)
        try:
            self._before(number, frame)
            if _is_asyncios(self._before):
                raise KeyboardInterrupt
        except BaseException as error:
            self.asked = True
            if at_once:
                raise
            self._raised = error
            self._wake()


def _is_asyncios(handler: Any) -> bool:
    """Whether `asyncio.run` has put this handler there."""
    return str(getattr(getattr(handler, "func", handler), "__module__", "")).startswith("asyncio")
