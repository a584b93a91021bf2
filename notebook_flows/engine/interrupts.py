"""Ctrl-C, so that it interrupts the user's code at once, and the engine's own only between two steps."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Interrupts:
    """Stands for SIGINT while a run is on, in the main thread; elsewhere nothing changes.

    Whether Ctrl-C stops the run is for the handler to say that it finds there, and asks at once: Python's own raises
    KeyboardInterrupt, somebody else's may raise something of their own, or nothing: then the run goes on.

    Attributes:
        in_user_code: the engine has gone into a task or a handler, where Ctrl-C is raised at once.
        asked: Ctrl-C was pressed, and the handler of before has raised something for it; the engine stops at its next
            step, and raises when all is recorded.
        is_winding_up: the end is being recorded, in bounded time: Ctrl-C only sets ``asked``.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.in_user_code = False
        self.asked = False
        self.is_winding_up = False
        self._wake = wake
        self._before: Any = None
        self._raised: BaseException | None = None
        self._is_set = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # SIG_IGN and SIG_DFL stay what somebody has made them
                self._before = signal.signal(signal.SIGINT, self._interrupted)
                self._is_set = True
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._is_set:
            signal.signal(signal.SIGINT, self._before)
        raised, self._raised = self._raised, None
        if kind is None and raised is not None and not isinstance(raised, KeyboardInterrupt):
            raise raised  # the exception of a handler of the user's own, now that all is recorded

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
