"""Follows a run of another process by reading the history, and shows it on a picture."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.session.storedrun import StoredRun

LOOK_EVERY_S = 0.2
LIVES_EVERY = 15
"""After so many looks it is seen to whether its process lives."""


class Tail:
    """One run that is followed, in a thread of its own, until it ends or nobody looks any more.

    Args:
        stored: the run.
        tell: gets new events, in order.
        end: called when the run has ended; not if `stop` was called before.
    """

    def __init__(self, stored: StoredRun, tell: Callable[[Sequence[Event]], None], end: Callable[[], None]) -> None:
        self._stored = stored
        self._tell = tell
        self._end = end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="notebook-flows-tail", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; nothing is told after this returns, unless it is called by what is told."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _follow(self) -> None:
        looks = 0
        while not self._stored.is_over:
            if self._stopping.wait(LOOK_EVERY_S):
                return
            looks += 1
            try:
                if looks % LIVES_EVERY == 0:
                    self._stored.look_whether_it_lives()
                events = self._stored.new_events()
            except FlowError:  # a history that cannot be read for a moment; it is looked at again
                logging.getLogger(__name__).info("The run could not be read.", exc_info=True)
                continue
            if events:
                self._tell(events)
        if not self._stopping.is_set():
            self._end()
