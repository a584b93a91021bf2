"""Signals: what a task raises to end otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notebook_flows import Flow, Parameter, signals, task, triggers
from notebook_flows.core import state as api
from notebook_flows.core.context import context


def run_of(function: Any, **options: Any) -> tuple[api.State, api.State]:
    with Flow("f") as f:
        made = task(function, **options) if not options else task(**options)(function)
        call = made()
    state = f.run()
    return state, state.result[call]


def raising(signal: Any) -> Any:
    def step() -> None:
        raise signal

    return step


@pytest.mark.parametrize(
    ("signal", "name", "message", "ends_well"),
    [
        (signals.FAIL("no"), "Failed", "no", False),
        (signals.FAIL, "Failed", None, False),
        (signals.TRIGGERFAIL("no"), "TriggerFailed", "no", False),
        (signals.VALIDATIONFAIL("no"), "ValidationFailed", "no", False),
        (signals.SUCCESS("yes"), "Success", "yes", True),
        (signals.SKIP("nothing"), "Skipped", "nothing", True),
        (signals.ENDRUN(api.Success("done", result=3)), "Success", "done", True),
        (signals.ENDRUN(api.Failed("done")), "Failed", "done", False),
    ],
    ids=repr,
)
def test_a_signal_ends_the_task_in_its_state(signal: Any, name: str, message: str | None, ends_well: bool) -> None:
    flow_state, state = run_of(raising(signal))

    assert type(state).__name__ == name
    assert (state.message or None) == message or (message is None and name == "Success")
    assert flow_state.is_successful() is ends_well


@pytest.mark.parametrize(
    ("signal", "result"),
    [
        (signals.SUCCESS("m", result=5), 5),
        (signals.FAIL("m", result=5), 5),
        (signals.SKIP("m"), None),
        (signals.ENDRUN(api.Success(result=6)), 6),
    ],
    ids=repr,
)
def test_a_signal_may_carry_a_result(signal: Any, result: Any) -> None:
    assert run_of(raising(signal))[1].result == result


def test_a_failure_without_a_result_has_itself_as_result() -> None:
    signal = signals.FAIL("no")

    assert run_of(raising(signal))[1].result is signal


def test_a_success_from_inside_goes_on_downstream_with_its_result() -> None:
    @task
    def early() -> int:
        raise signals.SUCCESS(result=5)

    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("f") as f:
        made = double(early())

    assert f.run().result[made].result == 10


def test_signals_pass_through_except_exception() -> None:
    def step() -> str:
        try:
            raise signals.SKIP("now")
        except Exception:
            return "caught"

    assert run_of(step)[1].is_skipped()


def test_a_signal_tells_its_message() -> None:
    assert str(signals.FAIL("why")) == "why"
    assert str(signals.FAIL()) == ""
    assert issubclass(signals.TRIGGERFAIL, signals.FAIL)
    assert issubclass(signals.VALIDATIONFAIL, signals.FAIL)
    assert not issubclass(signals.FAIL, Exception)


@pytest.mark.parametrize(
    ("state", "signal"),
    [
        (api.Failed(), signals.FAIL),
        (api.Skipped(), signals.SKIP),
        (api.Success(), signals.SUCCESS),
        (api.Looped(), signals.LOOP),
    ],
)
def test_the_signal_of_a_state_is_known(state: api.State, signal: type) -> None:
    assert signals.signal_from_state(state) is signal


def test_some_states_have_no_signal() -> None:
    with pytest.raises(ValueError, match="Running"):
        signals.signal_from_state(api.Running())


# -- RETRY -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start_time", [None, datetime(2020, 1, 1, tzinfo=UTC), "soon"], ids=["at once", "long ago", "soon"]
)
def test_retry_tries_again_whatever_max_retries_says(start_time: Any) -> None:
    def step() -> int:
        if context.task_run_count < 4:
            when = datetime.now(UTC) + timedelta(milliseconds=20) if start_time == "soon" else start_time
            raise signals.RETRY("again", start_time=when)
        return context.task_run_count

    begun = datetime.now(UTC)
    _, state = run_of(step)

    assert state.result == 4
    if start_time == "soon":
        assert datetime.now(UTC) - begun >= timedelta(milliseconds=60)


def test_retries_come_after_the_rest_had_its_turn() -> None:
    happened: list[str] = []

    @task
    def stubborn() -> None:
        happened.append("stubborn")
        if happened.count("stubborn") == 1:
            raise signals.RETRY(start_time=datetime.now(UTC) + timedelta(milliseconds=50))

    @task
    def other() -> None:
        happened.append("other")

    with Flow("f") as f:
        stubborn()
        other()

    f.run()
    assert happened == ["stubborn", "other", "stubborn"]


# -- LOOP ------------------------------------------------------------------------------------------------------------------


def test_a_loop_goes_on_with_its_last_result_as_often_as_it_likes() -> None:
    def step() -> tuple[int, int]:
        so_far = context.get("task_loop_result") or 0
        if so_far < 2_000:
            raise signals.LOOP(message=f"round {so_far}", result=so_far + 1)
        return so_far, context.task_loop_count

    _, state = run_of(step)

    assert state.result == (2_000, 2_001)


def test_a_loop_result_of_none_is_a_result() -> None:
    def step() -> str:
        if context.task_loop_count == 1:
            raise signals.LOOP(result=None)
        return f"{context.task_loop_count} {context.get('task_loop_result', 'missing')}"

    assert run_of(step)[1].result == "2 None"


def test_each_round_of_a_loop_has_its_own_retries() -> None:
    tried: list[tuple[int, int]] = []

    def step() -> int:
        count, attempt = context.task_loop_count, context.task_run_count
        tried.append((count, attempt))
        if attempt == 1:
            raise ValueError
        if count < 3:
            raise signals.LOOP(result=count)
        return count

    _, state = run_of(step, max_retries=1, retry_delay=0)

    assert state.result == 3
    assert tried == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


def test_a_retry_within_a_loop_still_has_the_loop_result() -> None:
    def step() -> Any:
        so_far = context.get("task_loop_result", 0)
        if context.task_loop_count == 1:
            raise signals.LOOP(result=7)
        if context.task_run_count == 1:
            raise ValueError
        return so_far

    _, state = run_of(step, max_retries=1, retry_delay=0)

    assert (state.result, state.message) == (7, "Task run succeeded.")


def test_what_comes_after_a_loop_waits_for_its_last_round() -> None:
    @task
    def count() -> int:
        so_far = context.get("task_loop_result") or 0
        if so_far < 3:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("f") as f:
        made = double(count())

    assert f.run().result[made].result == 6


# -- PAUSE -----------------------------------------------------------------------------------------------------------------


def test_a_pause_without_a_terminal_ends_the_run_paused_and_the_rest_is_done() -> None:
    @task
    def ask() -> str:
        if not context.get("resume"):
            raise signals.PAUSE("may I?")
        return "yes"

    @task
    def after(x: str) -> str:
        return f"after {x}"

    @task
    def other() -> int:
        return 5

    with Flow("f") as f:
        asked = ask()
        later = after(asked)
        made = other()

    state = f.run()
    assert state.is_paused()
    assert not state.is_finished()
    assert state.result[asked].is_paused()
    assert state.result[asked].message == "may I?"
    assert state.result[later].is_pending()
    assert state.result[made].result == 5

    resumed = f.run(task_states={asked: api.Resume(), made: state.result[made]})
    assert resumed.is_successful()
    assert resumed.result[later].result == "after yes"


def test_manual_only_pauses_until_somebody_says_resume() -> None:
    @task(trigger=triggers.manual_only)
    def careful(x: int) -> int:
        return x

    with Flow("f") as f:
        made = careful(Parameter("p", default=1))

    assert f.run().is_paused()
    assert f.run(task_states={made: api.Resume()}).result[made].result == 1
    assert f.run(context={"resume": True}).result[made].result == 1


def test_a_paused_child_pauses_the_run_and_not_its_siblings() -> None:
    @task
    def ask(x: int) -> int:
        if x == 2 and not context.get("resume"):
            raise signals.PAUSE
        return x

    with Flow("f") as f:
        made = ask.map([1, 2, 3])

    state = f.run()
    assert state.is_paused()
    assert f.run(context={"resume": True}).result[made].result == [1, 2, 3]


# -- ENDRUN ----------------------------------------------------------------------------------------------------------------


def test_endrun_may_ask_for_another_try() -> None:
    def step() -> int:
        if context.task_run_count == 1:
            raise signals.ENDRUN(api.Retrying("later", start_time=datetime.now(UTC)))
        return context.task_run_count

    assert run_of(step)[1].result == 2


def test_a_custom_trigger_that_says_yes_is_no_permission_to_go_on() -> None:
    @task(trigger=lambda upstream: True)
    def ask() -> None:
        if not context.get("resume"):
            raise signals.PAUSE

    with Flow("f") as f:
        made = ask()

    assert f.run().result[made].is_paused()


@pytest.mark.parametrize("no_end", [api.Running, api.Pending, api.Submitted, api.State, api.Resume])
def test_a_state_that_is_no_end_becomes_a_failure_that_says_so(no_end: type[api.State]) -> None:
    _, state = run_of(raising(signals.ENDRUN(no_end())))

    assert state.is_failed()
    assert "no state to end in" in str(state.message)
