"""What holds for any flow, any luck and any order of outcomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from core_runs import laws
from hypothesis import given, settings, strategies as st
from random_runs import Flow, Node, Unfolding, are_final, ends_of, expected_ends, flows, rebuilt

from notebook_flows.core import triggers
from notebook_flows.core.decide import Start, asked_in_turn, decide
from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, IS_SUCCESSFUL, S
from notebook_flows.core.run import Run

seeds = st.integers(0, 2**32)
rooms = st.integers(1, 4)


def unfolded(flow: Flow, seed: int, *, room: int = 3, in_segments: bool = False, look=lambda _: None) -> Unfolding:
    world = Unfolding(flow, Run(flow.plan()), room=room, in_segments=in_segments)
    world.to_the_end(Random(seed).randrange, look)
    return world


@laws(150)
@given(flows(), seeds, rooms, st.booleans())
def test_every_task_run_ends_as_a_naive_evaluation_says(flow: Flow, seed: int, room: int, in_segments: bool) -> None:
    world = unfolded(flow, seed, room=room, in_segments=in_segments)

    assert ends_of(world.run) == expected_ends(flow)


@laws(80)
@given(flows(chains=True), seeds, rooms)
def test_chains_sent_as_segments_end_as_a_naive_evaluation_says(flow: Flow, seed: int, room: int) -> None:
    world = unfolded(flow, seed, room=room, in_segments=True)

    assert ends_of(world.run) == expected_ends(flow)


@laws(80)
@given(flows(), seeds, st.booleans())
def test_every_task_run_ends_once_and_for_good(flow: Flow, seed: int, in_segments: bool) -> None:
    world = unfolded(flow, seed, in_segments=in_segments)

    finals = Counter(
        (event.node, event.index) for event in world.events if event.kind is Kind.TASK and IS_FINAL[event.state]
    )
    given_ones = {(place, UNMAPPED) for place in world.run.plan.presets}
    assert are_final(world.run.state)
    assert set(finals.values()) <= {1}
    assert finals.keys() | given_ones == ends_of(world.run).keys()
    assert finals.keys().isdisjoint(given_ones)
    assert world.run.unfinished == world.run.in_flight == 0


@laws(80)
@given(flows(chains=True), seeds, rooms, st.booleans())
def test_nothing_starts_before_what_it_waits_for_has_ended(flow: Flow, seed: int, room: int, in_segments: bool) -> None:
    world = unfolded(flow, seed, room=room, in_segments=in_segments)

    run = Run(world.run.plan)
    for event in world.events:
        if event.kind is Kind.TASK and event.state is S.RUNNING:
            assert _waits_for_nothing(run, event)
        run.apply(event)


def _waits_for_nothing(run: Run, event: Event) -> bool:
    for one in run.plan.graph.inputs[event.node]:
        children = run.children.get(one.upstream)
        is_lane = children is not None and one.is_mapped and not one.is_flattened
        number = children.first + event.index if is_lane and children is not None else one.upstream
        if not IS_FINAL[run.state[number]]:
            return False
    return True


@laws(80)
@given(flows(), seeds)
def test_with_the_default_trigger_it_runs_if_and_only_if_all_before_it_succeeded(flow: Flow, seed: int) -> None:
    world = unfolded(flow, seed)

    ends = ends_of(world.run)
    ran = {event.node for event in world.events if event.state is S.RUNNING and event.kind is Kind.TASK}
    for place, node in enumerate(flow.nodes):
        if node.trigger is triggers.all_successful and node.preset is None and not any(edge[1] for edge in node.edges):
            before = [
                state
                for upstream, *_ in node.edges
                for (task, index), state in ends.items()
                if task == upstream and (index != UNMAPPED) == (upstream in world.run.children)
            ]
            allowed = all(IS_SUCCESSFUL[state] and (state is not S.SKIPPED or node.ignores_skips) for state in before)
            assert (place in ran) == allowed


@laws(80)
@given(flows(chains=True), seeds, rooms, st.booleans())
def test_no_command_is_told_twice(flow: Flow, seed: int, room: int, in_segments: bool) -> None:
    world = unfolded(flow, seed, room=room, in_segments=in_segments)

    assert [command for command, times in Counter(world.told).items() if times > 1] == []


@laws(80)
@given(flows(chains=True), seeds, st.booleans())
def test_a_run_rebuilt_from_its_events_stands_where_the_live_one_stands(
    flow: Flow, seed: int, in_segments: bool
) -> None:
    def same(live: Unfolding) -> None:
        again = rebuilt(live.run.plan, live.events)
        states = [S.PENDING if state is S.QUEUED and not attempt else state for state, attempt in _told(live.run)]
        assert [state for state in again.state if state is not S.RETRYING] == [
            state for state in states if state is not S.RETRYING
        ]
        assert again.attempt == live.run.attempt
        assert again.loops == live.run.loops
        assert again.children == live.run.children
        assert again.unfinished == live.run.unfinished
        assert (again.seq, again.run_state, again.has_failed) == (
            live.run.seq,
            live.run.run_state,
            live.run.has_failed,
        )

    world = unfolded(flow, seed, in_segments=in_segments)

    same(world)
    assert rebuilt(world.run.plan, world.events).counts == world.run.counts


def _told(run: Run) -> list[tuple[S, int]]:
    return list(zip(run.state, run.attempt, strict=True))


@laws(50)
@given(flows(), seeds, st.integers(0, 60), seeds)
def test_a_run_rebuilt_in_the_middle_goes_on_to_the_same_end(flow: Flow, seed: int, stop: int, other: int) -> None:
    whole = unfolded(flow, seed)
    events = [event for event in whole.events if event.kind is not Kind.RUN or event.seq == 1][: stop + 1]

    world = Unfolding(flow, rebuilt(whole.run.plan, events), events=list(events))
    world.at_work = [[number] for number, state in enumerate(world.run.state) if state is S.RUNNING]
    world.to_the_end(Random(other).randrange, begins=False)

    assert ends_of(world.run) == expected_ends(flow)


@laws(50)
@given(flows(), seeds, seeds, rooms, rooms)
def test_the_order_of_outcomes_does_not_change_how_it_ends(
    flow: Flow, one: int, other: int, room: int, wide: int
) -> None:
    first, second = unfolded(flow, one, room=room), unfolded(flow, other, room=wide, in_segments=True)

    assert ends_of(first.run) == ends_of(second.run)
    assert first.run.run_state is second.run.run_state
    assert first.run.counts == second.run.counts


@laws(50)
@given(flows(chains=True), seeds, rooms, st.booleans())
def test_never_more_at_work_than_there_is_room(flow: Flow, seed: int, room: int, in_segments: bool) -> None:
    def look(world: Unfolding) -> None:
        assert world.run.in_flight == len(world.at_work) <= room

    unfolded(flow, seed, room=room, in_segments=in_segments, look=look)


independent = st.lists(st.sampled_from([(), (0,), (1,), (0, 1), (1, 0)]), max_size=12).map(
    lambda limits: Flow(tuple(Node(limits=one) for one in limits), limit_sizes=(1, 2))
)


@laws(80)
@given(flows() | independent, seeds, st.booleans())
def test_limits_are_kept_and_their_places_not_left_empty(flow: Flow, seed: int, in_segments: bool) -> None:
    def look(world: Unfolding) -> None:
        run, plan = world.run, world.run.plan
        used = Counter(limit for segment in world.at_work for limit in plan.limits.get(run.place_of(segment[0])[0], ()))
        for limit, size in enumerate(plan.limit_sizes):
            assert run.limit_used[limit] == used[limit] <= size
        if not run.frontier and not run.is_over:
            for key in (key for parked in run.parked for key in parked):
                number = run.number_at(key)
                assert any(used[limit] == plan.limit_sizes[limit] for limit in plan.limits[run.place_of(number)[0]])

    unfolded(flow, seed, room=100, in_segments=in_segments, look=look)


@laws(50)
@given(flows(), seeds)
def test_the_counts_are_those_of_the_states_at_every_moment(flow: Flow, seed: int) -> None:
    def look(world: Unfolding) -> None:
        counted = Counter(world.run.state)
        assert {S(number): count for number, count in enumerate(world.run.counts) if count} == counted
        assert world.run.unfinished == sum(not IS_FINAL[state] for state in world.run.state)

    unfolded(flow, seed, in_segments=True, look=look)


@laws(200)
@given(flows(chains=True, most=14), st.integers(2, 64))
def test_many_told_to_run_one_by_one_run_in_the_order_of_being_told_alone(flow: Flow, room: int) -> None:
    one_by_one, alone = in_turn(flow, room), in_turn(flow, 1)

    assert _starts(one_by_one) == _starts(alone)
    assert ends_of(one_by_one.run) == ends_of(alone.run)


@laws(200)
@given(flows(chains=True, most=14), st.integers(2, 64), st.data())
def test_what_need_not_run_is_walked_through_in_the_order_of_being_told_alone(
    flow: Flow, room: int, data: st.DataObject
) -> None:
    fates = data.draw(st.lists(st.sampled_from("hhhmp"), min_size=len(flow.nodes), max_size=len(flow.nodes)))
    asked = frozenset(node for node, fate in enumerate(fates) if fate != "p")
    hits = frozenset(node for node, fate in enumerate(fates) if fate == "h")
    walked, alone = in_turn(flow, room, asked, hits, walks=True), in_turn(flow, 1, asked, hits)

    assert _starts(walked) == _starts(alone)
    assert ends_of(walked.run) == ends_of(alone.run)
    assert walked.run.counts == alone.run.counts


def in_turn(
    flow: Flow,
    room: int,
    asked: frozenset[int] = frozenset(),
    hits: frozenset[int] = frozenset(),
    *,
    walks: bool = False,
) -> Unfolding:
    """The run with one worker, which takes what it is told in turn, and of which nothing is decided meanwhile.

    Args:
        flow: what runs.
        room: how many it may be told to run at once.
        asked: the tasks of which is asked whether they need run.
        hits: those of them that need not.
        walks: they are asked about with `asked_in_turn` as far as that goes, and once they are told to start elsewhere.
    """
    plain = [
        place not in asked and all(tries == loops == 0 for tries, loops, _ in node.lucks)
        for place, node in enumerate(flow.nodes)
    ]
    world = Unfolding(flow, Run(replace(flow.plan(), plain=plain)))
    run = world.run

    def need_not_run(number: int) -> bool:
        is_hit = run.place_of(number)[0] in hits and not run.attempt[number] and number not in run.loops
        if is_hit:
            world.record(Kind.TASK, number, S.CACHED)
        return is_hit

    world.record(Kind.RUN, RUN_ITSELF, S.RUNNING)
    while not run.is_over:
        first = next(
            (number for number in asked_in_turn(run, asked if walks else ()) if not need_not_run(number)), None
        )
        if first is not None:
            run.put_back(first)
        commands = decide(run, room=room, now_us=world.now_us, one_by_one=True)
        assert first is None or commands[0] == Start(first)
        for command in commands:
            if not isinstance(command, Start) or not need_not_run(command.number):
                world.obey(command)
        if not commands:
            world.now_us = max(world.now_us, world.run.due[0][0])
        while world.at_work:
            world.go_on(lambda _: 0)
    return world


def _starts(world: Unfolding) -> list[tuple[int, int, int, int]]:
    begun = (S.RUNNING, S.CACHED)
    return [(event.node, event.index, event.attempt, event.loop) for event in world.events if event.state in begun]


def test_many_plain_tasks_are_told_to_run_at_once() -> None:
    """Tests the law above: it would hold too if only one were told at a time."""
    flow = Flow((Node(), Node(((0, False, False),)), *[Node()] * 8, Node(((9, False, False),))))

    run = Run(replace(flow.plan(), plain=[True] * 11))
    run.apply(Event(1, 0, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, None))
    first = decide(run, room=64, now_us=0, one_by_one=True)
    for number, state in enumerate((S.RUNNING, S.SUCCESS), 2):
        run.apply(Event(number, 0, Kind.TASK, 0, UNMAPPED, 1, 1, state, None))
    second = decide(run, room=64, now_us=0, one_by_one=True)

    assert first == [Start(0)]
    assert second == [Start(number) for number in range(1, 10)]


def test_a_chain_that_is_known_is_walked_through_without_deciding() -> None:
    """Tests the law above: it would hold too if nothing were ever walked through."""
    flow = Flow((Node(), Node(((0, False, False),)), Node(), Node(((1, False, False),)), Node(((3, False, False),))))
    run = Run(replace(flow.plan(), plain=[False] * 4 + [True]))
    asked = frozenset(range(4))
    run.apply(Event(1, 0, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, None))

    walked = []
    for seq, number in enumerate(asked_in_turn(run, asked), 2):
        walked.append(number)
        run.apply(Event(seq, 0, Kind.TASK, number, UNMAPPED, 0, 1, S.CACHED, None))

    assert walked == [0, 1, 2, 3]
    assert decide(run, room=1, now_us=0) == [Start(4)]


def test_what_has_a_trigger_limit_or_failure_before_it_is_left_to_decide() -> None:
    chain = (Node(), Node(((0, False, False),)))

    def after(flow: Flow, first: S) -> int | None:
        run = Run(flow.plan())
        run.apply(Event(1, 0, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, None))
        assert decide(run, room=1, now_us=0) == [Start(0)]
        run.apply(Event(2, 0, Kind.TASK, 0, UNMAPPED, 0, 1, first, None))
        return next(asked_in_turn(run, frozenset({0, 1})), None)

    assert after(Flow(chain), S.CACHED) == 1
    assert after(Flow(chain), S.FAILED) is None
    assert after(Flow(chain), S.SKIPPED) is None
    assert after(Flow((chain[0], replace(chain[1], trigger=triggers.any_failed))), S.CACHED) is None
    assert after(Flow((chain[0], replace(chain[1], limits=(0,))), limit_sizes=(1,)), S.CACHED) is None


def test_the_world_of_these_tests_has_all_kinds_of_events() -> None:
    """Tests the tests: over a few hundred flows, everything that can happen has happened."""
    seen: Counter[object] = Counter()

    @settings(laws(200), derandomize=True, database=None)
    @given(flows(chains=True))
    def look(flow: Flow) -> None:
        world = unfolded(flow, 0, in_segments=True)
        seen.update(event.state for event in world.events)
        seen.update(event.kind for event in world.events)

    look()

    elsewhere = {S.PENDING, S.QUEUED, S.PAUSED, S.CANCELLED, S.NOT_RUN}
    assert set(S) - elsewhere <= seen.keys()
    others = {Kind.ARTIFACT, Kind.REOPENED}  # what is attached changes no state; of the other speaks test_reopening.py
    assert set(Kind) - others <= seen.keys()
