"""What `flow.run()` is given and cannot use: a sentence that names it, and no run is begun."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notebook_flows import Flow, Parameter, ProcessExecutor, ThreadExecutor, task
from notebook_flows.engine import logs
from notebook_flows.engine.interrupts import Interrupts
from notebook_flows.engine.parameters import RunOptionError, completed
from notebook_flows.errors import ParameterError
from notebook_flows.settings import SettingsError, settings_from


def flow_of_one() -> Flow:
    with Flow("one") as flow:
        task(lambda: 1, name="one")()
    return flow


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("parameters", 5),
        ("executor", 5),
        ("context", 5),
        ("state", "x"),
        ("task_states", [1]),
        ("task_states", {"one": 1}),
        ("task_contexts", {"one": {}}),
        ("scheduled_start_time", "x"),
        ("flow_run_name", 5),
        ("observers", 5),
        ("observers", [5]),
        ("clock", 5),
        ("history", "off"),
        ("history", 0),
    ],
)
def test_an_option_of_the_wrong_kind_is_named(option: str, value: Any) -> None:
    with pytest.raises(RunOptionError, match=f"`{option}`"):
        flow_of_one().run(**{option: value})


@pytest.mark.parametrize("executor", [ThreadExecutor, ProcessExecutor])
@pytest.mark.parametrize("workers", [1.5, float("nan"), float("inf"), "2", True, 0, -1])
def test_a_number_of_workers_is_whole_and_above_0(executor: Any, workers: Any) -> None:
    with pytest.raises(ValueError, match="1 or more, not|needs 1 worker or more, not"):
        executor(workers)


def test_a_clock_may_give_a_required_parameter_and_no_unknown_one() -> None:
    with Flow("clocked") as flow:
        Parameter("x")()

    assert completed(flow, {}, {"x": 7}) == {"x": 7}
    assert completed(flow, {"x": 8}, {"x": 7}) == {"x": 8}
    with pytest.raises(ParameterError, match="required parameters: x"):
        completed(flow, {})
    with pytest.raises(ParameterError, match="clock .*: y"):
        completed(flow, {"x": 1}, {"y": 7})


def test_a_scheduled_run_has_its_clocks_parameters() -> None:
    from notebook_flows.schedule import IntervalClock, Schedule

    now = datetime.now(UTC)
    clock = IntervalClock(timedelta(seconds=0.5), end_date=now + timedelta(seconds=0.9), parameter_defaults={"x": 7})
    with Flow("clocked", schedule=Schedule(clocks=[clock])) as flow:
        x = Parameter("x")()

    state = flow.run(history=False)

    assert state.result[x].result == 7


def test_a_sigint_handler_of_the_users_own_decides() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with Flow("heard") as flow:
            task(lambda: os.kill(os.getpid(), signal.SIGINT), name="one")()

        state = flow.run(history=False)
        with Interrupts(lambda: None) as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            was_asked = interrupts.asked
    finally:
        signal.signal(signal.SIGINT, before)

    assert (state.is_successful(), was_asked, heard) == (True, False, [signal.SIGINT] * 2)


def test_what_such_a_handler_raises_waits_until_the_engine_is_done() -> None:
    def leave(*_: Any) -> None:
        raise SystemExit(3)

    steps = []

    def steps_on() -> None:
        with Interrupts(lambda: None) as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            steps.append(interrupts.asked)

    before = signal.signal(signal.SIGINT, leave)
    try:
        with pytest.raises(SystemExit):
            steps_on()
    finally:
        signal.signal(signal.SIGINT, before)

    assert steps == [True]


def test_a_home_that_does_not_exist_is_named() -> None:
    with pytest.raises(SettingsError, match=r"NOTEBOOK_FLOWS_STORE.*~nosuchuser"):
        settings_from({"NOTEBOOK_FLOWS_STORE": "~nosuchuser/h.sqlite"})


def test_a_line_without_an_end_is_bounded_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, int]] = []
    printed = logs.Printed(None)
    monkeypatch.setattr(printed, "_send", sent.extend)
    began = time.monotonic()

    for _ in range(300_000):
        printed.add(".")
    printed.add("\nnext\nrest")
    printed.end()

    assert time.monotonic() - began < 5
    assert [(len(text), length) for text, length in sent] == [(logs.LONGEST_LINE, 300_000), (4, 4), (4, 4)]
