"""Lets one cell of a run be alone: it waits until no other runs, and no other begins meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.session.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from notebook_flows.session.mainlane import MainLane

LOOK_S = 0.5
"""How often whoever waits for the main thread looks whether the run is over."""


class RunIsOver(FlowError):  # noqa: N818 - the sentence that people read
    """The run has ended before a cell had its turn."""

    def __str__(self) -> str:
        return "The run has ended before this cell could run."


class Turns:
    """Who runs now.

    Args:
        main: where a cell that is alone is made.
    """

    def __init__(self, main: MainLane) -> None:
        self._main = main
        self._changed = threading.Condition(threading.RLock())
        self._running: dict[object, int] = {}
        self._alone: list[object] = []
        self._is_closed = False

    def begin(self, who: object) -> None:
        """A cell begins; waits while another is alone, or wants to be.

        On the main thread it does not wait, for others wait for that: whoever runs there has had its turn before. And
        a cell that has begun and begins again does not wait: whoever wants to be alone waits for it.
        """
        is_main = threading.current_thread() is threading.main_thread()
        with self._changed:
            if self._has_to_wait(who) and not is_main:
                with waiting():
                    while self._has_to_wait(who):
                        self._changed.wait()
            self._running[who] = self._running.get(who, 0) + 1

    def begins_at_once(self, who: object) -> bool:
        """The cell begins, if it need not wait; else False."""
        with self._changed:
            if self._has_to_wait(who):
                return False
            self.begin(who)
            return True

    def end(self, who: object) -> None:
        """A cell has ended, or was given up."""
        with self._changed:
            if self._running.pop(who, None) is not None:
                self._changed.notify_all()

    @contextmanager
    def hold(self, who: object) -> Iterator[None]:
        """Inside, no other cell of the run is running; waits for that. Not on the main thread.

        Raises:
            RunIsOver: it has ended meanwhile.
        """
        with self._changed:
            self._alone.append(who)
            self._changed.notify_all()  # it may have begun: who wants to be alone before it waits for it no longer
            try:
                while not self._is_closed and (self._alone[0] is not who or self._others_run(who)):
                    self._changed.wait()
                if self._is_closed:
                    raise RunIsOver
            except BaseException:
                self._leave(who)
                raise
        try:
            yield
        finally:
            with self._changed:
                self._leave(who)

    def alone(self, who: object, make: Callable[[], Any]) -> Any:
        """Call a function on the main thread, while no other cell of the run is running.

        Raises:
            BaseException: what the function raises.
            RunIsOver: the run has ended meanwhile.
        """
        if threading.current_thread() is threading.main_thread():
            return make()
        with self.hold(who):
            return self._made(make, who)

    def wait_for(self, done: threading.Event) -> None:
        """Wait for something that the main thread does.

        Raises:
            RunIsOver: it will not do it any more.
        """
        while not done.wait(LOOK_S):
            if self._is_closed:
                raise RunIsOver

    def close(self) -> None:
        """The run is over: nobody waits any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_to_wait(self, who: object) -> bool:
        has_turn = who in self._alone or who in self._running
        return bool(self._alone) and not has_turn and not self._is_closed

    def _others_run(self, who: object) -> bool:
        return any(one is not who and one not in self._alone for one in self._running)

    def _leave(self, who: object) -> None:
        self._alone.remove(who)
        self._changed.notify_all()

    def _made(self, make: Callable[[], Any], who: object) -> Any:
        ended = threading.Event()
        found: list[Any] = []
        raised: list[BaseException] = []

        def on_main() -> None:
            try:
                found.append(make())
            except BaseException as error:  # raised again where it is waited for
                raised.append(error)
            finally:
                ended.set()

        if not self._main.post(on_main, who=who):
            raise RunIsOver
        self.wait_for(ended)
        if raised:
            raise raised[0]
        return found[0]
