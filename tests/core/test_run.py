"""What has happened: events in, and where the run stands; what cannot have happened is refused."""

from __future__ import annotations

import pytest
from core_runs import (
    T,
    allowed,
    attached,
    done,
    ended,
    event_for,
    expanded,
    failed,
    happens,
    is_now,
    plan_of,
    retrying,
    run_after,
    running,
    state_of,
    stopping,
)

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.run import OutOfOrderError, Run, finished_states, tally

CHAIN = plan_of(a="", b="a")
MAPPED = plan_of(load="", score=T(over="load"), best="score")


def test_a_run_begins_with_everything_pending() -> None:
    run = Run(plan_of(a="", b="a", c=""))

    assert run.state == [S.PENDING] * 3
    assert run.counts[S.PENDING] == run.unfinished == 3
    assert (run.run_state, run.seq, run.in_flight) == (S.PENDING, 0, 0)


@pytest.mark.parametrize("seq", [0, 1, 3, -1])
def test_a_gap_or_a_second_writer_is_refused(seq: int) -> None:
    run = run_after(CHAIN)

    event = event_for(run, "a", S.RUNNING)._replace(seq=seq)

    with pytest.raises(OutOfOrderError, match=f"event {seq} came after event 1"):
        run.apply(event)


@pytest.mark.parametrize("final", [state for state in S if IS_FINAL[state]])
@pytest.mark.parametrize("later", [S.RUNNING, S.SUCCESS, S.FAILED, S.RETRYING])
def test_what_has_ended_has_ended_for_good(final: S, later: S) -> None:
    run = run_after(CHAIN, *ended(final, "a"))

    with pytest.raises(OutOfOrderError, match="for good"):
        run.apply(event_for(run, "a", later))


def test_what_runs_cannot_begin_again() -> None:
    run = run_after(CHAIN, *running("a"))

    with pytest.raises(OutOfOrderError, match="running already"):
        run.apply(event_for(run, "a", S.RUNNING))


def test_a_task_is_mapped_once() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 2))

    with pytest.raises(OutOfOrderError, match="mapped already"):
        happens(run, *expanded("score", 3))


@pytest.mark.parametrize(("node", "index"), [(1, 2), (1, 99), (0, 0)])
def test_a_child_that_there_is_not_is_refused(node: int, index: int) -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 2))

    event = event_for(run, "score[0]", S.RUNNING)._replace(node=node, index=index)

    with pytest.raises(OutOfOrderError, match=f"has no child {index}"):
        run.apply(event)


def test_after_the_end_nothing_can_happen_to_a_task() -> None:
    run = run_after(CHAIN, *done("a"), is_now("run", S.FAILED))

    with pytest.raises(OutOfOrderError):
        happens(run, *running("b"))


def test_each_try_has_its_number() -> None:
    run = run_after(CHAIN, *retrying("a", due_us=1), *retrying("a", due_us=2), *running("a"))

    assert run.attempt == [3, 0]


def test_children_are_numbered_behind_the_tasks_in_the_order_of_their_making() -> None:
    run = run_after(plan_of(a="", x=T(over="a"), y=T(over="a")), *done("a"), *expanded("y", 2), *expanded("x", 1))

    assert [run.place_of(number) for number in range(len(run.state))] == [
        *((node, UNMAPPED) for node in range(3)),
        (2, 0),
        (2, 1),
        (1, 0),
    ]
    assert all(run.number_at(run.key_of(number)) == number for number in range(len(run.state)))
    assert all(run.number_of(*run.place_of(number)) == number for number in range(len(run.state)))


def test_the_frontier_is_in_the_order_of_definition_and_then_of_the_elements() -> None:
    run = run_after(plan_of(a="", x=T(over="a"), y=T(over="a")), *done("a"), *expanded("y", 2), *expanded("x", 2))

    keys = sorted(run.key_of(number) for number in range(3, len(run.state)))

    assert [run.place_of(run.number_at(key)) for key in keys] == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_mapped_task_stands_for_its_children() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 2), *failed("score[1]"), *done("score[0]"))

    assert finished_states(run, 1) == [S.SUCCESS, S.FAILED]
    assert finished_states(run, 0) == [S.SUCCESS]


