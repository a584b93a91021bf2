"""Random flows, random luck and random order: a small world in which runs unfold, and a naive judge beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core_runs import plan_from
from hypothesis import strategies as st

from notebook_flows.core import triggers
from notebook_flows.core.decide import End, Expand, Judge, Mark, Start, decide
from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.graph import Input
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S
from notebook_flows.core.run import Run
from notebook_flows.core.triggers import Counts, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.plan import Plan

TRIGGERS = [
    triggers.all_successful,
    triggers.all_failed,
    triggers.any_successful,
    triggers.any_failed,
    triggers.all_finished,
    triggers.not_all_skipped,
    triggers.some_failed(at_least=2),
    triggers.some_successful(at_least=0.5),
]
ENDS = [S.SUCCESS] * 12 + [S.FAILED] * 3 + [S.SKIPPED] * 2 + [S.CACHED, S.TIMED_OUT, S.CRASHED, S.VALIDATION_FAILED]


@dataclass(frozen=True)
class Node:
    """One task, and the luck that it and each of its children will have.

    Attributes:
        trigger: None means one of the user's own, which allows what ``own_verdict`` says.
        lucks: of the task run, or of the children in turn: how often it is tried in vain, how many rounds it loops,
            how it ends.
        width: the length of its value.
    """

    edges: tuple[tuple[int, bool, bool], ...] = ()
    trigger: triggers.Trigger | None = triggers.all_successful
    own_verdict: bool = True
    ignores_skips: bool = False
    lucks: tuple[tuple[int, int, S], ...] = ((0, 0, S.SUCCESS),)
    width: int = 2
    limits: tuple[int, ...] = ()
    preset: S | None = None


@dataclass(frozen=True)
class Flow:
    nodes: tuple[Node, ...]
    limit_sizes: tuple[int, ...] = ()

    def plan(self) -> Plan:
        return plan_from(
            [[Input(upstream, None, m, f) for upstream, m, f in node.edges] for node in self.nodes],
            names=[f"t{place}" for place in range(len(self.nodes))],
            judges={
                place: None if node.trigger is None else node.trigger.judge
                for place, node in enumerate(self.nodes)
                if node.trigger is not triggers.all_successful
            },
            complaints={
                place: "" if node.trigger is None else node.trigger.complaint for place, node in enumerate(self.nodes)
            },
            ignores_skips=frozenset(place for place, node in enumerate(self.nodes) if node.ignores_skips),
            limits={place: node.limits for place, node in enumerate(self.nodes) if node.limits},
            limit_sizes=self.limit_sizes,
            presets={place: node.preset for place, node in enumerate(self.nodes) if node.preset is not None},
        )

    def luck(self, node: int, index: int) -> tuple[int, int, S]:
        lucks = self.nodes[node].lucks
        return lucks[max(index, 0) % len(lucks)]


@st.composite
def flows(draw: st.DrawFn, *, most: int = 9, chains: bool = False) -> Flow:
    size = draw(st.integers(0, most))
    limit_sizes = tuple(draw(st.lists(st.integers(1, 2), max_size=2)))
    nodes = []
    for place in range(size):
        if chains and place and draw(st.booleans()):
            edges: list[tuple[int, bool, bool]] = [(place - 1, False, False)]
        else:
            edges = draw(
                st.lists(
                    st.tuples(
                        st.integers(0, place - 1), st.sampled_from([False, False, True]), st.sampled_from([False, True])
                    ).map(lambda edge: (edge[0], edge[1], edge[1] and edge[2])),
                    max_size=3,
                )
                if place
                else st.just([])
            )
        nodes.append(
            Node(
                edges=tuple(edges),
                trigger=draw(st.sampled_from([triggers.all_successful] * 6 + TRIGGERS + [None])),
                own_verdict=draw(st.booleans()),
                ignores_skips=draw(st.sampled_from([False, False, True])),
                lucks=tuple(
                    draw(
                        st.lists(
                            st.tuples(
                                st.sampled_from([0, 0, 0, 1, 2]), st.sampled_from([0, 0, 0, 1]), st.sampled_from(ENDS)
                            ),
                            min_size=1,
                            max_size=3,
                        )
                    )
                ),
                width=draw(st.integers(0, 3)),
                limits=tuple(sorted(draw(st.sets(st.integers(0, len(limit_sizes) - 1))))) if limit_sizes else (),
                preset=draw(st.sampled_from([None] * 12 + [S.SUCCESS, S.FAILED, S.SKIPPED])),
            )
        )
    return Flow(tuple(nodes), limit_sizes)


# -- a run unfolds -----------------------------------------------------------------------------------------------------


@dataclass
class Unfolding:
    """One run of a flow, obeyed as an engine would, with outcomes in any order.

    Attributes:
        events: all that happened.
        told: all commands, with the attempt and loop they were for.
        at_work: segments that were handed out; the first of each runs.
    """

    flow: Flow
    run: Run
    room: int = 3
    in_segments: bool = False
    events: list[Event] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    at_work: list[list[int]] = field(default_factory=list)
    now_us: int = 0

    def record(self, kind: Kind, number: int, state: S, data: dict[str, Any] | None = None) -> None:
        run = self.run
        node, index = (RUN_ITSELF, UNMAPPED) if number == RUN_ITSELF else run.place_of(number)
        attempt = 0 if number == RUN_ITSELF else run.attempt[number] + (state is S.RUNNING)
        loop = 1 if number == RUN_ITSELF else run.loops.get(number, 0) + 1
        event = Event(run.seq + 1, self.now_us, kind, node, index, attempt, loop, state, data)
        run.apply(event)
        self.events.append(event)

    def to_the_end(
        self,
        choose: Callable[[int], int],
        look: Callable[[Unfolding], None] = lambda _: None,
        *,
        begins: bool = True,
    ) -> None:
        """Go on until the run is over; ``choose(n)`` picks one of n things that can happen next."""
        if begins:
            self.record(Kind.RUN, RUN_ITSELF, S.RUNNING)
        for _ in range(10_000):
            commands = decide(
                self.run, room=self.room - self.run.in_flight, now_us=self.now_us, in_segments=self.in_segments
            )
            for command in commands:
                self.obey(command)
            look(self)
            if self.run.is_over:
                return
            if self.at_work:
                self.go_on(choose)
            elif not commands:
                assert self.run.due, "nothing runs, nothing rests, and yet it is not over"
                self.now_us = max(self.now_us, self.run.due[0][0])
        raise AssertionError("it does not end")

    def obey(self, command: Any) -> None:
        run = self.run
        if isinstance(command, Start):
            assert run.state[command.number] is S.QUEUED
            self.told.append(("start", command.number, run.attempt[command.number], run.loops.get(command.number, 0)))
            self.at_work.append([command.number, *command.then])
            return
        self.told.append(command)
        if isinstance(command, Mark):
            self.record(Kind.TASK, command.number, command.state, {"message": command.reason})
        elif isinstance(command, Judge):
            node = run.place_of(command.number)[0]
            if self.flow.nodes[node].own_verdict:
                self.record(Kind.VERDICT, command.number, S.READY, {"may_run": True})
            else:
                self.record(Kind.TASK, command.number, S.UPSTREAM_FAILED)
        elif isinstance(command, Expand):
            width = width_of(self.flow, command.node, self.whole)
            if isinstance(width, S):
                self.record(Kind.TASK, command.node, width)
            else:
                self.record(Kind.EXPANDED, command.node, S.EXPANDED, {"width": width})
        elif isinstance(command, End):
            self.record(Kind.RUN, RUN_ITSELF, command.state, {"message": command.reason})

    def whole(self, node: int) -> S | list[S]:
        """How a task stands: its state, or those of its children."""
        children = self.run.children.get(node)
        if children is None:
            return self.run.state[node]
        return self.run.state[children.first : children.first + children.width]

    def go_on(self, choose: Callable[[int], int]) -> None:
        """One of those at work begins, or ends."""
        place = choose(len(self.at_work))
        segment = self.at_work[place]
        number = segment[0]
        run = self.run
        if run.state[number] is S.QUEUED:
            self.record(Kind.TASK, number, S.RUNNING)
            return
        failures, loops, end = self.flow.luck(*run.place_of(number))
        rest_us = 1 + choose(3)
        if run.attempt[number] <= failures:
            self.record(Kind.TASK, number, S.RETRYING, {"due_us": self.now_us + rest_us})
        elif run.loops.get(number, 0) < loops:
            self.record(Kind.TASK, number, S.LOOPED)
        else:
            self.record(Kind.TASK, number, end)
        if run.state[number] is S.SUCCESS and len(segment) > 1:
            del segment[0]
        else:
            del self.at_work[place]


def width_of(flow: Flow, node: int, whole: Callable[[int], S | list[S]]) -> int | S:
    """How many children a mapped task has, or what becomes of it when there is nothing to map over."""
    widths = []
    for upstream, is_mapped, is_flattened in flow.nodes[node].edges:
        if not is_mapped:
            continue
        stands = whole(upstream)
        if isinstance(stands, list):
            if not is_flattened:
                widths.append(len(stands))
                continue
            if any(IS_FAILED[one] or one is S.SKIPPED for one in stands):
                return S.FAILED
            widths.append(min(2 * len(stands), 4))
        elif IS_FAILED[stands]:
            return S.UPSTREAM_FAILED
        elif stands is S.SKIPPED:
            return S.FAILED
        else:
            widths.append(flow.nodes[upstream].width)
    return min(widths)


# -- the naive judge ---------------------------------------------------------------------------------------------------


def expected_ends(flow: Flow) -> dict[tuple[int, int], S]:
    """{(task, index): how it ends}, worked out task by task in the order of definition."""
    whole: dict[int, S | list[S]] = {}
    found: dict[tuple[int, int], S] = {}
    for place, node in enumerate(flow.nodes):
        whole[place] = _expected(flow, place, node, whole)
        stands = whole[place]
        if isinstance(stands, list):
            found[place, UNMAPPED] = S.MAPPED
            found.update(((place, index), state) for index, state in enumerate(stands))
        else:
            found[place, UNMAPPED] = stands
    return found


def _expected(flow: Flow, place: int, node: Node, whole: dict[int, S | list[S]]) -> S | list[S]:
    if node.preset is not None:
        return node.preset
    is_mapped = any(edge[1] for edge in node.edges)
    lanes = [
        upstream
        for upstream, m, f in node.edges
        if m and not f and isinstance(whole[upstream], list) and flow.nodes[upstream].preset is None
    ]
    before: list[S] = []
    for upstream, m, f in node.edges:
        stands = whole[upstream]
        if isinstance(stands, list):
            if not (m and not f):
                before.extend(stands)
        else:
            before.append(stands)
    if not is_mapped:
        verdict = _expected_verdict(node, before)
        return flow.luck(place, UNMAPPED)[2] if verdict is None else verdict
    if S.SKIPPED in before and not node.ignores_skips:
        return S.SKIPPED
    if node.trigger is triggers.all_successful and any(IS_FAILED[state] for state in before):
        return S.UPSTREAM_FAILED
    width = width_of(flow, place, whole.__getitem__)
    if isinstance(width, S):
        return width
    ends = []
    for index in range(width):
        above = [stands[index] for lane in lanes if isinstance(stands := whole[lane], list)]
        verdict = _expected_verdict(node, [*before, *above])
        ends.append(flow.luck(place, index)[2] if verdict is None else verdict)
    return ends


def _expected_verdict(node: Node, before: Sequence[S]) -> S | None:
    """Why it does not run; None: it runs."""
    if S.SKIPPED in before and not node.ignores_skips:
        return S.SKIPPED
    if node.trigger is None:
        return None if node.own_verdict else S.UPSTREAM_FAILED
    counts = Counts(
        total=len(before), failed=sum(IS_FAILED[one] for one in before), skipped=sum(one is S.SKIPPED for one in before)
    )
    return {Verdict.RUN: None, Verdict.FAIL: S.UPSTREAM_FAILED, Verdict.SKIP: S.SKIPPED}[node.trigger.judge(counts)]


def ends_of(run: Run) -> dict[tuple[int, int], S]:
    """{(task, index): where it stands}."""
    return {run.place_of(number): state for number, state in enumerate(run.state)}


def rebuilt(plan: Plan, events: Sequence[Event]) -> Run:
    run = Run(plan)
    for event in events:
        run.apply(event)
    return run


def are_final(states: Sequence[S]) -> bool:
    return all(IS_FINAL[state] for state in states)
