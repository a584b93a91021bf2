"""Follows a run by reading the history, and shows it on a picture that was not there when the run began."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.state import State
    from notebook_flows.session.kernelrun import KernelRun
    from notebook_flows.session.shownpicture import Following, ShownPicture
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


class LateFollowing:
    """Shows a run of this kernel that was begun before the picture.

    Args:
        following: shows it.
        stored: the run.
    """

    def __init__(self, following: Following, stored: StoredRun) -> None:
        self._following = following
        self._stored = stored
        following(stored.run, stored.first)
        self._tail = Tail(stored, lambda events: following(stored.run, events), lambda: None)

    def finish(self, state: State | None = None) -> None:
        """The run has ended, and all of it is recorded."""
        self._tail.stop()
        try:
            events = self._stored.new_events()
        except FlowError:  # the history cannot be read: the end is missing on this picture
            logging.getLogger(__name__).warning("The end of the run could not be read.", exc_info=True)
        else:
            if events:
                self._following(self._stored.run, events)
        self._following.finish(state)


def show_late(shown: ShownPicture, run: KernelRun) -> None:
    """Show a run of this kernel that goes on, if the history has it, on a picture that was made meanwhile."""
    from notebook_flows.session.storedrun import run_called

    stored = run_called(run.run_id)
    following = shown.follow(run.keys, run.run_id) if stored is not None else None
    if stored is not None and following is not None:
        run.followers.append(LateFollowing(following, stored))
