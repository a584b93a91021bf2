"""One run as it unfolds: `Run.apply(event)` says what is; it keeps what is ready, so that nothing is ever scanned."""

from __future__ import annotations

from collections import deque
from heapq import heappush
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.events import UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S
from notebook_flows.core.triggers import Counts

if TYPE_CHECKING:
    from notebook_flows.core.plan import Plan

# looked up once: a member of an enumeration costs more to reach than all else that happens to a plain task here
_TASK = Kind.TASK
_QUEUED, _RUNNING, _SUCCESS = S.QUEUED, S.RUNNING, S.SUCCESS

INDEX_BITS = 32
INDEX_MASK = (1 << INDEX_BITS) - 1


class Children(NamedTuple):
    """The task runs of a mapped task: numbers ``first`` to ``first + width - 1``."""

    first: int
    width: int


class OutOfOrderError(ValueError):
    """An event does not follow from those before it: a gap, a second writer, or a state that cannot be reached."""


class Run:
    """Where each task run of one run stands.

    Task runs are numbered: 0 to n-1 for the tasks of the graph, higher numbers for the children of mapped tasks, in
    the order in which they came into being.

    Attributes:
        state: of each task run.
        attempt: of each task run, how many times it was tried, in this round of a loop.
        children: {mapped task: its task runs}.
        origin: of the task runs from n on, (task, index).
        attached: {task run: {an artifact's key: its title, or the key}}.
        counts: how many task runs are in each state.
        run_state: of the run itself.
        stopping: how the run will end, once somebody has asked it to stop.
        seq: of the last event.
        in_flight: task runs that were handed out and have not come back; those behind them in a segment not counted.
        promised: task runs that will follow another on the same worker, once that has succeeded.
        frontier: a heap of the task runs that can have their next command.
        due: a heap of (microseconds since 1970, key) of those that rest.
        resting: {task run whose time has not come: microseconds since 1970}.
        was_reopened: something that had ended has not any more: what is in the frontier may have to wait again.
        judged_anew: task runs that were tried, and whose trigger is asked again: what they waited for has ended anew.
    """

    def __init__(self, plan: Plan) -> None:
        graph = plan.graph
        size = len(graph)
        self.plan = plan
        self.state: list[S] = [S.PENDING] * size
        self.attempt: list[int] = [0] * size
        self.loops: dict[int, int] = {}
        self.waiting: list[int] = [len(inputs) for inputs in graph.inputs]
        self.failed: list[int] = [0] * size
        self.skipped: list[int] = [0] * size
        self.more_upstream: dict[int, int] = {}
        self.children: dict[int, Children] = {}
        self.origin: list[tuple[int, int]] = []
        self.attached: dict[int, dict[str, str]] = {}
        self.left: dict[int, int] = {}
        self.counts: list[int] = [0] * (max(S) + 1)
        self.counts[S.PENDING] = size
        self.run_state = S.PENDING
        self.seq = 0
        self.unfinished = size
        self.in_flight = 0
        self.judged: set[int] = set()
        self.promised: set[int] = set()
        self.paused: dict[int, None] = {}
        self.limit_used = [0] * len(plan.limit_sizes)
        self.parked: list[deque[int]] = [deque() for _ in plan.limit_sizes]
        self.has_failed = False
        self.stopping: S | None = None
        self.frontier: list[int] = [n << INDEX_BITS for n, count in enumerate(self.waiting) if not count]
        self.due: list[tuple[int, int]] = []
        self.resting: dict[int, int] = {}
        self.was_reopened = False
        self.judged_anew: set[int] = set()
        for number, preset in plan.presets.items():
            self._preset(number, preset)

    # -- numbers -------------------------------------------------------------------------------------------------------

    def number_of(self, node: int, index: int) -> int:
        """The number of a task run.

        Raises:
            OutOfOrderError: there is no such child.
        """
        if index == UNMAPPED:
            return node
        children = self.children.get(node)
        if children is None or index >= children.width:
            raise OutOfOrderError(f"task {node} has no child {index}")
        return children.first + index

    def place_of(self, number: int) -> tuple[int, int]:
        """(task, index) of a task run; the index of an unmapped one is ``UNMAPPED``."""
        size = len(self.plan.graph)
        return (number, UNMAPPED) if number < size else self.origin[number - size]

    def key_of(self, number: int) -> int:
        """By which the frontier is sorted: the order of definition, then the index."""
        size = len(self.plan.graph)
        if number < size:
            return number << INDEX_BITS
        node, index = self.origin[number - size]
        return node << INDEX_BITS | index + 1

    def number_at(self, key: int) -> int:
        """The number behind a key of the frontier."""
        index = key & INDEX_MASK
        node = key >> INDEX_BITS
        return node if not index else self.children[node].first + index - 1

    def counts_before(self, number: int) -> Counts:
        """How the task runs ended that this one waited for."""
        node = self.place_of(number)[0]
        return Counts(
            total=len(self.plan.graph.inputs[node]) + self.more_upstream.get(number, 0),
            failed=self.failed[number],
            skipped=self.skipped[number],
            resumed=node in self.plan.resumed,
        )

    @property
    def is_over(self) -> bool:
        """Nothing more happens in it: it has ended, or is paused."""
        return self.run_state is not _RUNNING and (self.run_state is S.PAUSED or IS_FINAL[self.run_state])

    # -- what happens --------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take one event in.

        Cost: O(degree of the task), O(width) for mapping.

        Raises:
            OutOfOrderError: it does not follow from the events before.
        """
        seq, _, kind, node, index, attempt, _, new, _ = event
        if seq != self.seq + 1:
            raise OutOfOrderError(f"event {seq} came after event {self.seq}")
        self.seq = seq
        if kind is not _TASK:
            self._apply_other(event)
            return
        # what follows happens twice to each task, so it is written out here
        number = node if index == UNMAPPED else self.number_of(node, index)
        state = self.state
        old = state[number]
        if IS_FINAL[old]:
            raise OutOfOrderError(f"task run {number} is {old.name} for good, and cannot become {new.name}")
        counts = self.counts
        counts[old] -= 1
        counts[new] += 1
        state[number] = new
        if new is _RUNNING:
            self.attempt[number] = attempt
            if old is not _QUEUED:
                self._begin_unqueued(number, old)
            return
        if old is _RUNNING or old is _QUEUED:
            if self.promised and number in self.promised:
                self.promised.remove(number)
            else:
                self.in_flight -= 1
            if self.limit_used:
                self._free_limits(number)
        else:
            self.resting.pop(number, None)
        if IS_FINAL[new]:
            self._end(number, new)
        else:
            self._rest(number, new, event)

    def _apply_other(self, event: Event) -> None:
        """An event that is not of the kind TASK."""
        if event.kind is Kind.RUN:
            self._change_run(event)
        elif event.kind is Kind.EXPANDED:
            assert event.data is not None
            self._expand(event.node, event.data["width"])
        elif event.kind is Kind.VERDICT:
            self._allow(self.number_of(event.node, event.index))
        elif event.kind is Kind.REOPENED:
            self._reopen(self.number_of(event.node, event.index), event.state)
        elif event.kind is Kind.ARTIFACT and event.data is not None:
            known = self.attached.setdefault(self.number_of(event.node, event.index), {})
            known[event.data["key"]] = event.data.get("title") or event.data["key"]

    def _begin_unqueued(self, number: int, old: S) -> None:
        """It runs, and was not queued before: the run is being rebuilt from its events."""
        if old is _RUNNING:
            raise OutOfOrderError(f"task run {number} was running already")
        self.resting.pop(number, None)
        self.taken(number)

    def _rest(self, number: int, new: S, event: Event) -> None:
        """It is not over, and does not run: it will be tried again, or waits for somebody."""
        if self.promised:
            self._break_promise(number)
        if new is S.RETRYING:
            due_us = event.data["due_us"] if event.data else 0
            self.resting[number] = due_us
            heappush(self.due, (due_us, self.key_of(number)))
        elif new is S.LOOPED:
            self.loops[number] = event.loop
            self.attempt[number] = 0
            heappush(self.frontier, self.key_of(number))
        elif new is S.PAUSED:
            self.paused[number] = None

    def _end(self, number: int, new: S) -> None:
        self.unfinished -= 1
        if new is not _SUCCESS:
            self.has_failed = self.has_failed or IS_FAILED[new]
            if self.promised:
                self._break_promise(number)
        graph = self.plan.graph
        if number >= len(graph.inputs):
            self._end_child(number, new)
            return
        if number in self.children:
            self._end_mapped(number)
            return
        counter = self.failed if IS_FAILED[new] else self.skipped if new is S.SKIPPED else None
        waiting = self.waiting
        for after in graph.downstream[number]:
            if counter is not None:
                counter[after] += 1
            left = waiting[after] - 1
            waiting[after] = left
            if not left:
                if after in self.promised:  # its worker goes on with it at once
                    self.promised.remove(after)
                    self.in_flight += 1
                else:
                    heappush(self.frontier, after << INDEX_BITS)

    def _allow(self, number: int) -> None:
        """Somebody who may say so, the task's own trigger or a person, has said that it may run."""
        self.judged.add(number)
        self.judged_anew.discard(number)
        if number in self.paused:
            del self.paused[number]
            self.counts[S.PAUSED] -= 1
            self.counts[S.PENDING] += 1
            self.state[number] = S.PENDING
        heappush(self.frontier, self.key_of(number))

    def can_be_reopened(self, number: int) -> bool:
        """Whether it has ended, and not well, by itself or because of another; not as somebody has said beforehand."""
        return IS_FAILED[self.state[number]] and number not in self.children and number not in self.plan.presets

    def _reopen(self, number: int, new: S) -> None:
        """It has not ended any more; all that its end had led to is taken back, but for what runs or has run."""
        old = self.state[number]
        is_mapped = number in self.children
        if not IS_FINAL[old] or not (self.can_be_reopened(number) or (is_mapped and old is S.MAPPED)):
            raise OutOfOrderError(f"task run {number} is {old.name}, and cannot be tried again")
        self.was_reopened = True
        self._judge_anew(number)
        self._unpark_all()
        if is_mapped:
            self._end_mapped(number, by=-1)
        elif number >= len(self.plan.graph):
            self._reopen_child(number, old)
        else:
            for after in self.plan.graph.downstream[number]:
                self.waiting[after] += 1
                self.failed[after] -= 1
        self.counts[old] -= 1
        self.counts[new] += 1
        self.state[number] = new
        self.unfinished += 1
        self.has_failed = any(count and IS_FAILED[state] for state, count in enumerate(self.counts))
        if not is_mapped and not self.waiting[number]:
            heappush(self.frontier, self.key_of(number))

    def _judge_anew(self, number: int) -> None:
        """Its trigger is asked again, as what it waits for may end otherwise; what a person has said holds."""
        node, judges = self.place_of(number)[0], self.plan.judges
        if node in judges:
            self.judged_anew.add(number)
            if judges[node] is None:
                self.judged.discard(number)

    def _unpark_all(self) -> None:
        """Who waits for room in a limit may have to wait for something else first, and must not keep others from it."""
        for parked in self.parked:
            while parked:
                heappush(self.frontier, parked.popleft())

    def _preset(self, number: int, preset: S) -> None:
        """It does not run, and stands like this from the beginning."""
        self.counts[self.state[number]] -= 1
        self.counts[preset] += 1
        self.state[number] = preset
        if IS_FINAL[preset]:
            self._end(number, preset)

    def _change_run(self, event: Event) -> None:
        self.run_state = event.state
        if event.data and "stopping" in event.data:
            self.stopping = S(event.data["stopping"])
        if IS_FINAL[event.state]:
            for number, state in enumerate(self.state if self.unfinished else ()):
                if not IS_FINAL[state]:
                    left = left_as(state, event.state)
                    self.counts[state] -= 1
                    self.counts[left] += 1
                    self.state[number] = left
            self.unfinished = 0
            self.frontier.clear()
            self.due.clear()

    # -- mapping -------------------------------------------------------------------------------------------------------

    def _expand(self, node: int, width: int) -> None:
        if node in self.children:
            raise OutOfOrderError(f"task {node} was mapped already")
        first = len(self.state)
        self.children[node] = Children(first, width)
        self.left[node] = width
        self.counts[self.state[node]] -= 1
        self.counts[S.EXPANDED] += 1
        self.state[node] = S.EXPANDED
        above = [
            self.children[upstream]
            for upstream, _, is_mapped, is_flattened in self.plan.graph.inputs[node]
            if is_mapped and not is_flattened and upstream in self.children
        ]
        self.state.extend([S.PENDING] * width)
        self.attempt.extend([0] * width)
        self.waiting.extend([0] * width)
        self.failed.extend([self.failed[node]] * width)
        self.skipped.extend([self.skipped[node]] * width)
        self.origin.extend((node, index) for index in range(width))
        self.counts[S.PENDING] += width
        self.unfinished += width
        if self.more_upstream.get(node):
            self.more_upstream.update((first + index, self.more_upstream[node]) for index in range(width))
        for index in range(width):
            number = first + index
            for children in above:
                ended = self.state[children.first + index]
                if not IS_FINAL[ended]:
                    self.waiting[number] += 1
                elif IS_FAILED[ended]:
                    self.failed[number] += 1
                elif ended is S.SKIPPED:
                    self.skipped[number] += 1
            if not self.waiting[number]:
                heappush(self.frontier, node << INDEX_BITS | index + 1)
        # the number of children is known now, and a task that is mapped over them need wait for nothing else
        for after, edges in self.plan.lanes.get(node, {}).items():
            self._less_to_wait_for(after, edges)
        if not width:
            heappush(self.frontier, node << INDEX_BITS)

    def _less_to_wait_for(self, node: int, edges: int) -> None:
        self.waiting[node] -= edges
        if not self.waiting[node]:
            heappush(self.frontier, node << INDEX_BITS)

    def _end_child(self, number: int, new: S) -> None:
        node, index = self.origin[number - len(self.plan.graph)]
        for after, edges in self.plan.lanes.get(node, {}).items():
            children = self.children.get(after)
            if children is None or index >= children.width:
                continue
            child = children.first + index
            self.waiting[child] -= edges
            if IS_FAILED[new]:
                self.failed[child] += edges
            elif new is S.SKIPPED:
                self.skipped[child] += edges
            if not self.waiting[child]:
                heappush(self.frontier, after << INDEX_BITS | index + 1)
        self.left[node] -= 1
        if not self.left[node]:
            heappush(self.frontier, node << INDEX_BITS)

    def _reopen_child(self, number: int, old: S) -> None:
        """What `_end_child` had done is taken back."""
        node, index = self.origin[number - len(self.plan.graph)]
        if IS_FINAL[self.state[node]]:
            raise OutOfOrderError(f"task {node} has ended, and so have its children")
        for after, edges in self.plan.lanes.get(node, {}).items():
            children = self.children.get(after)
            if children is not None and index < children.width:
                self.waiting[children.first + index] += edges
                self.failed[children.first + index] -= edges
        self.left[node] += 1

    def _end_mapped(self, node: int, *, by: int = 1) -> None:
        """All children have ended: for what waits for the whole list, each of them counts; ``by`` = -1 takes that back."""
        children = self.children[node]
        states = self.state[children.first : children.first + children.width]
        failed = sum(IS_FAILED[state] for state in states)
        skipped = sum(state is S.SKIPPED for state in states)
        lanes = self.plan.lanes.get(node, {})
        edges_to: dict[int, int] = {}
        for after in self.plan.graph.downstream[node]:
            edges_to[after] = edges_to.get(after, 0) + 1
        for after, all_edges in edges_to.items():
            edges = all_edges - lanes.get(after, 0)
            if not edges:
                continue
            self.failed[after] += by * failed * edges
            self.skipped[after] += by * skipped * edges
            self.more_upstream[after] = self.more_upstream.get(after, 0) + by * (children.width - 1) * edges
            if by < 0:
                self.waiting[after] += edges
            else:
                self._less_to_wait_for(after, edges)

    # -- limits and segments -------------------------------------------------------------------------------------------

    def taken(self, number: int) -> None:
        """It was handed out: it counts for its limits, and is in flight."""
        self.in_flight += 1
        if self.limit_used:
            self._take_limits(number)

    def _take_limits(self, number: int) -> None:
        for limit in self.plan.limits.get(self.place_of(number)[0], ()):
            self.limit_used[limit] += 1

    def promise(self, number: int) -> None:
        """It will follow another on the same worker, and takes no room of its own."""
        self.promised.add(number)
        self.counts[self.state[number]] -= 1
        self.counts[_QUEUED] += 1
        self.state[number] = _QUEUED

    def queue(self, number: int) -> None:
        """It is about to be handed out. Not an event: what is queued is forgotten with the process."""
        state, counts = self.state, self.counts
        counts[state[number]] -= 1
        counts[_QUEUED] += 1
        state[number] = _QUEUED
        self.in_flight += 1
        if self.limit_used:
            self._take_limits(number)

    def put_back(self, number: int) -> None:
        """What `decide.asked_in_turn` has told has to run: it has its turn as any other."""
        heappush(self.frontier, self.key_of(number))

    def _free_limits(self, number: int) -> None:
        for limit in self.plan.limits.get(self.place_of(number)[0], ()):
            self.limit_used[limit] -= 1
            if self.parked[limit]:
                heappush(self.frontier, self.parked[limit].popleft())

    def park(self, number: int, full: int) -> None:
        """It waits for room in this limit; others may have what it leaves free in those that it has come past."""
        self.parked[full].append(self.key_of(number))
        for limit in self.plan.limits[self.place_of(number)[0]]:
            if limit != full and self.parked[limit] and self.limit_used[limit] < self.plan.limit_sizes[limit]:
                heappush(self.frontier, self.parked[limit].popleft())

    def _break_promise(self, number: int) -> None:
        """What was to follow on the same worker will not: each has its turn by itself."""
        follower = self.plan.followers[number] if number < len(self.plan.followers) else -1
        while follower >= 0 and follower in self.promised:
            self.promised.discard(follower)
            if self.state[follower] is S.QUEUED:
                self.counts[S.QUEUED] -= 1
                self.counts[S.PENDING] += 1
                self.state[follower] = S.PENDING
            follower = self.plan.followers[follower]


def left_as(state: S, end: S) -> S:
    """What becomes of a task run that is in this state when its run ends."""
    return S.CRASHED if end is S.CRASHED and state is S.RUNNING else S.NOT_RUN


def tally(run: Run, end: S | None = None) -> dict[S, int]:
    """How many task runs stand where, as people are told: a mapped task counts as its children, and by itself without any.

    Args:
        run: where it stands.
        end: how it is about to end, if it is: what has not ended by then counts as what becomes of it.
    """
    counts = run.counts[:]
    for node, children in run.children.items():
        if children.width:
            counts[run.state[node]] -= 1
    if end is not None:
        for state in S:
            if counts[state] and not IS_FINAL[state]:
                counts[left_as(state, end)] += counts[state]
                counts[state] = 0
    return {state: counts[state] for state in S if counts[state]}


def finished_states(run: Run, node: int) -> list[S]:
    """How a task ended: its own state, or those of its children."""
    children = run.children.get(node)
    if children is None or not children.width:
        return [run.state[node]]
    return run.state[children.first : children.first + children.width]
