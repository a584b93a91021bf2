"""An executor without threads, in which a test decides who is next."""

from __future__ import annotations

from collections import deque
from copy import copy
from random import Random
from time import time_ns
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform
from notebook_flows.engine.call import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Clock, Inbox


class InlineExecutor:
    """Runs attempts in the calling thread, as if by several workers: the same order in every run of the test.

    Args:
        workers: how many attempts may be under way side by side.
        seed: for a random order of attempts and of the arrival of their outcomes, the same for the same seed.
        pick: chooses which of the calls under way, oldest first, goes on now; gives its place in the list.
        clock: tells when attempts start and end; the machine's own unless given.

    Without ``seed`` and ``pick`` the oldest comes first. With a seed, an attempt that is over may keep its outcome to
    itself for a while, as those of real workers do.

    >>> from notebook_flows import Flow, task
    >>> said = []
    >>> say = task(lambda word: said.append(word), name="say")
    >>> with Flow("two words") as flow:
    ...     calls = say("first"), say("second")
    >>> _ = flow.run(executor=InlineExecutor(2, pick=lambda calls: len(calls) - 1), history=False)
    >>> said
    ['second', 'first']
    """

    works_here = True
    is_remote = False
    takes_segments = False

    _inbox: Inbox

    def __init__(
        self,
        workers: int = 1,
        *,
        seed: int | None = None,
        pick: Callable[[Sequence[Call]], int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"InlineExecutor needs 1 worker or more, not {workers}.")
        if seed is not None and pick is not None:
            raise ValueError("Give a seed or a way to pick, not both.")
        self.workers = workers
        self.name = f"inline({workers})"
        self.performed: list[Call] = []
        """The calls that were made, in order."""
        self._luck = None if seed is None else Random(seed)  # noqa: S311 - shuffles, guards nothing
        self._pick = pick or (lambda _: 0)
        self._clock = clock
        self._waiting: list[Call] = []
        self._held_back: deque[Outcome] = deque()

    def for_run(self) -> InlineExecutor:
        """An executor for one run, which adds to the same ``performed`` and shares its luck with this one."""
        own = copy(self)
        own._waiting = []
        own._held_back = deque()
        return own

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._waiting.clear()
        self._held_back.clear()
        self._inbox = inbox

    def submit(self, call: Call) -> None:
        """Take one call over."""
        self._waiting.append(call)

    def work(self) -> bool:
        """Make one attempt, or hand over an outcome that was held back."""
        if self._luck is None:
            if not self._waiting:
                return False
            self._inbox.put(self._perform(self._pick(self._waiting)))
            return True
        place = self._luck.randrange(len(self._waiting) + len(self._held_back) or 1)
        if place < len(self._waiting):
            self._held_back.append(self._perform(place))
        elif self._held_back:
            self._held_back.rotate(self._luck.randrange(len(self._held_back)))
            self._inbox.put(self._held_back.popleft())
        return bool(self._waiting or self._held_back)

    def _perform(self, place: int) -> Outcome:
        call = self._waiting.pop(place)
        self.performed.append(call)
        started_us = self._now_us()
        try:
            outcome = perform(call)
        except BaseException as error:
            self._inbox.put(_cancelled(call, f"Interrupted by {type(error).__name__}.", started_us))
            raise
        if self._clock is None:
            return outcome
        return outcome._replace(started_us=started_us, ended_us=self._clock.now_us())

    def _now_us(self) -> int:
        return time_ns() // 1000 if self._clock is None else self._clock.now_us()

    def cancel(self, ref: int, attempt: int) -> bool:
        """Stop an attempt that has not begun."""
        for call in self._waiting:
            if call.ref == ref and call.attempt == attempt:
                self._waiting.remove(call)
                self._inbox.put(_cancelled(call, "Cancelled before it began.", self._now_us()))
                return True
        return False

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """Drop what waits; hand over what was held back."""
        if not (self._held_back or self._waiting):  # it may never have started
            return ()
        self._inbox.put_many(list(self._held_back))
        now_us = self._now_us()
        self._inbox.put_many([_cancelled(call, "The run has stopped.", now_us) for call in self._waiting])
        self._held_back.clear()
        self._waiting.clear()
        return ()


def _cancelled(call: Call, message: str, at_us: int) -> Outcome:
    return Outcome(call.ref, call.attempt, S.CANCELLED, None, message, at_us, at_us)
