"""Rests, timeouts and what comes too late; by a clock that the test turns, wherever no thread is really at work."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, ThreadExecutor, signals, task, triggers
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.testing import FakeClock, InlineExecutor, MemoryEventLog, assert_states, run_flow_for_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run

RUN = "2" * 32


def failing(times: int, **options: Any) -> Any:
    left = list(range(times))

    def shaky() -> str:
        if left:
            raise ConnectionError(left.pop())
        return "there"

    return task(shaky, name="shaky", **options)


def test_a_rest_of_days_takes_a_test_no_time() -> None:
    clock = FakeClock()
    with Flow("patient") as flow:
        failing(2, max_retries=3, retry_delay=[timedelta(days=1), timedelta(days=10)])()
    begun_s = time.monotonic()

    state = run_flow_for_test(flow, clock=clock)

    assert_states(state, {"shaky": "success"})
    assert clock.now() == datetime(2021, 1, 12, tzinfo=UTC)
    assert time.monotonic() - begun_s < 5


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_rests_are_counted_by_the_engines_clock_wherever_tasks_run(executor: str) -> None:
    clock = FakeClock()
    with Flow("patient") as flow:
        failing(1, max_retries=1, retry_delay=timedelta(hours=5))()

    state = run_flow_for_test(flow, clock=clock, executor=executor)

    assert state.is_successful()
    assert clock.elapsed_s == pytest.approx(5 * 3600)


def test_a_retry_may_be_asked_for_at_a_time_of_day() -> None:
    clock = FakeClock()
    noon = datetime(2021, 1, 1, 12, tzinfo=UTC)
    with Flow("noon") as flow:

        @task
        def at_noon() -> str:
            if clock.now() < noon:
                raise signals.RETRY("too early", start_time=noon)
            return "eaten"

        at_noon()

    run_flow_for_test(flow, clock=clock)

    assert clock.now() == noon


def test_a_task_begins_when_a_worker_takes_it_however_long_those_who_look_on_take_to_draw() -> None:
    clock = FakeClock()
    is_shown = threading.Event()
    begun: dict[Kind, int] = {}

    def draw(run: Run, events: Sequence[Event]) -> None:
        if not begun:
            clock.advance(0.09)
        for one in events:
            begun.setdefault(one.kind, one.at_us)
        if Kind.TASK in begun:
            is_shown.set()

    with Flow("drawn") as flow:
        task(lambda: is_shown.wait(30), name="load")()

    state = run_flow_for_test(flow, clock=clock, executor="threads:2", observers=[draw])

    assert state.is_successful()
    assert begun[Kind.TASK] == begun[Kind.RUN]


def test_others_do_not_wait_for_one_that_rests() -> None:
    clock = FakeClock()
    seen: list[float] = []
    with Flow("patient") as flow:
        failing(1, max_retries=1, retry_delay=timedelta(hours=1))()
        task(lambda: seen.append(clock.elapsed_s), name="other")()

    run_flow_for_test(flow, clock=clock)

    assert seen == [0]


def test_a_clock_that_is_turned_by_hand_keeps_a_retry_waiting() -> None:
    clock = FakeClock(turns_itself=False)
    rests = threading.Event()
    with Flow("patient") as flow:
        failing(1, max_retries=1, retry_delay=timedelta(hours=1))()

    def look(run: Any, events: Any) -> None:
        if run.state[0] is S.RETRYING:
            rests.set()

    ends: list[Any] = []
    running = threading.Thread(target=lambda: ends.append(run_flow_for_test(flow, clock=clock, observers=[look])))
    running.start()
    assert rests.wait(10)
    assert not ends

    clock.advance(timedelta(hours=1))
    running.join(10)

    assert ends[0].is_successful()


def test_a_flow_may_take_its_time_and_no_longer() -> None:
    clock = FakeClock()
    with Flow("slow", timeout=60) as flow:

        @task
        def slow(x: int) -> int:
            clock.advance(31)
            return x

        third = slow(slow(slow(1)))

    state = run_flow_for_test(flow, clock=clock)

    assert type(state).__name__ == "TimedOut"
    assert type(state.result[third]).__name__ == "NotRun"
    assert state.message == "The flow took longer than its timeout of 60 s."


def test_a_flow_that_rests_is_told_when_its_time_is_up() -> None:
    clock = FakeClock()
    with Flow("slow", timeout=60) as flow:
        failing(1, max_retries=1, retry_delay=timedelta(hours=1))()

    state = run_flow_for_test(flow, clock=clock)

    assert type(state).__name__ == "TimedOut"
    assert clock.elapsed_s == 60


def test_an_outcome_after_the_timeout_changes_nothing() -> None:
    late = threading.Event()
    has_ended = threading.Event()
    log = MemoryEventLog()
    with Flow("late") as flow:

        @task(timeout=0.05)
        def too_slow() -> str:
            late.wait(10)
            has_ended.set()
            return "too late"

        @task(skip_on_upstream_skip=False, trigger=triggers.all_finished)
        def meanwhile(x: Any) -> str:
            late.set()
            assert has_ended.wait(10)
            return "done"

        slow = too_slow()
        after = meanwhile(slow)

    state = run_flow_for_test(flow, executor=ThreadExecutor(2), event_log=log, flow_run_id=RUN)

    assert_states(state, {slow: "TimedOut", after: "Success"})
    assert isinstance(state.result[slow].result, TimeoutError)
    assert [event.state for event in log.read(RUN) if event.node == 0 and event.kind is Kind.TASK] == [
        S.RUNNING,
        S.TIMED_OUT,
    ]


def test_an_outcome_of_an_attempt_that_was_given_up_is_not_taken_for_the_next() -> None:
    """The first try passes its timeout, the second runs while the first one's value arrives."""
    first_may_end, first_has_ended = threading.Event(), threading.Event()
    tries: list[int] = []
    with Flow("late") as flow:

        @task(timeout=0.3, max_retries=1, retry_delay=timedelta(0))
        def twice() -> str:
            tries.append(1)
            if len(tries) == 1:
                first_may_end.wait(10)
                first_has_ended.set()
                return "first"
            first_may_end.set()
            assert first_has_ended.wait(10)
            return "second"

        one = twice()

    state = run_flow_for_test(flow, executor=ThreadExecutor(2))

    assert state.result[one].result == "second"
    assert len(tries) == 2


def test_events_tell_the_time_of_the_clock_that_was_given() -> None:
    clock = FakeClock(datetime(2001, 2, 3, tzinfo=UTC))
    log = MemoryEventLog(clock=clock)
    with Flow("old") as flow:
        task(lambda: clock.advance(7), name="takes 7 s")()

    run_flow_for_test(flow, clock=clock, executor=InlineExecutor(clock=clock), event_log=log, flow_run_id=RUN)

    beginning = int(datetime(2001, 2, 3, tzinfo=UTC).timestamp()) * 1_000_000
    assert [event.at_us - beginning for event in log.read(RUN)] == [0, 0, 7_000_000, 7_000_000]
