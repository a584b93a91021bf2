"""Attempts: tried again, timed out, limited, stopped early."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, ThreadExecutor, signals, task
from notebook_flows.core.context import context
from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.workspace import surroundings

if TYPE_CHECKING:
    from notebook_flows.core import state as api


def run_of(function: Any, executor: Any = None, **options: Any) -> api.State:
    with Flow("f") as f:
        call = task(**options)(function)() if options else task(function)()
    return f.run(executor=executor).result[call]


class Flaky:
    """Raises these errors, one after the other, then gives the number of its tries."""

    __name__ = "flaky"

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.tries = 0

    def __call__(self) -> int:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.tries


# -- retries ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [None, "threads"])
@pytest.mark.parametrize(
    ("errors", "max_retries", "tries", "ends_well"),
    [(0, 2, 1, True), (1, 2, 2, True), (2, 2, 3, True), (3, 2, 3, False), (1, 0, 1, False)],
)
def test_a_task_is_tried_as_often_as_it_says(
    errors: int, max_retries: int, tries: int, ends_well: bool, executor: str | None
) -> None:
    flaky = Flaky(*[ValueError(number) for number in range(errors)])
    options = {"max_retries": max_retries, "retry_delay": timedelta(0)} if max_retries else {"name": "flaky"}

    state = run_of(flaky, executor, **options)

    assert (flaky.tries, state.is_successful()) == (tries, ends_well)
    assert not ends_well or state.message == "Task run succeeded."


@pytest.mark.parametrize(
    ("retry_on", "error", "is_retried"),
    [
        (ValueError, ValueError(), True),
        (ValueError, KeyError(), False),
        ([KeyError, ValueError], ValueError(), True),
        (LookupError, KeyError(), True),
        ((OSError,), ConnectionError(), True),
    ],
)
def test_only_the_named_exceptions_are_worth_a_retry(retry_on: Any, error: Exception, is_retried: bool) -> None:
    flaky = Flaky(error)

    state = run_of(flaky, max_retries=3, retry_delay=0, retry_on=retry_on)

    assert state.is_successful() is is_retried
    assert flaky.tries == 1 + is_retried


def test_a_fail_signal_is_retried_and_a_skip_is_not() -> None:
    failing, skipping = Flaky(signals.FAIL("no")), Flaky(signals.SKIP("no"))

    assert run_of(failing, max_retries=1, retry_delay=0).result == 2
    assert run_of(skipping, max_retries=1, retry_delay=0).is_skipped()


def test_the_rests_follow_the_list_and_its_last_one_holds_on() -> None:
    begun: list[float] = []

    def step() -> None:
        begun.append(time.monotonic())
        raise ValueError

    run_of(step, max_retries=3, retry_delay=[0.03, 0.09])

    rests = [after - before for before, after in pairwise(begun)]
    assert len(rests) == 3
    assert all(rest >= least for rest, least in zip(rests, [0.03, 0.09, 0.09], strict=True))


def test_the_attempt_is_told_and_others_run_meanwhile() -> None:
    happened: list[Any] = []

    @task(max_retries=1, retry_delay=0.05)
    def flaky() -> None:
        happened.append(context.task_run_count)
        if context.attempt == 1:
            raise ValueError

    @task
    def other() -> None:
        happened.append("other")

    with Flow("f") as f:
        flaky()
        other()

    assert f.run().is_successful()
    assert happened == [1, "other", 2]


def test_the_last_error_is_the_result() -> None:
    state = run_of(Flaky(ValueError("first"), KeyError("second")), max_retries=1, retry_delay=0)

    assert isinstance(state.result, KeyError)


# -- timeouts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [None, "threads"])
@pytest.mark.parametrize("timeout", [0.05, timedelta(milliseconds=50)])
def test_a_task_that_takes_too_long_has_timed_out(timeout: Any, executor: str | None) -> None:
    release = threading.Event()

    state = run_of(lambda: release.wait(5), executor, timeout=timeout)

    release.set()
    assert type(state).__name__ == "TimedOut"
    assert state.is_failed()
    assert isinstance(state.result, TimeoutError)
    assert "0.05" in str(state.message) or "0:00:00.05" in str(state.message)


def test_a_task_in_time_is_left_alone() -> None:
    assert run_of(lambda: 5, timeout=30).result == 5


def test_a_timeout_goes_through_except_exception() -> None:
    def stubborn() -> str:
        try:
            time.sleep(5)
        except Exception:
            return "caught"
        return "slept"

    assert type(run_of(stubborn, timeout=0.05)).__name__ == "TimedOut"


def test_a_timeout_is_worth_a_retry() -> None:
    release = threading.Event()

    def step() -> int:
        if context.task_run_count == 1:
            release.wait(5)
        return context.task_run_count

    assert run_of(step, timeout=0.05, max_retries=1, retry_delay=0).result == 2


def test_only_the_slow_child_times_out() -> None:
    release = threading.Event()

    @task(timeout=0.1)
    def step(x: int) -> int:
        if x == 1:
            release.wait(5)
        return x

    with Flow("f") as f:
        made = step.map([0, 1, 2])

    states = f.run().result[made].map_states
    assert [type(state).__name__ for state in states] == ["Success", "TimedOut", "Success"]


def test_a_flow_may_have_a_timeout() -> None:
    release = threading.Event()

    with Flow("f", timeout=0.1) as f:
        slow = task(lambda: release.wait(5))()
        after = task(lambda: 1)(upstream_tasks=[slow])

    state = f.run()
    assert state.is_failed()
    assert type(state.result[after]).__name__ in {"NotRun", "TriggerFailed"}
    assert "timeout" in str(state.message)


@pytest.mark.parametrize("executor", [None, "threads:2"])
def test_a_flow_in_time_is_left_alone(executor: str | None) -> None:
    with Flow("f", timeout=timedelta(seconds=60)) as f:
        made = task(lambda: 1)()

    assert f.run(executor=executor).result[made].result == 1


# -- limits ----------------------------------------------------------------------------------------------------------------


class Gauge:
    """How many are inside at once, at most."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.01)
        with self.lock:
            self.inside -= 1


