"""A run as people look at it while it goes on: since when each task runs, how long it took, what is wrong with it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S, facts_of
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.views.remaining import Open
from notebook_flows.views.table import GRAVITY, gravest
from notebook_flows.views.text import printable
from notebook_flows.views.tracebacks import error_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run

MOST_REASONS = 200
"""Of so many tasks it is known why they failed; further ones are only counted."""
MOST_RECENT = 100

_TASK, _RUNNING, _SUCCESS = Kind.TASK, S.RUNNING, S.SUCCESS  # looked up once
OWN_FAILURES = frozenset({S.FAILED, S.TIMED_OUT, S.VALIDATION_FAILED, S.CRASHED})


class TaskView(NamedTuple):
    """How a task stands.

    Attributes:
        state: of a mapped task while it goes on: whether any child runs; then the gravest of its children's.
        since_us: since when it runs, microseconds since 1970; None if it does not.
        seconds: how long it took; of a mapped task from the first child's beginning to the last one's end.
        attempt: how often it was tried.
        children: of a mapped task, how many of its children are in each state.
        due_us: when it will be tried again; None: it will not.
        reason: why it failed, or is tried again, or was not tried at all; empty for nothing to say.
    """

    state: S
    since_us: int | None
    seconds: float | None
    attempt: int
    children: Mapping[S, int]
    due_us: int | None
    reason: str


def given_in(flow: Flow) -> set[int]:
    """The tasks of a flow that are no work: parameters and constants."""
    return {number for number, task in enumerate(flow._into) if isinstance(task, (Parameter, Constant))}


class RunView:
    """Gathered from a run's events. `tell` may be called in any thread and does next to nothing; all else is for one thread.

    Args:
        hidden: tasks that are not looked at, such as parameters; those that fail are.

    Attributes:
        run: where the run stands; None before its first event.
        began_us: when it began.
        stopping: why it ends before its time; empty if it does not.
        recent: the tasks that ended last, the last one at the end.
    """

    def __init__(self, hidden: Collection[int] = ()) -> None:
        self.run: Run | None = None
        self.began_us: int | None = None
        self.stopping = ""
        self.recent: deque[int] = deque(maxlen=MOST_RECENT)
        self._hidden = frozenset(hidden)
        self._new: deque[Sequence[Event]] = deque()
        self._running: dict[tuple[int, int], int] = {}
        self._took_us: dict[int, int] = {}
        self._spans: dict[int, tuple[int, int]] = {}
        self._reasons: dict[int, str] = {}
        self._waiting: dict[int, None] = {}

    def tell(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        self._new.append(events)
        self.run = run

    def catch_up(self) -> None:
        """Take in what has happened."""
        while self._new:
            self._take(self._new.popleft())

    def _take(self, events: Iterable[Event]) -> None:
        running, recent, took_us = self._running, self.recent, self._took_us
        for _, at_us, kind, node, index, _, _, state, data in events:
            if kind is not _TASK:
                self._take_other(kind, at_us, state, data or {})
                continue
            if state is _RUNNING:
                running[node, index] = at_us
                if self._waiting:
                    self._waiting.pop(node, None)
                continue
            since_us = running.pop((node, index), None)
            if index == UNMAPPED and state is _SUCCESS:  # written out, for it happens to nearly all
                if since_us is not None:
                    took_us[node] = at_us - since_us
                recent.append(node)
                if self._reasons:
                    self._reasons.pop(node, None)
                continue
            if since_us is not None:
                self._ended(node, index, since_us, at_us)
            if IS_FINAL[state]:
                recent.append(node)
            else:
                self._waiting[node] = None
            if index == UNMAPPED:
                self._take_reason(node, state, data or {})
            elif state in OWN_FAILURES and node not in self._reasons:
                self._keep_reason(node, state, data or {})

    def _ended(self, node: int, index: int, since_us: int, at_us: int) -> None:
        if index == UNMAPPED:
            self._took_us[node] = at_us - since_us
        else:
            first, last = self._spans.get(node, (since_us, at_us))
            self._spans[node] = (min(first, since_us), max(last, at_us))

    def _take_reason(self, node: int, state: S, data: Mapping[str, Any]) -> None:
        if self.run is None or node not in self.run.children:  # else a child's reason says more
            self._keep_reason(node, state, data)

    def _keep_reason(self, node: int, state: S, data: Mapping[str, Any]) -> None:
        said = reason_of(state, data)
        if said and (len(self._reasons) < MOST_REASONS or node in self._reasons):
            self._reasons[node] = said

    def _take_other(self, kind: Kind, at_us: int, state: S, data: Mapping[str, Any]) -> None:
        if kind is not Kind.RUN:
            return
        if self.began_us is None:
            self.began_us = at_us
        if "stopping" in data:
            self.stopping = printable(str(data.get("message") or ""))
        if IS_FINAL[state] or state is S.PAUSED:
            self._running.clear()

    # -- tasks ---------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many tasks there are."""
        return 0 if self.run is None else len(self.run.plan.graph)

    def is_seen(self, node: int) -> bool:
        """Whether people look at this task."""
        return node not in self._hidden or (self.run is not None and IS_FAILED[self.run.state[node]])

    def counts(self) -> dict[S, int]:
        """How many task runs are in each state; a mapped task counts as its children."""
        if self.run is None:
            return {}
        run = self.run
        counted = run.counts[:]
        for node, children in list(run.children.items()):  # at once, for the engine goes on meanwhile
            if children.width:
                counted[run.state[node]] -= 1
        counts = {state: counted[state] for state in S}
        for node in self._hidden:
            state = self.run.state[node] if node < self.size else S.FAILED
            if not IS_FAILED[state] and counts.get(state):
                counts[state] -= 1
        return {state: count for state, count in counts.items() if count > 0}

    def urgent(self, most: int) -> list[int]:
        """The first tasks that people want to see where there is no room for all: what runs, failed, or waits for something."""
        found: dict[int, None] = {}
        for node, _ in self._running:
            found[node] = None
            if len(found) >= most:
                break
        if self.run is not None:
            state = self.run.state
            found.update(dict.fromkeys(node for node in self._reasons if state[node] in OWN_FAILURES | {S.MAPPED}))
            found.update(dict.fromkeys(node for node in self._waiting if not IS_FINAL[state[node]]))
        return [node for node in found if self.is_seen(node)][:most]

    def task(self, node: int) -> TaskView:
        """How a task stands."""
        run = self.run
        assert run is not None
        state, attempt, reason = run.state[node], run.attempt[node], self._reasons.get(node, "")
        children = self.children_of(node)
        if not children:
            since_us = self._running.get((node, UNMAPPED))
            took_us = self._took_us.get(node)
            seconds = took_us / 1e6 if since_us is None and took_us is not None else None
            return TaskView(state, since_us, seconds, attempt, {}, run.resting.get(node), reason)
        first_us, last_us = self._spans.get(node, (None, None))
        reason = reason if any(IS_FAILED[one] for one in children) else ""
        if IS_FINAL[state]:
            took = None if first_us is None or last_us is None else (last_us - first_us) / 1e6
            return TaskView(gravest(children) or state, None, took, 1, children, None, reason)
        shown = S.RUNNING if children.get(S.RUNNING) else S.EXPANDED
        begun = [since for (task, _), since in list(self._running.items())[:1_000] if task == node]
        since_us = min([*begun, *([first_us] if first_us is not None else [])], default=None)
        return TaskView(shown, since_us, None, 1, children, None, reason)

    def children_of(self, node: int) -> dict[S, int]:
        """How many children of a mapped task are in each state; none of others."""
        run = self.run
        known = run.children.get(node) if run is not None else None
        if run is None or known is None or not known.width:
            return {}
        states = bytes(run.state[known.first : known.first + known.width])  # counted far faster than a list of members
        return {state: count for state in GRAVITY if (count := states.count(state))}

    def open_tasks(self, now_us: int) -> dict[int, Open]:
        """{task's number: what there is of it}, of all that have not ended."""
        run = self.run
        if run is None:
            return {}
        found: dict[int, Open] = {}
        elapsed: dict[int, list[float]] = {}
        for (node, _), since_us in self._running.items():
            elapsed.setdefault(node, []).append((now_us - since_us) / 1e6)
        for node in range(self.size):
            if not IS_FINAL[run.state[node]]:
                children = self.children_of(node)
                left = sum(count for state, count in children.items() if not IS_FINAL[state]) if children else 1
                running_s = elapsed.get(node, [])
                found[node] = Open(running_s, max(0, left - len(running_s)))
        return found


def reason_of(state: S, data: Mapping[str, Any]) -> str:
    """What there is to say of a task run besides its state: the error, or why nothing was tried; a line."""
    if state is S.RUNNING or state is S.SUCCESS:
        return ""
    message = str(data.get("message") or "")
    error = [] if state is S.TIMED_OUT else error_lines(str(data.get("traceback") or ""))
    said = error[0] if error else printable(message)
    return "" if said == facts_of(state).word else said
