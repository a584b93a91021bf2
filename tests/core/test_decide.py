"""What follows from what has happened: events in, commands out."""

from __future__ import annotations

import pytest
from core_runs import (
    HOUR_US,
    T,
    allowed,
    decided,
    done,
    end,
    ended,
    expand,
    expanded,
    failed,
    happens,
    is_now,
    judge,
    mark,
    plan_of,
    retrying,
    run_after,
    running,
    skipped,
    start,
    starts,
    state_of,
    stopping,
)

from notebook_flows.core import triggers
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, IS_SUCCESSFUL, S

ETL = plan_of(load="", clean="load", count="load", report="clean count")
CHAIN = plan_of(a="", b="a", c="b", d="c")
ALL_GOOD = end(S.SUCCESS, "All reference tasks succeeded.")
NONE_FAILED = end(S.SUCCESS, "No reference tasks failed.")
SOME_FAILED = end(S.FAILED, "Some reference tasks failed.")


# -- order -------------------------------------------------------------------------------------------------------------


def test_at_first_what_waits_for_nothing_starts_in_the_order_of_definition() -> None:
    run = run_after(plan_of(b="", a="", after="a b"))

    assert decided(run) == starts("b", "a")


def test_what_waited_for_one_task_starts_when_that_has_ended() -> None:
    run = run_after(ETL, *done("load"))

    assert decided(run) == starts("clean", "count")


def test_what_waits_for_two_tasks_does_not_start_after_one() -> None:
    run = run_after(ETL, *done("load", "clean"), *running("count"))

    assert decided(run) == []


def test_two_edges_from_the_same_task_are_one_wait() -> None:
    run = run_after(plan_of(load="", double="load load"), *done("load"))

    assert decided(run) == starts("double")


def test_no_more_starts_than_there_is_room_and_the_rest_later() -> None:
    run = run_after(plan_of(a="", b="", c=""))

    assert decided(run, room=2) == starts("a", "b")
    happens(run, *done("a"))
    assert decided(run, room=1) == starts("c")


def test_without_room_nothing_starts_and_the_run_does_not_end() -> None:
    run = run_after(ETL)

    assert decided(run, room=0) == []
    assert decided(run, room=1) == starts("load")


def test_without_room_verdicts_are_spoken_all_the_same() -> None:
    run = run_after(ETL, *done("load"), *failed("clean"), *done("count"))

    assert decided(run, room=0) == [mark("report", S.UPSTREAM_FAILED, "after clean")]


def test_an_empty_flow_ends_at_once_and_well() -> None:
    run = run_after(plan_of())

    assert decided(run) == [ALL_GOOD]


def test_nothing_follows_before_the_run_has_ended_but_something_runs() -> None:
    run = run_after(ETL, *running("load"))

    assert decided(run) == []


# -- failures, skips, triggers -----------------------------------------------------------------------------------------


def test_a_failure_stops_its_descendants_and_nobody_else() -> None:
    run = run_after(ETL, *done("load"), *failed("clean"), ("count", S.QUEUED), *running("count"))

    assert decided(run) == []
    happens(run, is_now("count", S.SUCCESS))
    assert decided(run) == [mark("report", S.UPSTREAM_FAILED, "after clean")]


@pytest.mark.parametrize("state", [state for state in S if IS_FAILED[state]])
def test_whatever_way_it_failed_what_waits_for_it_does_not_run(state: S) -> None:
    run = run_after(plan_of(load="", clean="load"), *ended(state, "load"))

    assert decided(run) == [mark("clean", S.UPSTREAM_FAILED, "after load")]


@pytest.mark.parametrize("state", [S.SUCCESS, S.CACHED])
def test_whatever_way_it_succeeded_what_waits_for_it_runs(state: S) -> None:
    run = run_after(plan_of(load="", clean="load"), *ended(state, "load"))

    assert decided(run) == starts("clean")


def test_failing_for_what_is_upstream_is_handed_on() -> None:
    run = run_after(CHAIN, *failed("a"), is_now("b", S.UPSTREAM_FAILED))

    assert decided(run) == [mark("c", S.UPSTREAM_FAILED, "after b")]


