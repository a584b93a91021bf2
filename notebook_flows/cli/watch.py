"""What there is to tell of a run while it goes on, gathered from its events."""

from __future__ import annotations

from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S
from notebook_flows.core.run import tally
from notebook_flows.views.runview import OWN_FAILURES
from notebook_flows.views.text import child_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run
    from notebook_flows.views.treelines import Inside

MOST_LISTED = 100
"""Of a run with more task runs than this, only those that fail are told one by one."""
MOST_PICTURED = 300
"""Of a run with more task runs than this, nothing of what they say is kept for its picture."""
MOST_FAILURES = 20
"""Of this many failures the details are kept; further ones are only counted."""
MOST_OF_ONE_TASK = 3
"""Of the children of one mapped task, details are kept of so many: they mostly fail alike."""

_TASK, _RUNNING = Kind.TASK, S.RUNNING


class Change(NamedTuple):
    """A task run is now in another state.

    Attributes:
        name: the task's, with the child's number if it is mapped.
        node: the task's number.
        seconds: how long its attempt took; None where nothing was tried or it still runs.
        data: what the event carries besides: message, error, traceback.
    """

    name: str
    node: int
    state: S
    at_us: int
    attempt: int
    seconds: float | None
    data: Mapping[str, Any]

    @property
    def message(self) -> str:
        """One sentence; empty for none."""
        return str(self.data.get("message") or "")


class Outlook(NamedTuple):
    """Where a run stands.

    Attributes:
        running: (name, since when in microseconds since 1970) of the first few task runs that run.
        counts: how many task runs are in each state.
        total: how many there are.
        done: how many have ended.
    """

    running: Sequence[tuple[str, int]]
    counts: Mapping[S, int]
    total: int
    done: int


class View(Protocol):
    """Shows how a run goes; called from the engine's thread."""

    def hear(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""

    def tell(self, changes: Sequence[Change]) -> None:
        """These task runs have changed."""


class Watch:
    """An `engine.ports.Observer`; costs well under a microsecond for each event that nobody is told of.

    Args:
        hidden: tasks that are told of only when they fail: parameters and constants.

    Attributes:
        run: where it stands; None before its first event.
        failures: the first task runs that failed by themselves.
        message: what the run's last event says.
        messages: {(task, index): what it has said}, of those that a picture may show.
        inside: {task: how far what it runs is}; any thread may write there.
        hidden: as given.
    """

    def __init__(self, hidden: Collection[int] = ()) -> None:
        self.run: Run | None = None
        self.began_us: int | None = None
        self.ended_us: int | None = None
        self.failures: list[Change] = []
        self.message = ""
        self.messages: dict[tuple[int, int], str] = {}
        self.views: list[View] = []
        self.inside: dict[int, Inside] = {}
        self.hidden = hidden
        self._lock = Lock()
        self._running: dict[tuple[int, int], int] = {}
        self._counts: dict[S, int] = {}
        self._failures_of: dict[int, int] = {}
        self._seconds: dict[int, float] = {}

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        changes: list[Change] = []
        with self._lock:
            self.run = run
            tells_all = len(run.state) <= MOST_LISTED
            is_pictured = len(run.state) <= MOST_PICTURED
            running = self._running
            for event in events:
                if event.kind is _TASK:
                    state, key = event.state, (event.node, event.index)
                    if state is _RUNNING:
                        running[key] = event.at_us
                        since_us = None
                    else:
                        since_us = running.pop(key, None)
                    if is_pictured:
                        self.messages[key] = str((event.data or {}).get("message") or "")
                    if tells_all or IS_FAILED[state]:
                        changes.append(self._change(run, event, since_us))
                        if state in OWN_FAILURES:
                            self._keep(changes[-1])
                elif event.kind is Kind.RUN:
                    self._take_run(event)
                elif event.kind is Kind.REOPENED:
                    self._forget(name_in(run, event.node, event.index), event.node, was_tried=event.attempt > 0)
            self._counts = tally(run)
        for change in changes:
            if change.seconds is not None:
                self._seconds[change.node] = self._seconds.get(change.node, 0.0) + change.seconds
        told = [one for one in changes if one.node not in self.hidden or IS_FAILED[one.state]]
        for view in self.views:
            view.hear(run, events)
            view.tell(told)

    def _keep(self, failure: Change) -> None:
        alike = self._failures_of.get(failure.node, 0)
        self._failures_of[failure.node] = alike + 1
        if alike < MOST_OF_ONE_TASK and len(self.failures) < MOST_FAILURES:
            self.failures.append(failure)

    def _forget(self, name: str, node: int, *, was_tried: bool) -> None:
        """It had failed, maybe before it was tried at all, and is tried again: whether it fails is open."""
        left = [one for one in self.failures if one.name != name or one.node != node]
        if was_tried or len(left) < len(self.failures):
            self._failures_of[node] = max(0, self._failures_of.get(node, 0) - 1)
        self.failures[:] = left

    def _change(self, run: Run, event: Event, since_us: int | None) -> Change:
        seconds = None if since_us is None else max(event.at_us - since_us, 0) / 1e6
        name = name_in(run, event.node, event.index)
        return Change(name, event.node, event.state, event.at_us, event.attempt, seconds, event.data or {})

    def _take_run(self, event: Event) -> None:
        if self.began_us is None:
            self.began_us = event.at_us
        if IS_FINAL[event.state] or event.state is S.PAUSED:
            self.ended_us = event.at_us
            self.message = str((event.data or {}).get("message") or "")
            self._running.clear()

    @property
    def state(self) -> S:
        """Of the run itself."""
        return S.PENDING if self.run is None else self.run.run_state

    @property
    def failure_count(self) -> int:
        """How many task runs failed by themselves."""
        return sum(self._failures_of.values())

    @property
    def seconds(self) -> float:
        """How long the run took; 0 if it has not ended."""
        return 0.0 if self.began_us is None or self.ended_us is None else (self.ended_us - self.began_us) / 1e6

    def seconds_of(self, node: int) -> float | None:
        """How long the attempts of a task took together, where changes are told one by one; None: it has not run."""
        return self._seconds.get(node)

    def counts(self) -> dict[S, int]:
        """How many task runs are in each state; see `core.run.tally`."""
        with self._lock:
            return dict(self._counts)

    def outlook(self, most_running: int) -> Outlook:
        """Where the run stands; any thread may ask.

        Args:
            most_running: of how many running task runs the names are wanted.
        """
        counts = self.counts()
        with self._lock:
            run = self.run
            first = [(key, since) for key, since in islice(self._running.items(), most_running)]
        names = [(self._noted(run, *key), since) for key, since in first] if run is not None else []
        done = sum(count for state, count in counts.items() if IS_FINAL[state])
        return Outlook(names, counts, sum(counts.values()), done)

    def _noted(self, run: Run, node: int, index: int) -> str:
        inside = self.inside.get(node)
        told = "" if inside is None else f"{inside.done} of {inside.total} {inside.what}"
        return ", ".join(filter(None, [name_in(run, node, index), told]))


def name_in(run: Run, node: int, index: int) -> str:
    """What people call a task run."""
    names = run.plan.names
    name = names[node] if node < len(names) else f"#{node}"
    return child_name(name, index)
