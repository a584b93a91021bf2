"""Attempts in the engine's own thread, one after the other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform
from notebook_flows.executors.calls import ended_without, links_of, next_link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox


class LocalExecutor:
    """Runs each call when the engine asks it to `work`: no threads, no copies, plain tracebacks and debuggers.

    A segment is followed one link for each `work`, so that the engine looks around in between.
    """

    name = "local"
    workers = 1
    works_here = True
    is_remote = False
    takes_segments = True

    _inbox: Inbox

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._waiting.clear()
        self._inbox = inbox

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._waiting.append(call)

    def work(self) -> bool:
        """Run one waiting call in the calling thread; False where there is none.

        Raises:
            KeyboardInterrupt: the user's; the call that it hit has ended CANCELLED.
        """
        if not self._waiting:
            return False
        call = self._waiting.popleft()
        try:
            outcome = perform(call)
        except BaseException as error:
            self._inbox.put(ended_without(call, S.CANCELLED, f"Interrupted by {type(error).__name__}."))
            raise
        if call.then is not None and (then := next_link(call, outcome)) is not None:
            self._waiting.appendleft(then)
        self._inbox.put(outcome)
        return True

    def cancel(self, ref: int, attempt: int) -> bool:
        """Stop one attempt that has not begun: CANCELLED will come."""
        for head in self._waiting:
            for link in links_of(head):
                if link.ref == ref and link.attempt == attempt:
                    self._cut(head, link)
                    self._inbox.put(ended_without(link, S.CANCELLED, "Cancelled before it began."))
                    return True
        return False

    def _cut(self, head: Call, link: Call) -> None:
        """Take a link, and those after it, off what waits."""
        if head is link:
            self._waiting.remove(head)
            return
        before = next(one for one in links_of(head) if one.then is link)
        before.then = None

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """Drop what waits; nothing can still be running."""
        dropped = [link for head in self._waiting for link in links_of(head)]
        self._waiting.clear()
        if dropped:
            self._inbox.put_many([ended_without(link, S.CANCELLED, "The run has stopped.") for link in dropped])
        return ()