def test_a_tag_limits_how_many_run_at_once() -> None:
    gauge, free = Gauge(), Gauge()

    @task(tags=["db"])
    def query() -> None:
        gauge()

    @task
    def other() -> None:
        free()

    with Flow("f", tag_limits={"db": 2}) as f:
        for _ in range(8):
            query()
            other()

    assert f.run(executor=ThreadExecutor(8)).is_successful()
    assert gauge.most <= 2
    assert free.most > 2


def test_a_tag_limit_of_one_takes_turns_also_among_children() -> None:
    gauge = Gauge()

    @task(tags=["db"])
    def query(x: int) -> int:
        gauge()
        return x

    with Flow("f", tag_limits={"db": 1}) as f:
        made = query.map(list(range(6)))
        query(10)

    assert f.run(executor=ThreadExecutor(4)).result[made].result == list(range(6))
    assert gauge.most == 1


def test_a_mapped_task_limits_its_own_children() -> None:
    gauge = Gauge()

    @task(map_limit=2)
    def step(x: int) -> int:
        gauge()
        return x

    with Flow("f") as f:
        made = step.map(list(range(10)))

    assert f.run(executor=ThreadExecutor(8)).result[made].result == list(range(10))
    assert gauge.most <= 2


def test_limits_free_their_places_after_failures_and_retries() -> None:
    @task(tags=["db"], max_retries=1, retry_delay=0)
    def flaky(x: int) -> int:
        if context.task_run_count == 1:
            raise ValueError
        if x == 2:
            raise signals.FAIL
        return x

    with Flow("f", tag_limits={"db": 1}) as f:
        made = flaky.map(list(range(4)))

    states = f.run(executor=ThreadExecutor(4)).result[made].map_states
    assert [state.is_successful() for state in states] == [True, True, False, True]


def test_fail_fast_starts_nothing_new_after_a_failure() -> None:
    ran: list[str] = []

    @task
    def bad() -> None:
        raise ValueError

    @task
    def other() -> None:
        ran.append("other")

    with Flow("f", fail_fast=True) as f:
        failed = bad()
        later = other()

    state = f.run()
    assert state.is_failed()
    assert state.result[failed].is_failed()
    assert type(state.result[later]).__name__ == "NotRun"
    assert ran == []


def test_after_a_failure_fail_fast_starts_no_link_of_a_chain_either() -> None:
    ran: list[int] = []
    has_failed = threading.Event()

    @task
    def bad() -> None:
        has_failed.set()
        raise ValueError

    @task
    def link(x: int) -> int:
        ran.append(x)
        has_failed.wait(5)
        time.sleep(0.05)
        return x + 1

    with Flow("f", fail_fast=True) as f:
        last = link(0)
        for _ in range(9):
            last = link(last)
        bad()

    assert f.run(executor=ThreadExecutor(2)).is_failed()
    assert ran == [0]


def test_a_task_that_waits_for_its_retry_when_the_flow_runs_out_of_time_is_cancelled_everywhere() -> None:
    @task(max_retries=3, retry_delay=60)
    def flaky() -> None:
        raise ValueError

    log = MemoryEventLog()
    with Flow("f", timeout=0.2) as f:
        made = flaky()

    with surroundings(log, None):
        state = f.run()

    recorded = [row.state.name for row in log.task_runs(state.context["flow_run_id"])]
    assert (type(state.result[made]).__name__, recorded) == ("Cancelled", ["CANCELLED"])
    assert type(state).__name__ == "TimedOut"


def test_without_fail_fast_what_does_not_depend_on_it_goes_on() -> None:
    with Flow("f") as f:
        task(lambda: 1 / 0)()
        other = task(lambda: 5)()

    assert f.run().result[other].result == 5