def test_a_skip_is_handed_on() -> None:
    run = run_after(CHAIN, *skipped("a"))

    assert decided(run) == [mark("b", S.SKIPPED, "after a skipped task")]


def test_what_ignores_skips_runs_after_one() -> None:
    run = run_after(plan_of(a="", b=T("a", ignores_skips=True)), *skipped("a"))

    assert decided(run) == starts("b")


def test_a_skip_comes_before_any_trigger() -> None:
    run = run_after(plan_of(a="", b=T("a", trigger=triggers.all_failed)), *skipped("a"))

    assert decided(run) == [mark("b", S.SKIPPED, "after a skipped task")]


def test_one_skipped_and_one_failed_skips() -> None:
    run = run_after(plan_of(a="", b="", c="a b"), *skipped("a"), *failed("b"))

    assert decided(run) == [mark("c", S.SKIPPED, "after a skipped task")]


GOOD, BAD, NONE = "SUCCESS SUCCESS", "FAILED FAILED", "SUCCESS FAILED"
SKIP = "SKIPPED SKIPPED"


@pytest.mark.parametrize(
    ("trigger", "upstream", "follows"),
    [
        (triggers.all_successful, GOOD, "runs"),
        (triggers.all_successful, NONE, "fails"),
        (triggers.all_successful, SKIP, "runs"),
        (triggers.all_failed, BAD, "runs"),
        (triggers.all_failed, NONE, "fails"),
        (triggers.all_failed, GOOD, "fails"),
        (triggers.any_successful, NONE, "runs"),
        (triggers.any_successful, BAD, "fails"),
        (triggers.any_successful, SKIP, "runs"),
        (triggers.any_failed, NONE, "runs"),
        (triggers.any_failed, GOOD, "fails"),
        (triggers.all_finished, BAD, "runs"),
        (triggers.always_run, NONE, "runs"),
        (triggers.not_all_skipped, SKIP, "skips"),
        (triggers.not_all_skipped, "SKIPPED SUCCESS", "runs"),
        (triggers.not_all_skipped, "SKIPPED FAILED", "fails"),
        (triggers.not_all_skipped, GOOD, "runs"),
        (triggers.manual_only, GOOD, "pauses"),
        (triggers.some_failed(at_least=1), NONE, "runs"),
        (triggers.some_failed(at_least=2), NONE, "fails"),
        (triggers.some_failed(at_most=1), BAD, "fails"),
        (triggers.some_failed(at_least=0.5), NONE, "runs"),
        (triggers.some_failed(at_least=0.6), NONE, "fails"),
        (triggers.some_successful(at_least=2), GOOD, "runs"),
        (triggers.some_successful(at_least=2), NONE, "fails"),
        (triggers.some_successful(at_least=1, at_most=1), NONE, "runs"),
        (triggers.some_successful(at_least=1, at_most=1), GOOD, "fails"),
    ],
)
def test_a_trigger_judges_by_how_the_tasks_before_ended(trigger: triggers.Trigger, upstream: str, follows: str) -> None:
    one, two = (S[word] for word in upstream.split())
    plan = plan_of(a="", b="", c=T("a b", trigger=trigger, ignores_skips=True))
    expected = {
        "runs": start("c"),
        "fails": mark("c", S.UPSTREAM_FAILED, trigger.complaint),
        "skips": mark("c", S.SKIPPED, trigger.complaint),
        "pauses": mark("c", S.PAUSED, trigger.complaint),
    }

    run = run_after(plan, *ended(one, "a"), *ended(two, "b"))

    assert decided(run) == [expected[follows]]


@pytest.mark.parametrize("trigger", [t for t in triggers._BY_NAME.values() if t is not triggers.manual_only])
def test_a_task_without_upstream_runs_unless_it_wants_all_of_nothing_skipped(trigger: triggers.Trigger) -> None:
    run = run_after(plan_of(a=T(trigger=trigger)))

    skips = trigger is triggers.not_all_skipped

    assert decided(run) == ([mark("a", S.SKIPPED, trigger.complaint)] if skips else starts("a"))


