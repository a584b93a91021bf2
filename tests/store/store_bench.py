"""What the tests of every store share: small runs, a clock turned by hand, and the list of promises."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import LogLine
from notebook_flows.engine.ports import RunInfo
from notebook_flows.errors import NoSuchRun, StaleOwnerError, StoreError

SECOND = 1_000_000


class HandClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.us = 1_700_000_000 * SECOND

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        return self.us / SECOND

    def turn(self, seconds: float) -> None:
        self.us += int(seconds * SECOND)


class Bench(Protocol):
    """A store on the test bench."""

    log: Any
    clock: HandClock

    def seen_by_others(self, run_id: str) -> list[Event]:
        """What another process reads at this moment."""

    def lose_owner(self, run_log: Any) -> None:
        """What the end of its process does to a run: the lock is free, nothing more is said."""


def info(run_id: str = "", *, slugs: tuple[str, ...] = ("load", "clean", "report"), **more: Any) -> RunInfo:
    facts: dict[str, Any] = {"flow_name": "sales", "run_name": "brave-otter", "executor": "threads(2)", **more}
    return RunInfo(run_id=run_id or uuid.uuid4().hex, slugs=slugs, **facts)


def run_is(state: S, seq: int, message: str | None = None) -> Event:
    return Event(seq, seq * 10, Kind.RUN, -1, -1, 0, 1, state, {"message": message} if message else None)


def task_is(state: S, seq: int, node: int = 0, **more: Any) -> Event:
    index, attempt, loop = more.pop("index", -1), more.pop("attempt", 1), more.pop("loop", 1)
    return Event(seq, seq * 10, Kind.TASK, node, index, attempt, loop, state, more or None)


def line(message: str, node: int = 0) -> LogLine:
    return LogLine(5, 20, "sales", message, node, -1, 1)


BEGUN = [run_is(S.RUNNING, 1), task_is(S.RUNNING, 2, 0), task_is(S.SUCCESS, 3, 0), task_is(S.RUNNING, 4, 1)]


def begun(bench: Bench, **more: Any) -> tuple[str, Any]:
    """A run in which load has ended, clean runs and report waits."""
    facts = info(**more)
    run_log = bench.log.begin(facts)
    run_log.append(BEGUN)
    run_log.flush()
    return facts.run_id, run_log


# The promises. Each is a sentence, and holds for every store.


def what_was_flushed_is_seen_by_others(bench: Bench) -> None:
    facts = info()
    run_log = bench.log.begin(facts)
    run_log.append(BEGUN)

    run_log.flush()

    assert bench.seen_by_others(facts.run_id) == BEGUN


def closing_flushes(bench: Bench) -> None:
    facts = info()
    run_log = bench.log.begin(facts)
    run_log.append(BEGUN)

    run_log.close()

    assert bench.seen_by_others(facts.run_id) == BEGUN


def reading_goes_on_where_one_left_off(bench: Bench) -> None:
    run_id, _ = begun(bench)

    pieces = bench.log.read(run_id, after=1, limit=2), bench.log.read(run_id, after=3), bench.log.read(run_id, after=4)

    assert pieces == (BEGUN[1:3], BEGUN[3:], [])


def events_come_back_as_they_were(bench: Bench) -> None:
    facts = info()
    run_log = bench.log.begin(facts)
    told = [
        Event(1, 7, Kind.RUN, -1, -1, 0, 1, S.RUNNING, {"graph": {"tasks": ["é", "\udc80", "x" * 9000]}}),
        Event(2, 8, Kind.EXPANDED, 1, -1, 1, 1, S.EXPANDED, {"width": 2}),
        Event(3, 8, Kind.TASK, 1, 0, 1, 1, S.RUNNING, None),
        Event(4, 9, Kind.TASK, 1, 0, 2, 1, S.RUNNING, None),
        Event(5, 9, Kind.TASK, 0, -1, 1, 3, S.LOOPED, None),
        Event(6, 9, Kind.VERDICT, 2, -1, 0, 1, S.PENDING, {"may_run": True}),
        Event(7, 9, Kind.TASK, 2, -1, 1, 1, S.SUCCESS, {"result": {"kind": "inline", "size_bytes": 3}}),
    ]

    run_log.append(told)
    run_log.flush()

    assert bench.log.read(facts.run_id) == told


def a_gap_is_refused(bench: Bench) -> None:
    run_id, run_log = begun(bench)

    with pytest.raises(StoreError, match="without a gap from 5"):
        run_log.append([task_is(S.SUCCESS, 6, 1)])

    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.flush()
    assert [event.seq for event in bench.seen_by_others(run_id)] == [1, 2, 3, 4, 5]


def a_gap_within_a_batch_is_refused(bench: Bench) -> None:
    run_id, run_log = begun(bench)

    with pytest.raises(StoreError, match="without a gap"):
        run_log.append([task_is(S.SUCCESS, 5, 1), task_is(S.SUCCESS, 7, 2)])

    run_log.flush()
    assert bench.seen_by_others(run_id) == BEGUN


def being_told_twice_is_harmless(bench: Bench) -> None:
    run_id, run_log = begun(bench)

    run_log.append(BEGUN[2:])
    run_log.append([*BEGUN[3:], task_is(S.SUCCESS, 5, 1)])
    run_log.flush()

    assert bench.seen_by_others(run_id) == [*BEGUN, task_is(S.SUCCESS, 5, 1)]


def another_story_at_a_told_number_is_refused(bench: Bench) -> None:
    run_id, run_log = begun(bench)

    with pytest.raises(StaleOwnerError, match="differently"):
        run_log.append([task_is(S.FAILED, 3, 0)])

    assert bench.seen_by_others(run_id) == BEGUN


def a_run_cannot_be_begun_twice(bench: Bench) -> None:
    run_id, _ = begun(bench)

    with pytest.raises(StoreError):
        bench.log.begin(info(run_id))

    assert bench.seen_by_others(run_id) == BEGUN


def a_closed_log_takes_nothing_more(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.close()

    with pytest.raises(StoreError, match="closed"):
        run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.close()
    assert bench.seen_by_others(run_id) == BEGUN


def a_dead_run_is_told_crashed(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    bench.lose_owner(run_log)

    dead = bench.log.sweep()

    assert dead == [run_id]
    assert bench.log.run(run_id).state is S.CRASHED
    assert {row.slug: row.state for row in bench.log.task_runs(run_id)} == {
        "load": S.SUCCESS,
        "clean": S.CRASHED,
        "report": S.NOT_RUN,
    }
    assert [event.seq for event in bench.log.read(run_id)] == [1, 2, 3, 4, 5, 6, 7]
    assert bench.log.sweep() == []


def children_of_a_dead_run_are_told_one_by_one(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    expanded = Event(6, 60, Kind.EXPANDED, 2, -1, 1, 1, S.EXPANDED, {"width": 3})
    run_log.append([task_is(S.SUCCESS, 5, 1), expanded, task_is(S.SUCCESS, 7, 2, index=0)])
    run_log.append([task_is(S.RUNNING, 8, 2, index=1, attempt=2)])
    run_log.flush()
    bench.lose_owner(run_log)

    bench.log.sweep()

    rows = [(row.index, row.attempt, row.state) for row in bench.log.task_runs(run_id) if row.slug == "report"]
    assert rows == [(-1, 1, S.CRASHED), (0, 1, S.SUCCESS), (1, 2, S.CRASHED), (2, 0, S.NOT_RUN)]


def a_live_run_is_never_told_crashed(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    bench.clock.turn(10 * 86_400)

    assert bench.log.sweep() == []

    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.flush()
    assert bench.log.run(run_id).state is S.RUNNING


def a_run_that_ended_is_never_told_crashed(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([run_is(S.FAILED, 5)])
    run_log.close()

    assert bench.log.sweep() == []

    assert bench.log.run(run_id).state is S.FAILED


def a_paused_run_waits_for_its_resumption(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([task_is(S.PAUSED, 5, 1), run_is(S.PAUSED, 6)])
    run_log.close()

    assert bench.log.sweep() == []

    assert bench.log.run(run_id).state is S.PAUSED


def a_stale_owner_writes_nothing(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    bench.lose_owner(run_log)
    bench.log.sweep()
    verdict = bench.seen_by_others(run_id)

    with pytest.raises(StaleOwnerError):  # noqa: PT012 - either call may be the one that learns of it
        run_log.append([task_is(S.SUCCESS, 5, 1)])
        run_log.flush()

    assert bench.seen_by_others(run_id) == verdict
    assert bench.log.run(run_id).state is S.CRASHED


def a_stale_owner_cannot_go_on_after_the_verdict_either(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    bench.lose_owner(run_log)
    bench.log.sweep()
    verdict = bench.seen_by_others(run_id)

    with pytest.raises(StoreError):  # noqa: PT012 - either call may be the one that learns of it
        run_log.append([task_is(S.SUCCESS, 8, 1)])
        run_log.flush()

    assert bench.seen_by_others(run_id) == verdict


def other_runs_go_on_beside_a_stale_one(bench: Bench) -> None:
    _, stale = begun(bench)
    run_id, healthy = begun(bench)
    bench.lose_owner(stale)
    bench.log.sweep()

    for log in (stale, healthy):
        try:
            log.append([task_is(S.SUCCESS, 5, 1)])
        except StaleOwnerError:
            assert log is stale
    healthy.flush()

    assert bench.seen_by_others(run_id)[-1] == task_is(S.SUCCESS, 5, 1)


def a_runs_row_tells_where_it_stands(bench: Bench) -> None:
    run_id, run_log = begun(bench, parameters={"year": 2024}, environment={"git": "abc"}, scheduled_us=3)
    run_log.append([task_is(S.FAILED, 5, 1, message="KeyError: 'x'"), task_is(S.UPSTREAM_FAILED, 6, 2, attempt=0)])
    run_log.append([run_is(S.FAILED, 7, "clean failed")])

    run_log.close()

    row = bench.log.run(run_id)
    assert (row.flow, row.name, row.executor, row.scheduled_us) == ("sales", "brave-otter", "threads(2)", 3)
    assert (row.state, row.message, row.last_seq) == (S.FAILED, "clean failed", 7)
    assert (row.created_us, row.started_us, row.ended_us) == (bench.clock.us, 10, 70)
    assert (row.parameters, row.environment, row.task_count) == ({"year": 2024}, {"git": "abc"}, 3)
    assert row.counts == {S.SUCCESS: 1, S.FAILED: 1, S.UPSTREAM_FAILED: 1}
    assert list(row.slugs) == ["load", "clean", "report"]


def counts_of_a_running_run_are_the_present_ones(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([task_is(S.RETRYING, 5, 1), task_is(S.RUNNING, 6, 1, attempt=2)])

    run_log.flush()

    assert bench.log.run(run_id).counts == {S.SUCCESS: 1, S.RUNNING: 1}


def every_attempt_keeps_its_row(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([task_is(S.RETRYING, 5, 1, message="no network"), task_is(S.RUNNING, 6, 1, attempt=2)])
    run_log.flush()
    run_log.append([task_is(S.SUCCESS, 7, 1, attempt=2, result={"key": "r1"})])
    run_log.flush()

    rows = [row for row in bench.log.task_runs(run_id) if row.slug == "clean"]

    assert [(row.attempt, row.state, row.started_us, row.ended_us) for row in rows] == [
        (1, S.RETRYING, 40, 50),
        (2, S.SUCCESS, 60, 70),
    ]
    assert [(row.message, row.result) for row in rows] == [("no network", None), ("", {"key": "r1"})]


def what_a_run_never_came_to_has_a_row_once_it_has_ended(bench: Bench) -> None:
    run_id, run_log = begun(bench, slugs=("load", "clean", "each", "report"))
    expanded = Event(5, 50, Kind.EXPANDED, 2, -1, 0, 1, S.EXPANDED, {"width": 2})
    run_log.append([expanded, task_is(S.CANCELLED, 6, 1), task_is(S.SUCCESS, 7, 2, index=0)])
    run_log.append([task_is(S.CANCELLED, 8, 2, attempt=0, message="Enough.")])
    run_log.flush()
    before = [(row.slug, row.index) for row in bench.log.task_runs(run_id)]

    run_log.append([run_is(S.CANCELLED, 9, "Enough.")])
    run_log.close()

    rows = bench.log.task_runs(run_id)
    assert before == [("load", -1), ("clean", -1), ("each", -1), ("each", 0)]
    assert [(row.slug, row.index, row.state) for row in rows] == [
        ("load", -1, S.SUCCESS),
        ("clean", -1, S.CANCELLED),
        ("each", -1, S.CANCELLED),
        ("each", 0, S.SUCCESS),
        ("each", 1, S.NOT_RUN),
        ("report", -1, S.NOT_RUN),
    ]
    assert (rows[-1].attempt, rows[-1].started_us, rows[-1].ended_us, rows[-1].message) == (0, None, 90, "Enough.")


def what_waited_when_its_run_ended_has_ended_with_it(bench: Bench) -> None:
    run_id, run_log = begun(bench, slugs=("load", "clean"))
    run_log.append([task_is(S.PAUSED, 5, 1, message="May it run?"), run_is(S.TIMED_OUT, 6, "It took too long.")])

    run_log.close()

    assert [(row.state, row.message) for row in bench.log.task_runs(run_id)] == [
        (S.SUCCESS, ""),
        (S.NOT_RUN, "May it run?"),
    ]


def runs_are_listed_newest_first(bench: Bench) -> None:
    names = []
    for number in range(4):
        bench.clock.turn(60)
        run_id, run_log = begun(bench, flow_name="sales" if number % 2 else "stock")
        run_log.append([run_is(S.SUCCESS if number < 2 else S.FAILED, 5)])
        run_log.close()
        names.append(run_id)
    since = datetime.fromtimestamp((bench.clock.us - 60 * SECOND) / SECOND, UTC)

    def listed(**asked: Any) -> list[int]:
        return [names.index(row.run_id) for row in bench.log.runs(**asked)]

    assert listed() == [3, 2, 1, 0]
    assert listed(limit=1) == [3]
    assert listed(flow="stock") == [2, 0]
    assert listed(state=S.SUCCESS) == [1, 0]
    assert listed(since=since) == [3, 2]


def runs_inside_of_a_run_are_found(bench: Bench) -> None:
    around, other = "a" * 32, "b" * 32
    for run_id, parent in ((around, None), ("c" * 32, around), (other, None), ("d" * 32, other), ("e" * 32, around)):
        bench.clock.turn(1)
        bench.log.begin(info(run_id, parent_run_id=parent)).close()

    found = [row.run_id[0] for row in bench.log.runs(parent=around, limit=None)]

    assert found == ["e", "c"]
    assert [row.run_id[0] for row in bench.log.runs(parent=around, limit=1)] == ["e"]
    assert bench.log.runs(parent="c" * 32) == []


def a_unique_prefix_is_enough(bench: Bench) -> None:
    bench.log.begin(info("ab12" + "0" * 28))
    bench.log.begin(info("ab99" + "0" * 28))

    assert bench.log.run("AB1").run_id == "ab12" + "0" * 28

    with pytest.raises(NoSuchRun, match="Several runs begin with 'ab'"):
        bench.log.run("ab")
    with pytest.raises(NoSuchRun, match="no run 'ab13'"):
        bench.log.read("ab13")
    with pytest.raises(NoSuchRun, match="Did you mean 'ab990000'"):
        bench.log.run("ab990001")
    with pytest.raises(NoSuchRun):
        bench.log.run("")


def log_lines_are_kept_in_their_order(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.add_log_lines([line("reading"), line("cleaning", node=1)])
    run_log.add_log_lines([line("read \x00 \udc80 é"), line("done", node=-1)])

    run_log.flush()

    rows = bench.log.log_lines(run_id)
    assert [(row.number, row.slug, row.level) for row in rows] == [
        (1, "load", 20),
        (2, "clean", 20),
        (3, "load", 20),
        (4, None, 20),
    ]
    assert [row.message for row in bench.log.log_lines(run_id, task="clean")] == ["cleaning"]
    assert [row.number for row in bench.log.log_lines(run_id, after=2)] == [3, 4]
    assert [row.number for row in bench.log.log_lines(run_id, after=1, limit=1)] == [2]
    with pytest.raises(NoSuchRun, match=r"no task 'laod'\. Did you mean 'load'"):
        bench.log.log_lines(run_id, task="laod")


def requests_reach_the_run_once_and_in_order(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    other_id, other = begun(bench)
    bench.log.request(run_id, "cancel", {"task": "clean"})
    bench.log.request(run_id[:12], "retry", {})
    bench.log.request(other_id, "pause", {})

    bench.clock.turn(1)
    heard = run_log.requests()
    bench.clock.turn(1)
    heard_again = run_log.requests()

    assert [(request.verb, request.payload) for request in heard] == [("cancel", {"task": "clean"}), ("retry", {})]
    assert heard[0].number < heard[1].number
    assert list(heard_again) == []
    assert [request.verb for request in other.requests()] == ["pause"]
    with pytest.raises(NoSuchRun):
        bench.log.request("f" * 32, "cancel", {})


def projections_can_be_rebuilt(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    run_log.append([task_is(S.RETRYING, 5, 1, message="oh"), task_is(S.RUNNING, 6, 1, attempt=2), run_is(S.FAILED, 7)])
    run_log.close()
    before = bench.log.run(run_id), bench.log.task_runs(run_id)

    bench.log.rebuild_projections(run_id)

    assert (bench.log.run(run_id), bench.log.task_runs(run_id)) == before
    assert bench.log.check() == []


def pruning_forgets_old_ended_runs_only(bench: Bench) -> None:
    runs = []
    for state in (S.SUCCESS, S.RUNNING, S.FAILED, S.SUCCESS, S.PAUSED):
        run_id, run_log = begun(bench)
        run_log.add_log_lines([line("hello")])
        run_log.append([Event(5, bench.clock.us, Kind.RUN, -1, -1, 0, 1, state, None)])
        run_log.flush()
        runs.append(run_id)
        bench.clock.turn(86_400)

    by_age = bench.log.prune(keep_days=2.5)
    by_count = bench.log.prune(keep_runs=1)

    assert (by_age, by_count) == ([runs[0], runs[2]], [runs[3]])
    assert [row.run_id for row in bench.log.runs()] == [runs[4], runs[1]]
    assert bench.log.check() == []
    assert bench.log.prune() == []


def what_json_cannot_tell_does_not_stop_the_history(bench: Bench) -> None:
    run_id, run_log = begun(bench)
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    odd = {"nan": float("nan"), "object": object(), "message": "a\x00b\udc80", "deep": deep, "set": {1}}
    run_log.append([Event(5, 9, Kind.TASK, 1, -1, 1, 1, S.FAILED, odd), task_is(S.SUCCESS, 6, 2)])

    run_log.flush()

    assert [event.state for event in bench.seen_by_others(run_id)[4:]] == [S.FAILED, S.SUCCESS]
    assert bench.log.task_runs(run_id)[1].message.startswith("a")


PROMISES = [
    what_was_flushed_is_seen_by_others,
    closing_flushes,
    reading_goes_on_where_one_left_off,
    events_come_back_as_they_were,
    a_gap_is_refused,
    a_gap_within_a_batch_is_refused,
    being_told_twice_is_harmless,
    another_story_at_a_told_number_is_refused,
    a_run_cannot_be_begun_twice,
    a_closed_log_takes_nothing_more,
    a_dead_run_is_told_crashed,
    children_of_a_dead_run_are_told_one_by_one,
    a_live_run_is_never_told_crashed,
    a_run_that_ended_is_never_told_crashed,
    a_paused_run_waits_for_its_resumption,
    a_stale_owner_writes_nothing,
    a_stale_owner_cannot_go_on_after_the_verdict_either,
    other_runs_go_on_beside_a_stale_one,
    a_runs_row_tells_where_it_stands,
    counts_of_a_running_run_are_the_present_ones,
    every_attempt_keeps_its_row,
    what_a_run_never_came_to_has_a_row_once_it_has_ended,
    what_waited_when_its_run_ended_has_ended_with_it,
    runs_are_listed_newest_first,
    runs_inside_of_a_run_are_found,
    a_unique_prefix_is_enough,
    log_lines_are_kept_in_their_order,
    requests_reach_the_run_once_and_in_order,
    projections_can_be_rebuilt,
    pruning_forgets_old_ended_runs_only,
    what_json_cannot_tell_does_not_stop_the_history,
]
