"""Triggers: whether a task runs, judged from how those before it ended."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from notebook_flows import Edge, Flow, Task, signals, task, triggers
from notebook_flows.core import state as api
from notebook_flows.core.context import context

ALL = ["all_successful", "all_failed", "any_successful", "any_failed", "all_finished", "not_all_skipped", "manual_only"]
S, F, K, P = "Success", "TriggerFailed", "Skipped", "Paused"


@task
def ok() -> int:
    return 1


@task
def bad() -> None:
    raise ValueError("boom")


@task
def skipped() -> None:
    raise signals.SKIP("nothing to do")


MAKE = {"ok": ok, "bad": bad, "skip": skipped}


def judged(trigger: Any, before: str, **options: Any) -> api.State:
    made = Task(name="judged", trigger=trigger, **options)
    with Flow("f", tasks=[made]) as f:
        made.set_dependencies(upstream_tasks=[MAKE[word]() for word in before.split()])
    return f.run().result[made]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # upstream:        none ok  bad skip ok+bad ok+skip bad+skip, each with skip_on_upstream_skip=False
        ("all_successful", (S, S, F, S, F, S, F)),
        ("all_failed", (S, F, S, F, F, F, F)),
        ("any_successful", (S, S, F, S, S, S, S)),
        ("any_failed", (S, F, S, F, S, F, S)),
        ("all_finished", (S, S, S, S, S, S, S)),
        ("always_run", (S, S, S, S, S, S, S)),
        ("not_all_skipped", (K, S, F, K, F, S, F)),
        ("manual_only", (P, P, P, P, P, P, P)),
    ],
)
def test_built_in_triggers(name: str, expected: tuple[str, ...]) -> None:
    trigger = getattr(triggers, name)

    found = [
        type(judged(trigger, before, skip_on_upstream_skip=False)).__name__
        for before in ("", "ok", "bad", "skip", "ok bad", "ok skip", "bad skip")
    ]

    assert tuple(found) == expected


@pytest.mark.parametrize("name", [*ALL, "always_run"])
@pytest.mark.parametrize("before", ["skip", "ok skip", "bad skip"])
def test_a_skip_before_is_looked_at_first(name: str, before: str) -> None:
    assert judged(getattr(triggers, name), before).is_skipped()


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [
        (triggers.some_failed(), True),
        (triggers.some_failed(at_least=1), True),
        (triggers.some_failed(at_least=2), False),
        (triggers.some_failed(at_most=0), False),
        (triggers.some_failed(at_most=1), True),
        (triggers.some_failed(at_least=0.25), True),
        (triggers.some_failed(at_least=0.26), False),
        (triggers.some_failed(at_most=0.25), True),
        (triggers.some_successful(), True),
        (triggers.some_successful(at_least=3), True),
        (triggers.some_successful(at_least=4), False),
        (triggers.some_successful(at_least=0.5, at_most=0.8), True),
        (triggers.some_successful(at_most=2), False),
    ],
    ids=repr,
)
def test_some_failed_and_some_successful_take_numbers_and_shares(trigger: Any, runs: bool) -> None:
    assert judged(trigger, "bad ok ok ok").is_successful() is runs


def test_a_trigger_that_says_no_says_why() -> None:
    assert (
        judged(triggers.all_failed, "ok").message
        == 'Trigger was "all_failed" but some of the upstream tasks succeeded.'
    )
    assert "bad" in str(judged(triggers.all_successful, "bad").message)
    assert "at_least=2" in str(judged(triggers.some_failed(at_least=2), "bad").message)


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (lambda upstream: True, S),
        (lambda upstream: False, F),
        (lambda upstream: None, F),
        (lambda upstream: all(state.result == 1 for state in upstream.values()), S),
        (lambda upstream: 1 / 0, F),
        (triggers.all_successful.__call__, S),
    ],
    ids=["yes", "no", "nothing", "by result", "raises", "built-in inside"],
)
def test_a_trigger_may_be_ones_own_function(trigger: Any, expected: str) -> None:
    assert type(judged(trigger, "ok ok")).__name__ == expected


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (signals.SKIP("s"), "Skipped"),
        (signals.FAIL("s"), "Failed"),
        (signals.TRIGGERFAIL("s"), "TriggerFailed"),
        (signals.SUCCESS("s", result=5), "Success"),
        (signals.PAUSE("s"), "Paused"),
    ],
)
def test_a_trigger_may_raise_a_signal(signal: Any, expected: str) -> None:
    def trigger(_: Any) -> bool:
        raise signal

    state = judged(trigger, "ok")

    assert (type(state).__name__, state.message) == (expected, "s")


def test_a_trigger_that_raises_says_what() -> None:
    state = judged(lambda upstream: 1 / 0, "ok")

    assert "ZeroDivisionError" in str(state.message)
    assert "'judged'" in str(state.message)


def test_a_trigger_gets_edges_and_states() -> None:
    seen: dict[Any, Any] = {}

    def look(upstream: Any) -> bool:
        seen.update(upstream)
        return True

    made = Task(trigger=look)
    with Flow("f", tasks=[made]) as f:
        first, second = ok(), bad()
        made.set_dependencies(upstream_tasks=[first, second])

    f.run()
    assert list(seen) == [Edge(first, made), Edge(second, made)]
    assert [type(state).__name__ for state in seen.values()] == ["Success", "Failed"]


def test_a_trigger_of_ones_own_may_build_on_the_others() -> None:
    def trigger(upstream: Any) -> bool:
        return triggers.any_failed(upstream) and context.parameters == {}

    assert judged(trigger, "ok bad").is_successful()
    assert judged(trigger, "ok").is_failed()


def test_a_trigger_of_ones_own_is_asked_even_without_upstream_tasks() -> None:
    assert judged(lambda upstream: upstream == {}, "").is_successful()


def test_a_custom_trigger_is_asked_once_for_each_run_not_for_each_attempt() -> None:
    asked: list[int] = []

    def trigger(_: Any) -> bool:
        asked.append(1)
        return True

    @task(trigger=trigger, max_retries=2, retry_delay=0)
    def flaky() -> None:
        raise ValueError

    with Flow("f") as f:
        flaky()

    f.run()
    assert asked == [1]


@pytest.mark.parametrize("name", ["all_failed", "manual_only"])
def test_a_built_in_trigger_may_be_called_alone(name: str) -> None:
    edge = Edge(Task(), Task())

    with pytest.raises((signals.TRIGGERFAIL, signals.PAUSE)):
        getattr(triggers, name)({edge: api.Success()})
    with context(resume=True):
        assert triggers.manual_only({edge: api.Success()}) is True


@pytest.mark.parametrize(
    "trigger",
    [
        *(getattr(triggers, name) for name in ALL),
        triggers.some_failed(at_least=2),
        triggers.some_successful(at_most=0.5),
    ],
    ids=repr,
)
def test_triggers_travel_to_other_processes(trigger: Any) -> None:
    copied = pickle.loads(pickle.dumps(trigger))

    assert copied.name == trigger.name


def test_failures_go_down_and_all_failed_stops_them() -> None:
    with Flow("f") as f:
        first = bad()
        second = Task(name="second").set_upstream(first)
        third = Task(name="third").set_upstream(second)
        rescue = Task(name="rescue", trigger=triggers.all_failed).set_upstream(third)
        last = Task(name="last").set_upstream(rescue)

    state = f.run()
    assert [type(state.result[each]).__name__ for each in (first, second, third, rescue, last)] == [
        "Failed",
        F,
        F,
        S,
        S,
    ]
    assert state.is_successful()


def test_a_task_whose_trigger_lets_it_run_after_a_failure_gets_the_exception() -> None:
    @task(trigger=triggers.any_failed)
    def report(error: Any) -> str:
        return type(error).__name__

    with Flow("f") as f:
        made = report(bad())

    assert f.run().result[made].result == "ValueError"