def test_a_trigger_of_the_users_own_is_judged_and_then_obeyed() -> None:
    run = run_after(plan_of(a="", b=T("a", own_trigger=True)), *failed("a"))

    assert decided(run) == [judge("b")]
    happens(run, *allowed("b"))
    assert decided(run) == starts("b")


# -- retries, loops, pauses --------------------------------------------------------------------------------------------


def test_a_retry_waits_until_it_is_due() -> None:
    run = run_after(CHAIN, *retrying("a", due_us=HOUR_US))

    assert decided(run, now_us=HOUR_US - 1) == []
    assert decided(run, now_us=HOUR_US) == starts("a")


def test_a_retry_that_succeeds_is_as_good_as_a_first_try() -> None:
    run = run_after(CHAIN, *retrying("a", due_us=1), *done("a"))

    assert decided(run) == starts("b")
    assert run.attempt[0] == 2


def test_others_go_on_while_one_rests() -> None:
    run = run_after(ETL, *done("load"), *retrying("clean", due_us=HOUR_US))

    assert decided(run) == starts("count")


def test_retries_come_in_the_order_in_which_they_are_due_and_then_of_definition() -> None:
    run = run_after(plan_of(a="", b="", c=""), *(one for n in "abc" for one in retrying(n, due_us=ord("d") - ord(n))))

    assert decided(run, now_us=1) == starts("c")
    assert decided(run, now_us=9) == starts("a", "b")


def test_a_task_that_loops_runs_again_at_once_with_its_attempts_anew() -> None:
    run = run_after(CHAIN, *retrying("a", due_us=1), *running("a"), is_now("a", S.LOOPED))

    assert decided(run) == starts("a")
    assert run.attempt[0] == 0
    assert run.loops == {0: 1}


def test_a_paused_task_ends_the_run_paused_when_nothing_else_can_happen() -> None:
    run = run_after(ETL, *done("load"), *ended(S.PAUSED, "clean"), *running("count"))

    assert decided(run) == []
    happens(run, is_now("count", S.SUCCESS))
    assert decided(run) == [end(S.PAUSED, "Waiting for a person.")]


def test_after_the_run_is_paused_nothing_follows() -> None:
    run = run_after(CHAIN, *ended(S.PAUSED, "a"), is_now("run", S.PAUSED))

    assert decided(run) == []


def test_a_paused_task_goes_on_when_a_person_has_said_so() -> None:
    run = run_after(CHAIN, *ended(S.PAUSED, "a"), *allowed("a"))

    assert decided(run) == starts("a")
    assert run.counts[S.PAUSED] == 0


def test_a_pause_waits_for_the_retries_of_others() -> None:
    run = run_after(plan_of(a="", b=""), *ended(S.PAUSED, "a"), *retrying("b", due_us=HOUR_US))

    assert decided(run) == []


def test_a_task_that_waits_for_a_person_runs_in_the_run_that_was_told_to_go_on() -> None:
    run = run_after(plan_of(a=T(trigger=triggers.manual_only), resumed="a"))

    assert decided(run) == starts("a")


# -- mapping -----------------------------------------------------------------------------------------------------------

MAPPED = plan_of(load="", score=T(over="load"), best="score")
LANES = plan_of(load="", score=T(over="load"), rank=T(over="score"), best="rank")


def test_a_mapped_task_is_expanded_when_what_it_is_mapped_over_is_there() -> None:
    run = run_after(MAPPED, *done("load"))

    assert decided(run) == [expand("score")]


def test_its_children_start_in_order() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 3))

    assert decided(run) == starts("score[0]", "score[1]", "score[2]")


def test_when_all_children_have_ended_so_has_the_mapped_task() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 2), *done("score[1]"), *failed("score[0]"))

    assert decided(run) == [mark("score", S.MAPPED)]


