"""The kernel's main thread, lent to the engine: cells that other threads may not run, and cells that await."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


LOOK_UP_S = 0.1


class MainLane:
    """Runs functions on the main thread, one after the other, and coroutines on its loop, side by side.

    Whoever waits for a run serves the lane meanwhile: `serve` where the loop is free, `serve_blocking` where it is
    not; then nothing can be awaited. A run in the background is served by the loop between two cells.

    Args:
        loop: the kernel's; None where there is none, as in a script.
        is_busy: whether the main thread is in the midst of a cell, where a run in the background has to wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None, *, is_busy: Callable[[], bool] = lambda: False) -> None:
        self._loop = loop
        self._is_busy = is_busy
        self._waiting: deque[tuple[Callable[[], None], object]] = deque()
        self._changed = threading.Condition()
        self._awaited: dict[asyncio.Task[None], object] = {}
        self._is_closed = False
        self._now: tuple[Callable[[], None], object] | None = None
        self._interrupted: tuple[Callable[[], None], object] | None = None
        self.can_await = loop is not None

    def post(self, function: Callable[[], None], *, who: object = None) -> bool:
        """Have a function run on the main thread soon, for somebody; False if the lane is closed. It must not raise."""
        with self._changed:
            if self._is_closed:
                return False
            self._waiting.append((function, who))
            self._changed.notify_all()
        self._wake()
        return True

    def post_coroutine(self, make: Callable[[], Coroutine[Any, Any, None]], *, who: object = None) -> bool:
        """Have a coroutine run on the main thread's loop, for somebody; False if there is none, or the lane is closed."""
        if self._loop is None or not self.can_await or self._is_closed:
            return False

        def begin() -> None:
            assert self._loop is not None
            task = self._loop.create_task(make())
            self._awaited[task] = who
            task.add_done_callback(self._awaited.pop)

        self._loop.call_soon_threadsafe(begin)
        return True

    def interrupt(self, who: object = None) -> None:
        """Raise KeyboardInterrupt in what the lane runs now, and cancel what is awaited; only what is somebody's, if told."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_awaited, who)
        if not hasattr(signal, "pthread_kill"):
            return
        with self._changed, suppress(OSError):
            now = self._now
            if now is not None and who in {None, now[1]}:
                self._interrupted = now
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _cancel_awaited(self, who: object) -> None:
        for task, whose in tuple(self._awaited.items()):
            if who in {None, whose}:
                task.cancel()

    # -- on the main thread --------------------------------------------------------------------------------------------

    async def serve(self, ended: asyncio.Event) -> None:
        """Run what is posted until the event is set; the loop stays free between two functions.

        It looks up now and then, for a kernel's Ctrl-C cancels the coroutine without waking the loop.
        """
        ending = asyncio.ensure_future(ended.wait())
        try:
            while not ended.is_set():
                self._bell = asyncio.Event()  # before the look, so that what is posted after it rings
                self.run_waiting()
                ringing = asyncio.ensure_future(self._bell.wait())
                try:
                    await asyncio.wait([ending, ringing], timeout=LOOK_UP_S, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ringing.cancel()
        finally:
            ending.cancel()
            self._bell = None
        self.run_waiting()

    def serve_blocking(self, has_ended: Callable[[], bool]) -> None:
        """Run what is posted until the end is told by `wake_up`; the thread's loop, if there is one, stands still."""
        self.can_await = False
        while not has_ended():
            self.run_waiting()
            with self._changed:
                if not self._waiting and not has_ended():
                    self._changed.wait(0.5)
        self.run_waiting()

    def wake_up(self) -> None:
        """Let whoever serves look whether it is over."""
        with self._changed:
            self._changed.notify_all()
        self._wake()

    def run_waiting(self) -> None:
        """Run what waits now; only on the main thread."""
        while True:
            with self._changed:
                if not self._waiting or self._now is not None:
                    return
                self._now = now = self._waiting.popleft()
            try:
                with _interruptible():
                    try:
                        now[0]()
                    finally:
                        with self._changed:  # from here on nobody interrupts it
                            self._now = None
            except KeyboardInterrupt:
                if self._interrupted is not now:  # Ctrl-C; else it was meant for what has just ended
                    raise
            finally:
                self._now = None

    def close(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()

    _bell: asyncio.Event | None = None

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()
        elif self._is_busy():
            assert self._loop is not None
            self._loop.call_later(LOOK_UP_S, self._ring)
        else:
            self.run_waiting()  # a run in the background: nobody serves, the loop does it between two cells


@contextmanager
def _interruptible() -> Iterator[None]:
    """Inside, Ctrl-C raises: a kernel's own handler, while a cell awaits, would only cancel what awaits."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is None or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