def test_what_is_told_to_start_is_in_flight_until_it_ends_or_rests() -> None:
    run = run_after(plan_of(a="", b="", c=""), ("a", S.QUEUED), *running("b"))
    assert run.in_flight == 2

    happens(run, is_now("b", S.RETRYING, due_us=9), *done("a"))

    assert run.in_flight == 0


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (S.CANCELLED, "NOT_RUN NOT_RUN NOT_RUN NOT_RUN"),
        (S.SUCCESS, "NOT_RUN NOT_RUN NOT_RUN NOT_RUN"),
        (S.CRASHED, "CRASHED NOT_RUN NOT_RUN NOT_RUN"),
    ],
)
def test_what_has_not_ended_with_the_run_did_not_run_or_crashed_with_it(end: S, left: str) -> None:
    run = run_after(
        plan_of(a="", b="", c="", d=""), *running("a"), *retrying("b", due_us=9), *ended(S.PAUSED, "c"),
        is_now("run", end),
    )  # fmt: skip

    assert [state.name for state in run.state] == left.split()
    assert run.is_over
    assert (run.unfinished, run.frontier, run.due) == (0, [], [])


def test_a_paused_run_is_over_and_its_tasks_stand_as_they_stood() -> None:
    run = run_after(CHAIN, *ended(S.PAUSED, "a"), is_now("run", S.PAUSED))

    assert run.is_over
    assert run.state == [S.PAUSED, S.PENDING]


def test_somebody_has_asked_it_to_stop() -> None:
    run = run_after(CHAIN, *running("a"), *stopping(S.CANCELLED))

    assert run.stopping is S.CANCELLED
    assert not run.is_over
    assert run.state[0] is S.RUNNING


def test_a_verdict_makes_a_paused_task_pending_again() -> None:
    run = run_after(CHAIN, *ended(S.PAUSED, "a"), *allowed("a"))

    assert state_of(run, "a") is S.PENDING
    assert not run.paused


def test_given_states_are_there_from_the_beginning() -> None:
    run = Run(plan_of(a="", b="a", c="b", presets={"a": S.SKIPPED, "b": S.FAILED}))

    assert run.state == [S.SKIPPED, S.FAILED, S.PENDING]
    assert (run.skipped, run.failed) == ([0, 1, 0], [0, 0, 1])
    assert run.unfinished == 1


def test_the_counts_of_a_trigger_are_those_of_all_children() -> None:
    run = run_after(
        MAPPED, *done("load"), *expanded("score", 3), *failed("score[1]"), *ended(S.SKIPPED, "score[0]"),
        *done("score[2]"), is_now("score", S.MAPPED),
    )  # fmt: skip

    counts = run.counts_before(2)

    assert (counts.total, counts.failed, counts.skipped) == (3, 1, 1)


def test_over_an_empty_list_there_is_nothing_to_count() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 0), is_now("score", S.MAPPED))

    assert run.counts_before(2).total == 0


def test_a_child_counts_its_own_lane_and_what_its_task_waited_for() -> None:
    plan = plan_of(a="", b="", x=T(over="a"), y=T("b", over="x", ignores_skips=True))

    run = run_after(plan, *done("a"), *ended(S.SKIPPED, "b"), *expanded("x", 2), *failed("x[1]"), *expanded("y", 2))

    one = run.counts_before(run.number_of(3, 1))
    assert (one.total, one.failed, one.skipped) == (2, 1, 1)


def test_every_kind_of_event_is_understood() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 1), *allowed("score[0]"), *attached("load", "rows"))

    assert run.seq == 6
    assert run.attached == {run.number_of(0, -1): {"rows": "rows"}}
    assert {kind.value for kind in Kind} == {"run", "task", "expanded", "verdict", "artifact", "reopened"}


def test_a_mapped_task_counts_as_its_children_and_by_itself_without_any() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 3), *done("score[0]"), *running("score[1]"))
    alone = run_after(MAPPED, *done("load"), *expanded("score", 0))

    assert tally(run) == {S.PENDING: 2, S.RUNNING: 1, S.SUCCESS: 2}
    assert tally(run, S.FAILED) == {S.SUCCESS: 2, S.NOT_RUN: 3}
    assert tally(run, S.CRASHED) == {S.SUCCESS: 2, S.CRASHED: 1, S.NOT_RUN: 2}
    assert tally(alone) == {S.PENDING: 1, S.EXPANDED: 1, S.SUCCESS: 1}
