"""The public module for users' tests keeps what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, Parameter, task, testing
from notebook_flows.core.state import Failed, Success
from notebook_flows.testing import (
    FakeClock,
    InlineExecutor,
    MemoryEventLog,
    assert_states,
    forget_cached_results,
    run_flow_for_test,
)

if TYPE_CHECKING:
    from pathlib import Path


def small() -> Flow:
    with Flow("small") as flow:
        x = Parameter("x", default=1)
        one = task(lambda x: 10 // x, name="divide")(x)
        task(lambda x: x, name="report")(one)
    return flow


# -- the clock ---------------------------------------------------------------------------------------------------------


def test_a_fake_clock_stands_still_until_it_is_turned() -> None:
    clock = FakeClock()
    assert clock.now() == datetime(2021, 1, 1, tzinfo=UTC)

    clock.advance(timedelta(hours=1))
    clock.advance(30)

    assert clock.now() == datetime(2021, 1, 1, 1, 0, 30, tzinfo=UTC)
    assert clock.elapsed_s == clock.monotonic_s() == 3630
    assert clock.now_us() == int(clock.now().timestamp() * 1e6)


def test_a_clock_that_is_set_back_lets_no_time_pass() -> None:
    clock = FakeClock()
    clock.advance(10)

    clock.set(datetime(2020, 6, 1, tzinfo=UTC))

    assert clock.now() == datetime(2020, 6, 1, tzinfo=UTC)
    assert clock.monotonic_s() == 10


@pytest.mark.parametrize("wrong", [-1, timedelta(seconds=-1)])
def test_time_does_not_run_backwards(wrong: Any) -> None:
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(wrong)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2021, 1, 1))  # noqa: DTZ001 - that is the mistake
    with pytest.raises(ValueError, match="time zone"):
        FakeClock().set(datetime(2021, 1, 1))  # noqa: DTZ001 - that is the mistake


def test_who_sleeps_by_a_clock_turned_by_hand_wakes_when_it_was_turned_far_enough() -> None:
    clock = FakeClock(turns_itself=False)
    woke = threading.Event()
    sleeper = threading.Thread(target=lambda: (clock.sleep_s(10), woke.set()))
    sleeper.start()

    clock.advance(9)
    assert not woke.is_set()
    clock.advance(1)

    assert woke.wait(10)
    sleeper.join(10)


# -- the executor ------------------------------------------------------------------------------------------------------


def order_of_running(**options: Any) -> list[int]:
    ran: list[int] = []
    with Flow("many") as flow:
        for place in range(8):
            task(lambda place: ran.append(place), name="one")(place)
    run_flow_for_test(flow, executor=InlineExecutor(4, **options))
    return ran


def test_without_a_wish_the_oldest_call_comes_first() -> None:
    assert order_of_running() == list(range(8))


def test_a_test_may_choose_who_is_next() -> None:
    assert order_of_running(pick=lambda calls: len(calls) - 1)[0] == 3


def test_a_seed_shuffles_in_the_same_way_each_time() -> None:
    orders = [order_of_running(seed=seed) for seed in (1, 1, 2)]

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[2]) == list(range(8))


def test_the_calls_that_were_made_can_be_looked_at() -> None:
    executor = InlineExecutor()

    run_flow_for_test(small(), executor=executor)

    assert [call.task.name for call in executor.performed] == ["x", "divide", "report"]


@pytest.mark.parametrize("options", [{"workers": 0}, {"seed": 1, "pick": len}])
def test_what_makes_no_sense_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="not"):
        InlineExecutor(**options)


# -- runs --------------------------------------------------------------------------------------------------------------


def test_parameters_and_options_are_those_of_a_run() -> None:
    flow = small()

    state = run_flow_for_test(flow, x=5, flow_run_name="tried")

    assert state.context["flow_run_name"] == "tried"
    assert_states(state, {"divide": Success})


def test_the_history_can_be_read_afterwards() -> None:
    log = MemoryEventLog()

    state = run_flow_for_test(small(), event_log=log)

    assert log.run(state.context["flow_run_id"]).flow == "small"


def test_the_home_folder_is_not_touched(tmp_path: Path) -> None:
    code = """