def test_what_gathers_the_children_fails_with_any_of_them() -> None:
    run = run_after(
        MAPPED, *done("load"), *expanded("score", 2), *done("score[1]"), *failed("score[0]"), is_now("score", S.MAPPED)
    )

    assert decided(run) == [mark("best", S.UPSTREAM_FAILED, "after score")]


@pytest.mark.parametrize(
    ("trigger", "follows"),
    [
        (triggers.any_successful, starts("best")),
        (triggers.some_failed(at_least=2), [mark("best", S.UPSTREAM_FAILED, triggers.some_failed(2).complaint)]),
        (triggers.some_successful(at_least=0.6), starts("best")),
    ],
)
def test_for_a_trigger_each_child_counts(trigger: triggers.Trigger, follows: list[object]) -> None:
    plan = plan_of(load="", score=T(over="load"), best=T("score", trigger=trigger))

    run = run_after(
        plan, *done("load"), *expanded("score", 3), *done("score[0]", "score[2]"), *failed("score[1]"),
        is_now("score", S.MAPPED),
    )  # fmt: skip

    assert decided(run) == follows


def test_over_two_edges_each_child_counts_twice() -> None:
    four = triggers.some_failed(at_least=4)
    plan = plan_of(load="", score=T(over="load"), best=T("score score", trigger=four))

    run = run_after(
        plan, *done("load"), *expanded("score", 2), *failed("score[0]", "score[1]"), is_now("score", S.MAPPED)
    )

    assert decided(run) == starts("best")


def test_over_an_empty_list_a_mapped_task_has_ended_at_once() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 0))

    assert decided(run) == [mark("score", S.MAPPED)]
    happens(run, is_now("score", S.MAPPED))
    assert decided(run) == starts("best")


def test_a_child_follows_its_own_child_and_not_its_sisters() -> None:
    run = run_after(LANES, *done("load"), *expanded("score", 2), *done("score[1]"), *running("score[0]"))

    assert decided(run) == [expand("rank")]
    happens(run, *expanded("rank", 2))
    assert decided(run) == starts("rank[1]")
    happens(run, is_now("score[0]", S.SUCCESS))
    assert decided(run) == [mark("score", S.MAPPED), *starts("rank[0]")]


def test_a_failed_child_stops_its_lane_only() -> None:
    run = run_after(
        LANES, *done("load"), *expanded("score", 2), *expanded("rank", 2), *failed("score[0]"), *done("score[1]")
    )

    assert decided(run) == [
        mark("score", S.MAPPED),
        mark("rank[0]", S.UPSTREAM_FAILED, "after score"),
        start("rank[1]"),
    ]


def test_a_skipped_child_skips_its_lane_only() -> None:
    run = run_after(LANES, *done("load"), *expanded("score", 2), *skipped("score[0]"), *done("score[1]"))

    assert decided(run) == [mark("score", S.MAPPED), expand("rank")]
    happens(run, is_now("score", S.MAPPED), *expanded("rank", 2))
    assert decided(run) == [mark("rank[0]", S.SKIPPED, "after a skipped task"), start("rank[1]")]


def test_lanes_of_unequal_width_run_as_far_as_the_shortest() -> None:
    plan = plan_of(a="", b="", x=T(over="a"), y=T(over="b"), z=T(over="x y"))

    run = run_after(plan, *done("a", "b"), *expanded("x", 1), *expanded("y", 3), *done("x[0]", "y[0]"))

    assert decided(run) == [mark("x", S.MAPPED), *starts("y[1]", "y[2]"), expand("z")]
    happens(run, is_now("x", S.MAPPED), *expanded("z", 1))
    assert decided(run) == starts("z[0]")


def test_a_flattened_mapping_waits_for_all_children() -> None:
    plan = plan_of(load="", score=T(over="load"), each=T(flat_over="score"))

    run = run_after(plan, *done("load"), *expanded("score", 2), *done("score[0]"), *running("score[1]"))

    assert decided(run) == []
    happens(run, is_now("score[1]", S.SUCCESS))
    assert decided(run) == [mark("score", S.MAPPED)]
    happens(run, is_now("score", S.MAPPED))
    assert decided(run) == [expand("each")]


