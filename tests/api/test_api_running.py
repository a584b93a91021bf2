"""Running a flow: what comes back, what is refused, how it goes on from before."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from notebook_flows import (
    Flow,
    FlowError,
    LocalExecutor,
    Parameter,
    ProcessExecutor,
    Task,
    ThreadExecutor,
    raise_on_exception,
    signals,
    task,
)
from notebook_flows.core import state as api
from notebook_flows.core.context import context
from notebook_flows.errors import ParameterError, UnknownExecutor


@task
def one() -> int:
    return 1


@task
def double(x: int) -> int:
    return 2 * x


@task
def bad() -> None:
    raise ValueError("boom")


@task
def skipped() -> None:
    raise signals.SKIP


# -- what comes back -------------------------------------------------------------------------------------------------------


def test_a_run_gives_a_state_with_the_states_of_all_tasks() -> None:
    with Flow("f") as f:
        first = one()
        second = double(first)

    state = f.run()

    assert (type(state).__name__, state.message) == ("Success", "All reference tasks succeeded.")
    assert list(state.result) == [first, second]
    assert {t: s.result for t, s in state.result.items()} == {first: 1, second: 2}
    assert len(state.result) == 2
    assert first in state.result
    assert repr(state.result[second]) == '<Success: "Task run succeeded.">'


def test_an_empty_flow_is_a_success() -> None:
    state = Flow("f").run()

    assert state.is_successful()
    assert dict(state.result) == {}


def test_a_task_that_is_not_in_the_flow_is_not_in_the_result() -> None:
    state = Flow("f").run()

    with pytest.raises(KeyError, match="'stranger' is not in flow 'f'"):
        state.result[Task(name="stranger")]


@pytest.mark.parametrize(
    ("references", "name", "message"),
    [
        ("one", "Success", "All reference tasks succeeded."),
        ("bad", "Failed", "Some reference tasks failed."),
        ("one bad", "Failed", "Some reference tasks failed."),
        ("skipped", "Success", "All reference tasks succeeded."),
        ("after bad", "Failed", "Some reference tasks failed."),
        ("", "Failed", "Some reference tasks failed."),
    ],
)
def test_reference_tasks_decide_how_a_flow_ends(references: str, name: str, message: str) -> None:
    with Flow("f") as f:
        made = {"one": one(), "skipped": skipped(), "bad": bad()}
        made["after"] = Task(name="after").set_upstream(made["bad"])

    f.set_reference_tasks([made[word] for word in references.split()])
    state = f.run()

    assert (type(state).__name__, state.message) == (name, message)


def test_a_failing_task_does_not_raise_but_is_told() -> None:
    with Flow("f") as f:
        failed = bad()
        after = double(failed)
        other = one()

    state = f.run()

    assert state.is_failed()
    assert state.result[failed].message == "Error during execution of task: ValueError('boom')"
    assert isinstance(state.result[failed].result, ValueError)
    assert type(state.result[after]).__name__ == "TriggerFailed"
    assert "bad" in str(state.result[after].message)
    assert state.result[other].is_successful()


def test_an_exception_keeps_its_traceback_into_the_tasks_own_code() -> None:
    @task
    def deep() -> None:
        def inner() -> None:
            raise ValueError("deep")

        inner()

    with Flow("f") as f:
        failed = deep()

    error = f.run().result[failed].result
    told = "".join(traceback.format_exception(error))

    assert 'raise ValueError("deep")' in told
    assert "inner()" in told


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), BaseException("odd")])
def test_even_odd_exceptions_are_only_the_tasks_own(error: BaseException) -> None:
    def step() -> None:
        raise error

    with Flow("f") as f:
        failed = task(step)()

    assert f.run().result[failed].result is error


def test_an_exception_whose_repr_fails_is_told_by_its_type() -> None:
    class OddError(Exception):
        def __repr__(self) -> str:
            raise RuntimeError

    def step() -> None:
        raise OddError

    with Flow("f") as f:
        failed = task(step)()

    assert "OddError" in str(f.run().result[failed].message)


def test_a_flow_runs_again_and_again() -> None:
    calls: list[int] = []

    with Flow("f") as f:
        made = task(lambda: len(calls) if calls.append(1) is None else 0)()

    assert [f.run().result[made].result for _ in range(3)] == [1, 2, 3]


def test_a_flow_may_grow_between_runs() -> None:
    with Flow("f") as f:
        first = one()
    f.run()

    with f:
        second = double(first)

    assert f.run().result[second].result == 2


def test_independent_tasks_run_in_the_order_of_definition() -> None:
    happened: list[int] = []

    with Flow("f") as f:
        for number in range(20):
            task(lambda number: happened.append(number))(number)

    f.run()
    assert happened == list(range(20))


def test_results_are_the_very_objects() -> None:
    value = object()

    with Flow("f") as f:
        first = task(lambda: value)()
        second = task(lambda x: x)(first)

    state = f.run()
    assert state.result[first].result is value
    assert state.result[second].result is value


# -- raise_on_exception ----------------------------------------------------------------------------------------------------


def test_an_exception_can_be_let_out() -> None:
    with Flow("f") as f:
        bad()

    with pytest.raises(ValueError, match="boom") as raised, raise_on_exception():
        f.run()

    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.name, last.line) == ("bad", 'raise ValueError("boom")')


def test_signals_are_no_exceptions_to_let_out() -> None:
    @task
    def refuse() -> None:
        raise signals.FAIL("no")

    with Flow("f") as f:
        refuse()
        skipped()

    with raise_on_exception():
        assert f.run().is_failed()


def test_a_failed_trigger_is_no_exception_to_let_out() -> None:
    from notebook_flows import triggers

    with Flow("f") as f:
        Task(trigger=triggers.all_failed).set_upstream(one())

    with raise_on_exception():
        assert f.run().is_failed()


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_nothing_new_starts_after_an_exception_was_let_out(executor: str) -> None:
    ran: list[int] = []

    with Flow("f") as f:
        failed = bad()
        task(lambda: ran.append(1))(upstream_tasks=[failed])

    with pytest.raises(ValueError, match="boom"), raise_on_exception():
        f.run(executor=executor)

    assert ran == []


# -- options ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"parameters": {"q": 1, "p": 1}}, ParameterError, "unexpected parameters: q"),
        ({}, ParameterError, "did not receive the following required parameters: p"),
        ({"p": 1, "parameters": {"p": 2}}, ParameterError, "given twice"),
        ({"p": 1, "colour": "blue"}, TypeError, "unexpected keyword argument 'colour'"),
        ({"p": 1, "exekutor": "local"}, TypeError, "Did you mean 'executor'"),
        ({"p": 1, "return_tasks": []}, ValueError, "`return_tasks` keyword"),
        ({"p": 1, "executor": "proceses"}, UnknownExecutor, "Did you mean 'processes'"),
        ({"p": 1, "executor": LocalExecutor}, FlowError, r"not its class: LocalExecutor\(\)"),
        ({"p": 1, "runner_cls": object}, FlowError, "one engine"),
        ({"p": 1, "task_states": {Task(name="stranger"): api.Success()}}, FlowError, "'stranger', which is not in"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: Any, error: type[Exception], words: str) -> None:
    ran: list[int] = []

    with Flow("f") as f:
        task(lambda p: ran.append(p))(Parameter("p"))

    with pytest.raises(error, match=words):
        f.run(**arguments)
    assert ran == []


@pytest.mark.parametrize("name", ["executor", "context", "history"])
def test_a_parameter_named_like_an_option_is_the_parameter(name: str) -> None:
    with Flow("f") as f:
        made = double(Parameter(name, default=1))

    assert f.run(**{name: 5}).result[made].result == 10


def add_three() -> tuple[Flow, Task]:
    with Flow("f") as f:
        made = task(lambda xs: sum(xs))([double(number) for number in range(3)])
    return f, made


@pytest.mark.parametrize(
    "executor",
    [None, "local", "threads", "threads:3", LocalExecutor(), ThreadExecutor(2)],
    ids=lambda executor: executor if isinstance(executor, str) else type(executor).__name__,
)
def test_a_flow_gives_the_same_with_every_executor(executor: Any) -> None:
    f, made = add_three()

    assert f.run(executor=executor).result[made].result == 6
    assert f.run(executor=executor).result[made].result == 6


def test_a_flow_gives_the_same_in_other_processes() -> None:
    f, made = add_three()
    executor = ProcessExecutor(2)

    assert f.run(executor=executor).result[made].result == 6


def test_the_executor_of_a_flow_is_used_unless_a_run_says_otherwise() -> None:
    import threading

    with Flow("f", executor=ThreadExecutor(1)) as f:
        made = task(lambda: threading.current_thread() is threading.main_thread())()

    assert f.run().result[made].result is False
    assert f.run(executor="local").result[made].result is True


def test_a_run_may_begin_with_a_finished_state() -> None:
    ran: list[int] = []

    with Flow("f") as f:
        task(lambda: ran.append(1))()
    given = api.Success("enough")

    assert f.run(state=given) is given
    assert ran == []


# -- going on from before --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name", "result", "after", "value"),
    [
        (api.Success(result=5), "Success", 5, "Success", 10),
        (api.Cached(result=5), "Cached", 5, "Success", 10),
        (api.Skipped("no"), "Skipped", None, "Skipped", None),
        (api.Failed("no"), "Failed", None, "TriggerFailed", None),
        (api.TriggerFailed("no"), "TriggerFailed", None, "TriggerFailed", None),
        (api.Cancelled("no"), "Cancelled", None, "TriggerFailed", None),
        (api.Pending(), "Success", 1, "Success", 2),
        (api.Resume(), "Success", 1, "Success", 2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_tasks_may_begin_in_a_state(given: api.State, name: str, result: Any, after: str, value: Any) -> None:
    ran: list[int] = []

    @task
    def first() -> int:
        ran.append(1)
        return 1

    with Flow("f") as f:
        made = first()
        later = double(made)

    state = f.run(task_states={made: given})

    assert (type(state.result[made]).__name__, state.result[made].result) == (name, result)
    assert (type(state.result[later]).__name__, state.result[later].result) == (after, value)
    assert bool(ran) is not given.is_finished()


def test_a_mapped_state_given_before_serves_those_after_it() -> None:
    with Flow("f") as f:
        made = double.map([1, 2])
        lanes = double.map(made)
        total = task(lambda xs: sum(xs))(made)

    before = f.run()
    state = f.run(task_states={made: before.result[made]})

    assert state.result[lanes].result == [4, 8]
    assert state.result[total].result == 6


def test_a_failed_run_goes_on_from_its_failure() -> None:
    ran: list[str] = []

    @task
    def load() -> int:
        ran.append("load")
        return 5

    @task
    def shaky(x: int) -> int:
        ran.append("shaky")
        if ran.count("shaky") == 1:
            raise ValueError
        return x

    with Flow("f") as f:
        loaded = load()
        made = double(shaky(loaded))

    first = f.run()
    good = {t: s for t, s in first.result.items() if s.is_successful()}
    second = f.run(task_states=good)

    assert second.result[made].result == 10
    assert ran == ["load", "shaky", "shaky"]


def test_task_states_may_name_originals() -> None:
    with Flow("f") as f:
        made = double(one())

    assert f.run(task_states={one: api.Success(result=21)}).result[made].result == 42


def test_resume_is_told_to_the_task_that_was_resumed() -> None:
    @task
    def ask() -> bool:
        return bool(context.get("resume"))

    with Flow("f") as f:
        first, second = ask(), ask()

    state = f.run(task_states={first: api.Resume()})
    assert (state.result[first].result, state.result[second].result) == (True, False)


# -- states ----------------------------------------------------------------------------------------------------------------


def test_states_are_equal_by_class_and_result() -> None:
    assert api.Success("a", result=1) == api.Success("b", result=1)
    assert api.Success(result=1) != api.Success(result=2)
    assert api.Success(result=1) != api.Cached(result=1)
    assert api.Success() != 5


@pytest.mark.parametrize(
    ("cls", "true"),
    [
        (api.Success, {"finished", "successful"}),
        (api.Cached, {"finished", "successful", "cached"}),
        (api.Mapped, {"finished", "successful", "mapped"}),
        (api.Skipped, {"finished", "successful", "skipped"}),
        (api.Failed, {"finished", "failed"}),
        (api.TimedOut, {"finished", "failed"}),
        (api.TriggerFailed, {"finished", "failed"}),
        (api.ValidationFailed, {"finished", "failed"}),
        (api.Cancelled, {"finished", "cancelled"}),
        (api.Looped, {"finished", "looped"}),
        (api.Pending, {"pending"}),
        (api.Scheduled, {"pending", "scheduled"}),
        (api.Paused, {"pending", "scheduled", "paused"}),
        (api.Resume, {"pending", "scheduled"}),
        (api.Retrying, {"pending", "scheduled", "retrying"}),
        (api.Submitted, {"submitted"}),
        (api.Queued, {"submitted", "queued"}),
        (api.Running, {"running"}),
        (api.Cancelling, {"running"}),
    ],
)
def test_questions_about_states_go_by_their_family(cls: type[api.State], true: set[str]) -> None:
    questions = [
        "pending",
        "scheduled",
        "retrying",
        "paused",
        "submitted",
        "queued",
        "running",
        "finished",
        "looped",
        "successful",
        "cached",
        "mapped",
        "skipped",
        "failed",
        "cancelled",
    ]

    assert {word for word in questions if getattr(cls(), f"is_{word}")()} == true


def test_states_know_their_family() -> None:
    assert {"Cached", "Mapped", "Skipped"} == set(api.Success.children(names_only=True))
    assert api.Cached.parents(names_only=True) == ["Success", "Finished", "State"]
    assert api.Success in api.State.children()
