"""Task runs that have failed are tried again while their run goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from core_runs import laws, plan_from
from hypothesis import given, strategies as st
from random_runs import Flow, Unfolding, ends_of, expected_ends, flows, rebuilt

from notebook_flows.core import triggers
from notebook_flows.core.decide import Judge, Mark, Start, decide
from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.graph import Input
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.run import OutOfOrderError, Run

seeds = st.integers(0, 2**32)


@dataclass(frozen=True)
class Lucky(Flow):
    """A flow whose task runs have luck, once they are tried again."""

    lucky: set[tuple[int, int]] = field(default_factory=set)

    def luck(self, node: int, index: int) -> tuple[int, int, S]:
        return (0, 0, S.SUCCESS) if (node, index) in self.lucky else super().luck(node, index)


def reopen(world: Unfolding) -> None:
    """Have all tried again that has not ended well, and what that had led to."""
    run = world.run
    wanted = [number for number in range(len(run.state)) if run.can_be_reopened(number)]
    for node in sorted({run.place_of(number)[0] for number in wanted if number >= len(run.plan.graph)}):
        if run.state[node] is S.MAPPED:
            world.record(Kind.REOPENED, node, S.EXPANDED)
    for number in wanted:
        world.record(Kind.REOPENED, number, S.PENDING)


def unfolded(flow: Flow, seed: int, times: int, *, in_segments: bool) -> Unfolding:
    """A run in the midst of which what has failed is tried again, with luck."""
    random = Random(seed)
    lucky: set[tuple[int, int]] = set()
    lucky_flow = Lucky(flow.nodes, flow.limit_sizes, lucky)
    left = [times]

    def look(world: Unfolding) -> None:
        counted = Counter(world.run.state)
        assert {S(number): count for number, count in enumerate(world.run.counts) if count} == counted
        assert world.run.unfinished == sum(not IS_FINAL[state] for state in world.run.state)
        if world.run.is_over or not left[0] or random.randrange(3):
            return
        left[0] -= 1
        lucky.update(
            world.run.place_of(number) for number in range(len(world.run.state)) if world.run.can_be_reopened(number)
        )
        reopen(world)

    world = Unfolding(lucky_flow, Run(flow.plan()), in_segments=in_segments)
    world.to_the_end(random.randrange, look)
    return world


def with_default_triggers(flow: Flow) -> Flow:
    return Flow(tuple(replace(node, trigger=triggers.all_successful) for node in flow.nodes), flow.limit_sizes)


@laws(300)
@given(flows(chains=True).map(with_default_triggers), seeds, st.integers(1, 4), st.booleans())
def test_the_run_ends_as_if_what_was_tried_again_had_had_luck_from_the_first(
    flow: Flow, seed: int, times: int, in_segments: bool
) -> None:
    world = unfolded(flow, seed, times, in_segments=in_segments)

    assert ends_of(world.run) == expected_ends(world.flow)


@laws(300)
@given(flows(chains=True), seeds, st.integers(1, 4), st.booleans())
def test_whatever_the_triggers_are_it_comes_to_an_end_and_is_rebuilt_to_the_same(
    flow: Flow, seed: int, times: int, in_segments: bool
) -> None:
    world = unfolded(flow, seed, times, in_segments=in_segments)

    again = rebuilt(world.run.plan, world.events)
    assert (again.state, again.counts, again.unfinished) == (world.run.state, world.run.counts, 0)


@laws(60)
@given(flows(chains=True), seeds)
def test_whoever_waits_for_room_in_a_limit_is_not_forgotten(flow: Flow, seed: int) -> None:
    """All tasks share one limit, and each runs because of a failure before it, or whatever happened."""
    random = Random(seed)
    chosen = [triggers.any_failed, triggers.all_finished, triggers.all_successful]
    nodes = tuple(replace(node, trigger=random.choice(chosen), limits=(0,)) for node in flow.nodes)

    world = unfolded(Flow(nodes, (1,)), seed, 4, in_segments=False)

    assert world.run.unfinished == 0


# -- one flow ----------------------------------------------------------------------------------------------------------


def run_of_three() -> Run:
    """``load`` has failed, and so ``clean``, which waits for it, did not run; ``other`` runs."""
    graph = [[], [Input(0, "x", False, False)], []]
    run = Run(plan_from(graph, names=["load", "clean", "other"]))
    told = [
        (Kind.RUN, RUN_ITSELF, 0, S.RUNNING),
        (Kind.TASK, 0, 1, S.RUNNING),
        (Kind.TASK, 2, 1, S.RUNNING),
        (Kind.TASK, 0, 1, S.FAILED),
        (Kind.TASK, 1, 0, S.UPSTREAM_FAILED),
    ]
    for kind, node, attempt, state in told:
        apply(run, kind, node, state, attempt)
    return run


def apply(run: Run, kind: Kind, node: int, state: S, attempt: int = 0) -> None:
    run.apply(Event(run.seq + 1, 0, kind, node, UNMAPPED, attempt, 1, state, None))


def test_what_failed_starts_again_and_what_waits_for_it_after_that() -> None:
    run = run_of_three()

    apply(run, Kind.REOPENED, 1, S.PENDING)
    apply(run, Kind.REOPENED, 0, S.PENDING, 1)
    first = decide(run, room=3, now_us=0)
    apply(run, Kind.TASK, 0, S.RUNNING, 2)
    apply(run, Kind.TASK, 0, S.SUCCESS, 2)
    second = decide(run, room=3, now_us=0)

    assert (first, second) == ([Start(0)], [Start(1)])
    assert run.attempt == [2, 0, 1]
    assert not run.has_failed


def test_what_fails_again_leads_to_the_same() -> None:
    run = run_of_three()
    apply(run, Kind.REOPENED, 0, S.PENDING, 1)
    apply(run, Kind.REOPENED, 1, S.PENDING)
    decide(run, room=3, now_us=0)
    apply(run, Kind.TASK, 0, S.RUNNING, 2)
    apply(run, Kind.TASK, 0, S.FAILED, 2)

    commands = decide(run, room=3, now_us=0)

    assert commands == [Mark(1, S.UPSTREAM_FAILED, "after load")]


@pytest.mark.parametrize("node", [1, 2])
def test_what_has_not_ended_or_ended_well_cannot_be_tried_again(node: int) -> None:
    run = run_of_three()
    apply(run, Kind.REOPENED, 1, S.PENDING)

    with pytest.raises(OutOfOrderError, match="cannot be tried again"):
        apply(run, Kind.REOPENED, node, S.PENDING)


def test_who_waits_for_room_in_a_limit_and_then_need_not_run_keeps_nobody_from_it() -> None:
    """``holds`` has the only place; ``alert``, which runs if ``load`` fails, and ``last`` want it."""
    graph = [[], [], [Input(1, None, False, False)], []]
    plan = plan_from(
        graph,
        names=["holds", "load", "alert", "last"],
        judges={2: triggers.any_failed.judge},
        complaints={2: "nothing has failed"},
        limits={0: (0,), 2: (0,), 3: (0,)},
        limit_sizes=(1,),
    )
    run = Run(plan)
    apply(run, Kind.RUN, RUN_ITSELF, S.RUNNING)
    apply(run, Kind.TASK, 0, S.RUNNING, 1)
    apply(run, Kind.TASK, 1, S.RUNNING, 1)
    apply(run, Kind.TASK, 1, S.FAILED, 1)
    assert decide(run, room=3, now_us=0) == []

    apply(run, Kind.REOPENED, 1, S.PENDING, 1)
    first = decide(run, room=3, now_us=0)
    apply(run, Kind.TASK, 1, S.RUNNING, 2)
    apply(run, Kind.TASK, 1, S.SUCCESS, 2)
    second = decide(run, room=3, now_us=0)
    apply(run, Kind.TASK, 2, S.UPSTREAM_FAILED)
    apply(run, Kind.TASK, 0, S.SUCCESS, 1)
    third = decide(run, room=3, now_us=0)

    assert (first, second, third) == ([Start(1)], [Mark(2, S.UPSTREAM_FAILED, "nothing has failed")], [Start(3)])


@pytest.mark.parametrize("is_custom", [False, True])
def test_what_ran_because_of_a_failure_and_failed_does_not_run_again_if_there_is_none_any_more(is_custom: bool) -> None:
    judge = None if is_custom else triggers.any_failed.judge
    plan = plan_from([[], [Input(0, None, False, False)], []], judges={1: judge}, complaints={1: "nothing has failed"})
    run = Run(plan)
    apply(run, Kind.RUN, RUN_ITSELF, S.RUNNING)
    apply(run, Kind.TASK, 2, S.RUNNING, 1)
    apply(run, Kind.TASK, 0, S.RUNNING, 1)
    apply(run, Kind.TASK, 0, S.FAILED, 1)
    if is_custom:
        apply(run, Kind.VERDICT, 1, S.PENDING)
    apply(run, Kind.TASK, 1, S.RUNNING, 1)
    apply(run, Kind.TASK, 1, S.FAILED, 1)
    apply(run, Kind.REOPENED, 0, S.PENDING, 1)
    apply(run, Kind.REOPENED, 1, S.PENDING, 1)
    apply(run, Kind.TASK, 0, S.RUNNING, 2)
    apply(run, Kind.TASK, 0, S.SUCCESS, 2)

    commands = decide(run, room=3, now_us=0)

    assert commands == [Judge(1) if is_custom else Mark(1, S.UPSTREAM_FAILED, "nothing has failed")]


def run_of_mapped(*, lane: bool) -> Run:
    """Of two children of ``each`` one has failed; ``after`` takes the list, or is mapped over it; ``other`` runs."""
    inputs = [[], [Input(0, "x", True, False)], [Input(1, "x", lane, False)], []]
    run = Run(plan_from(inputs))
    run.apply(Event(1, 0, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, None))
    at(run, 3, UNMAPPED, S.RUNNING)
    at(run, 0, UNMAPPED, S.RUNNING, S.SUCCESS)
    decide(run, room=0, now_us=0)
    run.apply(Event(run.seq + 1, 0, Kind.EXPANDED, 1, UNMAPPED, 0, 1, S.EXPANDED, {"width": 2}))
    if lane:
        run.apply(Event(run.seq + 1, 0, Kind.EXPANDED, 2, UNMAPPED, 0, 1, S.EXPANDED, {"width": 2}))
    at(run, 1, 0, S.RUNNING, S.SUCCESS)
    at(run, 1, 1, S.RUNNING, S.FAILED)
    at(run, 1, UNMAPPED, S.MAPPED)
    at(run, 2, 1 if lane else UNMAPPED, S.UPSTREAM_FAILED)
    return run


def at(run: Run, node: int, index: int, *states: S) -> None:
    for state in states:
        attempt = run.attempt[run.number_of(node, index)] + (state is S.RUNNING)
        run.apply(Event(run.seq + 1, 0, Kind.TASK, node, index, attempt, 1, state, None))


def reopened(run: Run, node: int, index: int, state: S) -> None:
    run.apply(Event(run.seq + 1, 0, Kind.REOPENED, node, index, 0, 1, state, None))


def test_a_child_of_a_mapped_task_that_had_ended_is_tried_again_and_the_whole_list_is_handed_on() -> None:
    run = run_of_mapped(lane=False)
    reopened(run, 1, UNMAPPED, S.EXPANDED)
    reopened(run, 1, 1, S.PENDING)
    reopened(run, 2, UNMAPPED, S.PENDING)

    child = run.number_of(1, 1)
    first = decide(run, room=3, now_us=0)
    at(run, 1, 1, S.RUNNING, S.SUCCESS)
    second = decide(run, room=3, now_us=0)
    at(run, 1, UNMAPPED, S.MAPPED)
    third = decide(run, room=3, now_us=0)

    assert (first, second, third) == ([Start(child)], [Mark(1, S.MAPPED, "")], [Start(2)])
    assert run.counts_before(2).total == 2


def test_a_child_that_waits_for_one_that_is_tried_again_runs_after_it() -> None:
    run = run_of_mapped(lane=True)
    reopened(run, 1, UNMAPPED, S.EXPANDED)
    reopened(run, 2, 1, S.PENDING)
    reopened(run, 1, 1, S.PENDING)

    first = decide(run, room=1, now_us=0)
    at(run, 1, 1, S.RUNNING, S.SUCCESS)
    at(run, 1, UNMAPPED, S.MAPPED)
    at(run, 2, 0, S.RUNNING, S.SUCCESS)
    second = decide(run, room=1, now_us=0)

    assert (first, second) == ([Start(run.number_of(1, 1))], [Start(run.number_of(2, 1))])


def test_a_child_is_not_tried_again_before_its_mapped_task_is() -> None:
    run = run_of_mapped(lane=False)

    with pytest.raises(OutOfOrderError, match="has ended, and so have its children"):
        reopened(run, 1, 1, S.PENDING)
