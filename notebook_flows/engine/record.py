"""What a run's history and observers are told: each event is applied, kept, and handed over in groups."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.run import Run
    from notebook_flows.engine.ports import Observer, RunLog

# looked up once: see `core.run`
_event = tuple.__new__
_TASK = Kind.TASK


class Record:
    """Makes the events of a run; nobody else does.

    Args:
        run: to which they are applied.
        log: where they go.
        observers: are told of them, before they are committed; one that fails is told nothing more.
        gave_up: called once, when the log cannot be written any more.
    Attributes:
        error: why the log gave up, if it did.
    """

    def __init__(self, run: Run, log: RunLog, observers: Sequence[Observer], gave_up: Callable[[], None]) -> None:
        self.error: StoreError | None = None
        self._run = run
        self._log = log
        self._observers = list(observers)
        self._gave_up = gave_up
        self._events: list[Event] = []

    def add(
        self,
        at_us: int,
        kind: Kind,
        node: int,
        index: int,
        attempt: int,
        loop: int,
        state: S,
        data: Mapping[str, Any] | None,
    ) -> None:
        """The next event; see `core.events.Event`."""
        event = _event(Event, (self._run.seq + 1, at_us, kind, node, index, attempt, loop, state, data))
        self._run.apply(event)
        self._events.append(event)

    def add_of_task(self, at_us: int, node: int, index: int, attempt: int, loop: int, state: S) -> None:
        """The next event, of a task run that has nothing to say but its state."""
        run = self._run
        event = _event(Event, (run.seq + 1, at_us, _TASK, node, index, attempt, loop, state, None))
        run.apply(event)
        self._events.append(event)

    def add_of_run(self, at_us: int, state: S, data: Mapping[str, Any] | None) -> None:
        """The next event, of the run itself."""
        self.add(at_us, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, state, data)

    @property
    def waiting(self) -> int:
        """How many events are to be handed over."""
        return len(self._events)

    def hand_over(self) -> None:
        """Give the log and the observers what has come since the last time."""
        if self._events:
            events, self._events = self._events, []
            if self.error is None:
                try:
                    self._log.append(events)
                except StoreError as error:
                    self.error = error
                    self._gave_up()
            if self._observers:
                self._tell_observers(events)

    def _tell_observers(self, events: Sequence[Event]) -> None:
        for observer in tuple(self._observers):
            try:
                observer(self._run, events)
            except Exception:  # what only shows the run must not end it
                logging.getLogger(__name__).exception("%r failed and is told nothing more.", observer)
                self._observers.remove(observer)
