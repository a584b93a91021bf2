"""The kernel's main thread, lent to the engine: cells that other threads may not run, and cells that await."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from notebook_flows.session.hearing import Hearing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


LOOK_UP_S = 0.1


class MainLane:
    """Runs functions on the main thread, one after the other, and coroutines on its loop, side by side.

    Whoever waits for a run serves the lane meanwhile: `serve` where the loop is free, `serve_blocking` where it is
    not; then nothing can be awaited. A run in the background is served by the loop between two cells.

    Ctrl-C is raised in the code of cells, as `hearing.hears_interrupts` shows it; in functions that are posted it is
    kept until they are over.

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
        self._is_working = False
        self._hearing = Hearing(is_kernel=loop is not None)
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
            self._hearing.begin()
            task.add_done_callback(self._has_ended)

        self._loop.call_soon_threadsafe(begin)
        return True

    def interrupt_late(self, who: object) -> None:
        """Interrupt a step on the loop of somebody whose time is up, which the loop cannot tell while the step goes on."""
        self._hearing.send(who, is_late=True)

    def interrupt(self, who: object = None) -> None:
        """Interrupt what runs and what is awaited; only what is somebody's, if told."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_awaited, who)
        self._hearing.send(who)

    def has_interrupted(self, who: object) -> bool:
        """Whether a step on the loop was interrupted, of what is somebody's."""
        return who in self._hearing.hit

    def forget_interrupted(self, who: object) -> None:
        """It has ended."""
        self._hearing.hit.discard(who)

    def ask_to_stop(self) -> None:
        """As Ctrl-C does: whoever serves hears of it, after what is being done; any thread may ask."""
        self._hearing.was_asked = True
        self.wake_up()

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether somebody has pressed Ctrl-C, and whoever serves has not heard of it yet."""
        return self._hearing.was_asked

    def _cancel_awaited(self, who: object) -> None:
        for task, whose in tuple(self._awaited.items()):
            if who in {None, whose}:
                task.cancel()

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        self._awaited.pop(task)
        self._hearing.end()

    # -- on the main thread --------------------------------------------------------------------------------------------

    async def serve(self, ended: asyncio.Event) -> None:
        """Run what is posted until the event is set; the loop stays free between two functions.

        It looks up now and then, for a kernel's Ctrl-C cancels the coroutine without waking the loop.

        Raises:
            KeyboardInterrupt: Ctrl-C has reached the code of a cell, or one of our functions.
        """
        ending = asyncio.ensure_future(ended.wait())
        self._hearing.begin()
        try:
            while not ended.is_set():
                self._bell = asyncio.Event()  # before the look, so that what is posted after it rings
                if not self._is_busy():
                    self._hearing.stand()
                self.run_waiting()
                ringing = asyncio.ensure_future(self._bell.wait())
                try:
                    await asyncio.wait([ending, ringing], timeout=LOOK_UP_S, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ringing.cancel()
            self.run_waiting()
        finally:
            ending.cancel()
            self._bell = None
            self._hearing.end()

    def serve_blocking(self, has_ended: Callable[[], bool]) -> None:
        """Run what is posted until the end is told by `wake_up`; the thread's loop, if there is one, stands still.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        self.can_await = False
        while not has_ended():
            self.run_waiting()
            with self._changed:
                if not self._waiting and not has_ended() and not self._hearing.was_asked:
                    self._changed.wait(0.5)
        self.run_waiting()

    def wake_up(self) -> None:
        """Let whoever serves look whether it is over."""
        with self._changed:
            self._changed.notify_all()
        self._wake()

    def run_waiting(self) -> None:
        """Run what waits now; only on the main thread.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile; what ran then is over.
        """
        self._hearing.raise_if_asked()
        while self._waiting and not self._is_working:
            self._is_working = True
            try:
                self._run_next()
            finally:
                self._is_working = False
            self._hearing.raise_if_asked()

    def _run_next(self) -> None:
        with self._changed:
            who = self._waiting[0][1] if self._waiting else None
        with self._hearing.posted(who):  # it is taken when Ctrl-C can hit it no more
            with self._changed:
                function = self._waiting.popleft()[0] if self._waiting else None
            if function is not None:
                function()

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
        else:  # a run in the background: nobody serves, the loop does it between two cells
            with suppress(KeyboardInterrupt):  # the cell that it was raised in has heard it; here it would end the loop
                self.run_waiting()
            if self._waiting and not self._is_working:
                assert self._loop is not None
                self._loop.call_soon(self._ring)