from notebook_flows import Flow, task
from notebook_flows.testing import run_flow_for_test
with Flow("inner") as inner:
    task(lambda: 1, name="one", target="inner.pkl")()
with Flow("writes") as flow:
    task(lambda: 1, name="one", target="one.pkl")()
    task(inner.run, name="nested")()
for executor in (None, "threads:2"):
    assert run_flow_for_test(flow, executor=executor).is_successful()
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NOTEBOOK_FLOWS_", "XDG_"))}

    subprocess.run(
        [sys.executable, "-B", "-c", code], env={**environment, "HOME": str(tmp_path)}, check=True, cwd=tmp_path
    )

    assert list(tmp_path.rglob("*")) == []


def test_results_are_kept_where_the_test_wants_them(tmp_path: Path) -> None:
    from notebook_flows import LocalResult

    with Flow("writes") as flow:
        task(lambda: 1, name="one", target="one.pkl")()

    run_flow_for_test(flow, results=LocalResult(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["one.pkl"]


def test_a_schedule_runs_through_in_no_time() -> None:
    from notebook_flows.schedule import IntervalClock, Schedule

    clock = FakeClock()
    moments: list[datetime] = []
    with Flow(
        "daily",
        schedule=Schedule(
            clocks=[
                IntervalClock(
                    timedelta(days=1),
                    start_date=datetime(2021, 1, 2, tzinfo=UTC),
                    end_date=datetime(2021, 1, 5, tzinfo=UTC),
                )
            ]
        ),
    ) as flow:
        task(lambda: moments.append(clock.now()), name="look")()

    run_flow_for_test(flow, clock=clock, run_on_schedule=True)

    assert [moment.day for moment in moments] == [2, 3, 4, 5]


def test_cached_results_can_be_forgotten() -> None:
    forget_cached_results()
    ran: list[int] = []
    with Flow("cached") as flow:
        task(lambda: ran.append(1), name="once a day", cache_for=timedelta(days=1))()

    clock = FakeClock()
    run_flow_for_test(flow, clock=clock)
    run_flow_for_test(flow, clock=clock)
    assert len(ran) == 1
    forget_cached_results()
    run_flow_for_test(flow, clock=clock)

    assert len(ran) == 2


def test_a_cached_result_expires_by_the_clock_of_the_test() -> None:
    forget_cached_results()
    ran: list[int] = []
    clock = FakeClock()
    with Flow("cached") as flow:
        task(lambda: ran.append(1), name="once a day", cache_for=timedelta(days=1))()

    for _ in range(3):
        run_flow_for_test(flow, clock=clock)
        clock.advance(timedelta(hours=13))

    assert len(ran) == 2


# -- the assertion -----------------------------------------------------------------------------------------------------


def test_all_differences_are_told_at_once_with_the_messages() -> None:
    state = run_flow_for_test(small(), x=0)

    with pytest.raises(AssertionError) as raised:
        assert_states(state, {"divide": "success", "report": Success, "x": "success"})

    error = "ZeroDivisionError('integer division or modulo by zero')"
    assert str(raised.value).splitlines() == [
        "These tasks ended in another way:",
        f"  'divide' is Failed (Error during execution of task: {error}), expected success",
        "  'report' is TriggerFailed (after divide), expected Success",
    ]


def test_a_class_stands_for_those_below_it_and_a_word_for_itself() -> None:
    state = run_flow_for_test(small(), x=0)

    assert_states(state, {"report": Failed, "divide": Failed})
    assert_states(state, {"report": "upstream failed", "divide": "failed"})
    with pytest.raises(AssertionError):
        assert_states(state, {"report": "failed"})


def test_tasks_can_be_named_by_themselves() -> None:
    flow = small()

    state = run_flow_for_test(flow)

    assert_states(state, dict.fromkeys(flow.tasks, "Success"))


def test_slips_of_the_pen_are_errors_of_their_own() -> None:
    state = run_flow_for_test(small())

    with pytest.raises(LookupError, match="No task of this run is named 'devide'. Did you mean 'divide'?"):
        assert_states(state, {"devide": "success"})
    with pytest.raises(LookupError, match="No state is called 'succes'. Did you mean 'success'?"):
        assert_states(state, {"divide": "succes"})


def test_everything_that_is_public_is_there() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)