def test_a_mapped_task_fails_as_a_whole_after_a_failure() -> None:
    run = run_after(LANES, *failed("load"))

    assert decided(run) == [mark("score", S.UPSTREAM_FAILED, "after load")]
    happens(run, is_now("score", S.UPSTREAM_FAILED))
    assert decided(run) == [mark("rank", S.UPSTREAM_FAILED, "after score")]


def test_the_triggers_of_children_are_judged_one_by_one() -> None:
    plan = plan_of(load="", score=T(over="load"), rank=T(over="score", own_trigger=True))

    run = run_after(
        plan, *done("load"), *expanded("score", 2), *failed("score[0]"), *done("score[1]"), is_now("score", S.MAPPED),
        *expanded("rank", 2),
    )  # fmt: skip

    assert decided(run) == [judge("rank[0]"), judge("rank[1]")]
    happens(run, *allowed("rank[0]"), is_now("rank[1]", S.UPSTREAM_FAILED))
    assert decided(run) == starts("rank[0]")


def test_a_child_is_tried_again_by_itself() -> None:
    run = run_after(MAPPED, *done("load"), *expanded("score", 2), *done("score[1]"), *retrying("score[0]", due_us=5))

    assert decided(run, now_us=5) == starts("score[0]")


def test_children_take_their_turn_where_their_task_is_defined() -> None:
    plan = plan_of(load="", score=T(over="load"), late="load")

    run = run_after(plan, *done("load"))
    first = decided(run, room=0)
    happens(run, *expanded("score", 2))

    assert first == [expand("score")]
    assert decided(run) == starts("score[0]", "score[1]", "late")


# -- tasks that are given their state ----------------------------------------------------------------------------------


def test_a_task_whose_state_is_given_does_not_run() -> None:
    run = run_after(plan_of(load="", clean="load", presets={"load": S.SUCCESS}))

    assert decided(run) == starts("clean")


def test_a_given_failure_counts_as_one() -> None:
    run = run_after(plan_of(load="", clean="load", presets={"load": S.FAILED}))

    assert decided(run) == [mark("clean", S.UPSTREAM_FAILED, "after load")]


def test_a_given_mapped_state_is_mapped_over_as_any_list() -> None:
    run = run_after(plan_of(load="", score=T(over="load"), rank=T(over="score"), presets={"score": S.MAPPED}))

    assert decided(run) == [*starts("load"), expand("rank")]


def test_if_all_states_are_given_the_run_is_over() -> None:
    run = run_after(plan_of(load="", clean="load", presets={"load": S.FAILED, "clean": S.SUCCESS}))

    assert decided(run) == [ALL_GOOD]


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_limit_holds_and_the_next_has_its_turn_when_one_ends() -> None:
    plan = plan_of(limits={"db": 2}, **{name: T(limits=["db"]) for name in "abc"}, free="")

    run = run_after(plan)

    assert decided(run) == starts("a", "b", "free")
    happens(run, *done("b"))
    assert decided(run) == starts("c")


def test_a_task_that_rests_leaves_its_place_to_others() -> None:
    run = run_after(plan_of(limits={"db": 1}, a=T(limits=["db"]), b=T(limits=["db"])))

    assert decided(run) == starts("a")
    happens(run, *retrying("a", due_us=1))
    assert decided(run, now_us=0) == starts("b")
    assert decided(run, now_us=1) == []
    happens(run, *done("b"))
    assert decided(run, now_us=1) == starts("a")


def test_a_task_under_two_limits_keeps_to_both() -> None:
    run = run_after(plan_of(limits={"x": 1, "y": 1}, a=T(limits=["x"]), b=T(limits=["y"]), c=T(limits=["x", "y"])))

    assert decided(run) == starts("a", "b")
    happens(run, *done("a"))
    assert decided(run) == []
    happens(run, *done("b"))
    assert decided(run) == starts("c")


