"""Who runs in threads of a kernel that a client drives, and who waits to be alone."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from notebook_flows.session.mainlane import MainLane

if TYPE_CHECKING:
    from collections.abc import Callable


class Floor:
    """Who runs in threads now; whoever has to be alone waits until nobody does."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._inside: set[tuple[str, int]] = set()
        self._waiting: list[Callable[[], None]] = []
        self._main: MainLane | None = None

    def take_the_loop(self) -> None:
        """The calling thread is the main one; its loop runs what has to be alone, between two requests."""
        if self._main is None:
            self._main = MainLane(asyncio.get_running_loop())

    def enter(self, who: tuple[str, int]) -> None:
        """An attempt begins in a thread."""
        with self.changed:
            self._inside.add(who)

    def leave(self, who: tuple[str, int]) -> None:
        """It has ended, or waits to be alone."""
        with self.changed:
            self._inside.discard(who)
            self.changed.notify_all()
            has_waiting = bool(self._waiting)
        if has_waiting and self._main is not None:
            self._main.post(self._serve)

    def alone(self, who: tuple[str, int], make: Callable[[], Any]) -> Any:
        """Call a function on the main thread while nobody is inside; for one who is.

        Raises:
            BaseException: what the function raises.
        """
        if threading.current_thread() is threading.main_thread():
            self.wait_until_empty()
            return make()
        found: list[Any] = []
        raised: list[BaseException] = []
        is_made = threading.Event()

        def job() -> None:
            try:
                found.append(make())
            except BaseException as error:  # raised again where it is waited for
                raised.append(error)
            finally:
                self.enter(who)
                is_made.set()

        with self.changed:
            self._waiting.append(job)
        self.leave(who)
        is_made.wait()
        if raised:
            raise raised[0]
        return found[0]

    @property
    def is_empty(self) -> bool:
        """Whether whoever asks on the main thread would not wait; there all begin, so that it stays true."""
        with self.changed:
            return not self._inside and not self._waiting

    def wait_until_empty(self) -> None:
        """On the main thread: return when nobody is inside; whoever waits to be alone is served meanwhile."""
        while True:
            with self.changed:
                if not self._inside and not self._waiting:
                    return
                if self._inside:
                    self.changed.wait()
            self._serve()

    def _serve(self) -> None:
        with self.changed:
            if self._inside or not self._waiting:
                return  # whoever leaves last looks again
            job = self._waiting.pop(0)
        job()
