"""State handlers: told of every change, and free to change it."""

from __future__ import annotations

from typing import Any

import pytest

from notebook_flows import Flow, Task, context, signals, task
from notebook_flows.core import state as api


class Watch:
    """Remembers the changes that it is told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []

    def __call__(self, _owner: Any, old: api.State, new: api.State) -> None:
        self.changes.append((type(old).__name__, type(new).__name__))


def run_of(function: Any, **options: Any) -> tuple[api.State, api.State]:
    made = task(**options)(function)
    with Flow("f") as f:
        call = made()
    state = f.run()
    return state, state.result[call]


def ok() -> int:
    return 1


def bad() -> None:
    raise ValueError("boom")


# -- tasks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "options", "changes"),
    [
        (ok, {}, [("Pending", "Running"), ("Running", "Success")]),
        (bad, {}, [("Pending", "Running"), ("Running", "Failed")]),
        (
            bad,
            {"max_retries": 1, "retry_delay": 0},
            [
                ("Pending", "Running"),
                ("Running", "Failed"),
                ("Failed", "Retrying"),
                ("Retrying", "Running"),
                ("Running", "Failed"),
            ],
        ),
    ],
    ids=["success", "failure", "retry"],
)
def test_handlers_hear_of_every_change_in_order(function: Any, options: Any, changes: list[tuple[str, str]]) -> None:
    watch = Watch()

    run_of(function, state_handlers=[watch], **options)

    assert watch.changes == changes


@pytest.mark.parametrize(
    ("signal", "last"),
    [(signals.SKIP, "Skipped"), (signals.VALIDATIONFAIL, "ValidationFailed"), (signals.SUCCESS, "Success")],
)
def test_handlers_hear_of_signals(signal: Any, last: str) -> None:
    def step() -> None:
        raise signal

    watch = Watch()

    run_of(step, state_handlers=[watch])

    assert watch.changes == [("Pending", "Running"), ("Running", last)]


def test_handlers_hear_of_tasks_that_do_not_run() -> None:
    watch = Watch()

    with Flow("f") as f:
        Task(name="after", state_handlers=[watch]).set_upstream(task(bad)())

    f.run()
    assert watch.changes == [("Pending", "TriggerFailed")]


def test_handlers_get_the_task_and_states_with_results() -> None:
    seen: list[Any] = []

    @task(name="one", state_handlers=[lambda owner, _, new: seen.append((owner.name, new.result))])
    def step() -> int:
        return 1

    with Flow("f") as f:
        step()

    f.run()
    assert seen == [("one", None), ("one", 1)]


def test_each_handler_sees_what_the_one_before_made_of_it() -> None:
    watch = Watch()

    def veto(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Failed("no", result=3) if new.is_successful() else None

    flow_state, state = run_of(ok, state_handlers=[veto, watch])

    assert watch.changes == [("Pending", "Running"), ("Running", "Failed")]
    assert (state.message, state.result) == ("no", 3)
    assert flow_state.is_failed()


@pytest.mark.parametrize(
    ("function", "when", "instead"),
    [
        (bad, "Failed", api.Success("fine", result=3)),
        (ok, "Running", api.Skipped("not today")),
        (ok, "Running", api.Success(result=9)),
        (ok, "Success", api.Skipped()),
        (ok, "Success", api.Cancelled("stop")),
    ],
    ids=["rescue", "skip before", "answer before", "skip after", "cancel"],
)
def test_a_handler_may_put_another_state_in_its_place(function: Any, when: str, instead: api.State) -> None:
    ran: list[int] = []

    def step() -> Any:
        ran.append(1)
        return function()

    def replace(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return instead if type(new).__name__ == when else None

    _, state = run_of(step, state_handlers=[replace])

    assert state == instead
    assert type(state) is type(instead)
    assert bool(ran) is (when != "Running")


def test_what_a_handler_puts_in_place_goes_on_downstream() -> None:
    def replace(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Success(result=10 * new.result) if new.is_successful() else None

    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("f") as f:
        made = double(task(state_handlers=[replace])(ok)())

    assert f.run().result[made].result == 20


def test_a_handler_may_stop_the_retries() -> None:
    tried: list[int] = []

    def give_up(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Failed("that is enough") if isinstance(new, api.Retrying) else None

    def step() -> None:
        tried.append(1)
        raise ValueError

    _, state = run_of(step, state_handlers=[give_up], max_retries=5, retry_delay=0)

    assert (len(tried), state.message) == (1, "that is enough")


@pytest.mark.parametrize("after", [1, 2])
def test_a_handler_that_raises_fails_the_task_and_says_so(after: int) -> None:
    calls: list[int] = []

    def broken(*_: Any) -> None:
        calls.append(1)
        if len(calls) == after:
            raise RuntimeError("handler")

    flow_state, state = run_of(ok, state_handlers=[broken])

    assert flow_state.is_failed()
    assert isinstance(state.result, RuntimeError)
    assert "state handlers" in str(state.message)


def test_a_handler_may_raise_a_signal() -> None:
    def skip(_owner: Any, _old: api.State, new: api.State) -> None:
        if new.is_running():
            raise signals.SKIP("by handler")

    assert run_of(ok, state_handlers=[skip])[1].message == "by handler"


def test_a_handler_that_returns_no_end_fails_the_task() -> None:
    def confused(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Pending() if new.is_successful() else None

    flow_state, state = run_of(ok, state_handlers=[confused])

    assert flow_state.is_failed()
    assert "no state to end in" in str(state.message)


def test_what_a_handler_returns_that_is_no_state_is_ignored() -> None:
    assert run_of(ok, state_handlers=[lambda *_: "thanks"])[1].is_successful()


def test_on_failure_is_called_once_for_each_failure_with_task_and_state() -> None:
    told: list[tuple[str, str]] = []

    def tell(owner: Task, state: api.State) -> None:
        told.append((owner.name, type(state).__name__))

    run_of(bad, on_failure=tell)
    run_of(ok, on_failure=tell)

    assert told == [("bad", "Failed")]


def test_on_failure_hears_of_tasks_that_could_not_run() -> None:
    told: list[str] = []

    with Flow("f") as f:
        Task(name="after", on_failure=lambda owner, state: told.append(type(state).__name__)).set_upstream(task(bad)())

    f.run()
    assert told == ["TriggerFailed"]


# -- flows -----------------------------------------------------------------------------------------------------------------


def flow_with(function: Any, **options: Any) -> Flow:
    with Flow("f", **options) as f:
        task(function)()
    return f


@pytest.mark.parametrize(("function", "last"), [(ok, "Success"), (bad, "Failed")])
def test_the_handlers_of_a_flow_hear_of_its_begin_and_end(function: Any, last: str) -> None:
    watch = Watch()

    flow_with(function, state_handlers=[watch]).run()

    assert watch.changes == [("Pending", "Running"), ("Running", last)]


def test_a_handler_of_a_flow_may_change_how_it_ends() -> None:
    def rescue(_owner: Flow, _old: api.State, new: api.State) -> api.State | None:
        return api.Success("fine") if new.is_failed() else None

    state = flow_with(bad, state_handlers=[rescue]).run()

    assert state.is_successful()
    assert state.message == "fine"
    assert [type(each).__name__ for each in state.result.values()] == ["Failed"]


def test_a_handler_of_a_flow_may_keep_it_from_beginning() -> None:
    ran: list[int] = []

    def veto(_owner: Flow, _old: api.State, new: api.State) -> api.State | None:
        return api.Failed("not now") if new.is_running() else None

    state = flow_with(lambda: ran.append(1), state_handlers=[veto]).run()

    assert (state.message, ran) == ("not now", [])


def test_a_handler_of_a_flow_that_raises_fails_it() -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("handler")

    state = flow_with(ok, state_handlers=[broken]).run()

    assert state.is_failed()
    assert "state handlers" in str(state.message)


def test_a_handler_of_a_flow_that_returns_no_end_fails_it() -> None:
    def confused(_owner: Flow, _old: api.State, new: api.State) -> api.State | None:
        return api.Running() if new.is_finished() else None

    state = flow_with(ok, state_handlers=[confused]).run()

    assert state.is_failed()


def test_on_failure_of_a_flow() -> None:
    told: list[str] = []

    flow_with(bad, on_failure=lambda f, state: told.append(f"{f.name} {type(state).__name__}")).run()
    flow_with(ok, on_failure=lambda f, state: told.append("never")).run()

    assert told == ["f Failed"]


def test_the_terminal_state_handler_judges_by_the_reference_tasks() -> None:
    seen: list[Any] = []

    def judge(f: Flow, state: api.State, references: set[api.State]) -> api.State | None:
        seen.append((f.name, type(state).__name__, [type(each).__name__ for each in references]))
        return api.Success("judged") if state.is_failed() else None

    state = flow_with(bad, terminal_state_handler=judge).run()

    assert seen == [("f", "Failed", ["Failed"])]
    assert (type(state).__name__, state.message) == ("Success", "judged")


def test_a_terminal_state_handler_that_says_nothing_changes_nothing() -> None:
    assert flow_with(ok, terminal_state_handler=lambda *_: None).run().message == "All reference tasks succeeded."


def test_a_terminal_state_handler_that_raises_fails_the_flow() -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("handler")

    state = flow_with(ok, terminal_state_handler=broken).run()

    assert state.is_failed()
    assert "terminal state handler" in str(state.message)


def test_the_handlers_of_a_flow_come_after_its_terminal_one() -> None:
    watch = Watch()

    flow_with(bad, terminal_state_handler=lambda *_: api.Success(), state_handlers=[watch]).run()

    assert watch.changes[-1] == ("Running", "Success")


# -- rounds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["always", "at the end"])
def test_handlers_that_would_loop_for_ever_end_the_task_and_say_so(when: str) -> None:
    def again(_owner: Any, _old: api.State, new: api.State) -> api.State | None:
        return api.Looped() if when == "always" or new.is_finished() else None

    _, state = run_of(ok, state_handlers=[again])

    assert state.is_failed()
    assert "have sent it into another round 1,000 times" in state.message


def test_a_task_itself_may_loop_as_often_as_it_likes() -> None:
    def count() -> int:
        rounds = int(context.get("task_loop_count", 1))
        if rounds < 1_200:
            raise signals.LOOP(result=rounds)
        return rounds

    watch = Watch()
    _, state = run_of(count, state_handlers=[watch])

    assert state.result == 1_200