def test_a_task_that_finds_its_second_limit_full_does_not_keep_others_from_the_first() -> None:
    plan = plan_of(
        limits={"x": 1, "y": 1},
        y=T(limits=["y"]), x=T(limits=["x"]), both=T(limits=["x", "y"]), other=T(limits=["x"]),
    )  # fmt: skip
    run = run_after(plan)
    assert decided(run) == starts("y", "x")

    happens(run, *done("x"))

    assert decided(run) == starts("other")
    happens(run, *done("other", "y"))
    assert decided(run) == starts("both")


def test_what_does_not_run_takes_no_place_under_its_limit() -> None:
    plan = plan_of(limits={"db": 1}, a=T(limits=["db"]), b=T(limits=["db"]), c=T("a", limits=["db"]))

    run = run_after(plan)
    decided(run)
    happens(run, *failed("a"))

    assert decided(run) == [start("b"), mark("c", S.UPSTREAM_FAILED, "after a")]


def test_children_keep_to_the_limit_of_their_task() -> None:
    plan = plan_of(limits={"two": 2}, load="", score=T(over="load", limits=["two"]))

    run = run_after(plan, *done("load"), *expanded("score", 3))

    assert decided(run) == starts("score[0]", "score[1]")
    happens(run, *done("score[0]"))
    assert decided(run) == starts("score[2]")


# -- segments ----------------------------------------------------------------------------------------------------------


def test_a_chain_goes_to_one_worker_as_a_whole_and_takes_the_room_of_one() -> None:
    run = run_after(CHAIN)

    assert decided(run, in_segments=True) == [start("a", "b", "c", "d")]
    assert run.in_flight == 1


def test_in_a_segment_success_needs_no_further_command() -> None:
    run = run_after(CHAIN)
    decided(run, in_segments=True)

    happens(run, *done("a", "b"))

    assert decided(run, in_segments=True) == []
    assert run.in_flight == 1


def test_a_failure_breaks_the_segment_and_the_rest_is_decided_one_by_one() -> None:
    run = run_after(CHAIN)
    decided(run, in_segments=True)

    happens(run, *done("a"), *failed("b"))

    assert decided(run, in_segments=True) == [mark("c", S.UPSTREAM_FAILED, "after b")]
    assert run.in_flight == 0
    assert state_of(run, "d") is S.PENDING


def test_after_a_retry_the_rest_of_the_segment_follows_again() -> None:
    run = run_after(CHAIN)
    decided(run, in_segments=True)

    happens(run, *done("a"), *retrying("b", due_us=7))

    assert decided(run, in_segments=True, now_us=6) == []
    assert decided(run, in_segments=True, now_us=7) == [start("b", "c", "d")]


@pytest.mark.parametrize("state", [S.CACHED, S.SKIPPED, S.LOOPED])
def test_only_plain_success_keeps_the_promise(state: S) -> None:
    run = run_after(CHAIN)
    decided(run, in_segments=True)

    happens(run, *ended(state, "a"))

    expected = {
        S.CACHED: [start("b", "c", "d")],
        S.SKIPPED: [mark("b", S.SKIPPED, "after a skipped task")],
        S.LOOPED: [start("a", "b", "c", "d")],
    }
    assert decided(run, in_segments=True) == expected[state]


def test_what_several_wait_for_ends_a_segment() -> None:
    run = run_after(plan_of(a="", b="a", c="b", d="b"))

    assert decided(run, in_segments=True) == [start("a", "b")]
    happens(run, *done("a", "b"))
    assert decided(run, in_segments=True) == starts("c", "d")


def test_a_task_whose_state_is_given_is_in_no_segment() -> None:
    run = run_after(plan_of(a="", b="a", c="b", presets={"b": S.SUCCESS}))

    assert decided(run, in_segments=True) == starts("a", "c")


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "follows"),
    [
        *((state, SOME_FAILED) for state in S if IS_FAILED[state]),
        *((state, ALL_GOOD) for state in S if IS_SUCCESSFUL[state]),
    ],
)
def test_the_reference_tasks_decide_how_the_run_ends(state: S, follows: object) -> None:
    run = run_after(plan_of(a="", b="a"), *done("a"), *ended(state, "b"))

    assert decided(run) == [follows]


def test_a_failure_elsewhere_does_not_matter() -> None:
    run = run_after(plan_of(a="", b="", references="b"), *failed("a"), *done("b"))

    assert decided(run) == [ALL_GOOD]


def test_for_a_mapped_reference_task_each_child_counts() -> None:
    plan = plan_of(load="", score=T(over="load"))

    run = run_after(
        plan, *done("load"), *expanded("score", 2), *done("score[0]"), *failed("score[1]"), is_now("score", S.MAPPED)
    )

    assert decided(run) == [SOME_FAILED]


def test_fail_fast_starts_nothing_new_and_ends_when_what_runs_has_ended() -> None:
    plan = plan_of(a="", b="", c="", fail_fast=True)

    run = run_after(plan, *failed("a"), *running("b"))

    assert decided(run) == []
    happens(run, is_now("b", S.SUCCESS))
    assert decided(run) == [SOME_FAILED]


def test_fail_fast_waits_for_no_retry() -> None:
    run = run_after(plan_of(a="", b="", fail_fast=True), *retrying("a", due_us=HOUR_US), *failed("b"))

    assert decided(run) == [SOME_FAILED]


def test_fail_fast_is_not_for_a_task_that_will_be_tried_again() -> None:
    run = run_after(plan_of(a="", b="a", c="", fail_fast=True), *retrying("a", due_us=1))

    assert decided(run, now_us=1) == starts("a", "c")


RESOURCE = plan_of(
    init="", setup="init", use="setup", more="use", cleanup="setup", other="", fail_fast=True, cleanups="cleanup"
)


def test_after_a_failure_a_clean_up_is_all_that_fail_fast_lets_start() -> None:
    run = run_after(RESOURCE, *done("init", "setup"), *running("other"), *failed("use"))

    assert decided(run) == []
    happens(run, is_now("other", S.SUCCESS))
    assert decided(run) == starts("cleanup")
    assert decided(run) == []
    happens(run, *done("cleanup"))
    assert decided(run) == [SOME_FAILED]


@pytest.mark.parametrize("state", [S.FAILED, S.SKIPPED])
def test_what_was_not_set_up_is_not_cleaned_up_after_a_failure(state: S) -> None:
    run = run_after(RESOURCE, *done("init"), *ended(state, "setup"), *failed("other"))

    assert decided(run) == [SOME_FAILED]


def test_a_clean_up_after_a_failure_may_be_tried_again() -> None:
    run = run_after(RESOURCE, *done("init", "setup"), *failed("use"), *retrying("cleanup", due_us=5))

    assert decided(run, now_us=4) == []
    assert decided(run, now_us=5) == starts("cleanup")


def test_a_clean_up_after_a_failure_waits_for_room() -> None:
    run = run_after(RESOURCE, *done("init", "setup"), *failed("use"))

    assert decided(run, room=0) == []
    assert run.frontier  # else nobody would look again
    assert decided(run) == starts("cleanup")


def test_a_run_that_is_to_stop_cleans_nothing_up() -> None:
    run = run_after(RESOURCE, *done("init", "setup"), *failed("use"), *stopping(S.TIMED_OUT))

    assert decided(run) == [end(S.TIMED_OUT)]


@pytest.mark.parametrize("state", [S.CANCELLED, S.TIMED_OUT, S.FAILED, S.CRASHED])
def test_a_run_that_is_to_stop_starts_nothing_and_ends_so(state: S) -> None:
    run = run_after(ETL, *done("load"), *running("clean"), *stopping(state))

    assert decided(run) == []
    happens(run, is_now("clean", S.CANCELLED))
    assert decided(run) == [end(state)]


@pytest.mark.parametrize("state", [state for state in S if IS_FINAL[state]])
def test_after_the_end_nothing_follows(state: S) -> None:
    run = run_after(ETL, *done("load"), is_now("run", state))

    assert decided(run) == []
    assert all(IS_FINAL[one] for one in run.state)
