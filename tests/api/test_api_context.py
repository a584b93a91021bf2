"""What a running task knows of its run: the context, its log, its run's name."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any

import pytest

from notebook_flows import Flow, Parameter, Task, task
from notebook_flows.core.context import context
from notebook_flows.workspace import event_log


@task
def keys() -> dict[str, Any]:
    return context.to_dict()


def result_of(call: Task, f: Flow, **options: Any) -> Any:
    state = f.run(**options).result[call]
    assert state.is_successful(), state
    return state.result


# -- keys ------------------------------------------------------------------------------------------------------------------


def test_a_task_finds_its_run_in_the_context() -> None:
    with Flow("nightly") as f:
        Parameter("p", default=1)()
        call = keys(task_args={"name": "look", "tags": ["t"]})

    found = result_of(call, f, flow_run_name="tuesday", flow_run_id="0" * 32, p=5)

    expected = {
        "flow_name": "nightly",
        "flow_run_name": "tuesday",
        "flow_run_id": "0" * 32,
        "parameters": {"p": 5},
        "task_name": "look",
        "task_full_name": "look",
        "task_tags": {"t"},
        "task_run_count": 1,
        "task_loop_count": 1,
        "map_index": None,
    }
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    "way", [lambda: context.flow_name, lambda: context["flow_name"], lambda: context.get("flow_name")]
)
def test_a_key_can_be_asked_for_in_three_ways(way: Any) -> None:
    with Flow("nightly") as f:
        call = task(way)()

    assert result_of(call, f) == "nightly"


def test_days_are_told_with_and_without_dashes() -> None:
    with Flow("f") as f:
        call = keys()

    found = result_of(call, f)

    today = datetime.now(UTC)
    assert isinstance(found["date"], datetime)
    assert abs((today - found["scheduled_start_time"]).total_seconds()) < 60
    for day in ("yesterday", "today", "tomorrow"):
        assert date.fromisoformat(found[day])
        assert found[f"{day}_nodash"] == found[day].replace("-", "")
    assert found["yesterday"] < found["today"] < found["tomorrow"]


def test_a_run_has_a_name_of_its_own_unless_it_is_given_one() -> None:
    with Flow("f") as f:
        call = task(lambda: context.flow_run_name)()

    first, second = result_of(call, f), result_of(call, f)

    assert first != second
    assert first.startswith("f-")


def test_the_state_of_a_flow_knows_its_run() -> None:
    state = Flow("f").run(flow_run_name="tuesday", flow_run_id="1" * 32)

    assert state.context == {"flow_run_name": "tuesday", "flow_run_id": "1" * 32}


def test_the_slug_is_known_to_tasks_that_ask_for_the_context() -> None:
    @task
    def look(context: Any) -> str:
        return str(context.task_slug)

    with Flow("f") as f:
        look()
        call = look()

    assert result_of(call, f) == "look-2"


def test_more_keys_can_be_given_to_a_run_and_to_one_task() -> None:
    with Flow("f") as f:
        first, second = keys(), keys()

    state = f.run(context={"colour": "blue"}, task_contexts={second: {"size": 5}})

    assert (state.result[first].result["colour"], "size" in state.result[first].result) == ("blue", False)
    assert (state.result[second].result["colour"], state.result[second].result["size"]) == ("blue", 5)


def test_the_context_of_the_notebook_is_seen_inside_too() -> None:
    with Flow("f") as f:
        call = task(lambda: context.get("colour"))()

    with context(colour="blue"):
        assert result_of(call, f) == "blue"
    assert result_of(call, f) is None


def test_layers_of_the_context_nest_and_end() -> None:
    with context({"a": 1}, b=2):
        with context(a=3):
            assert (context.a, context.b) == (3, 2)
        assert context.a == 1
    assert "a" not in context


def test_a_missing_key_says_what_there_is() -> None:
    with Flow("f") as f:
        call = task(lambda: context.flow_nam)()

    assert "flow_name" in str(f.run().result[call].result)
    with pytest.raises(AttributeError, match="no task is running"):
        context.flow_name
    with pytest.raises(KeyError):
        context["flow_name"]


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_the_context_is_that_of_each_task_in_every_executor(executor: str) -> None:
    with Flow("f") as f:
        calls = [task(lambda: context.task_name)(task_args={"name": f"t{n}"}) for n in range(8)]

    state = f.run(executor=executor)

    assert [state.result[call].result for call in calls] == [f"t{n}" for n in range(8)]


# -- the argument named context --------------------------------------------------------------------------------------------


def test_an_argument_named_context_gets_the_context_of_the_run() -> None:
    @task
    def load() -> int:
        return 5

    @task
    def report(x: int, context: Any) -> Any:
        state = context.upstream_states["load"]
        return context.flow_name, context.attempt, state.result, state.is_successful(), context["parameters"], x

    with Flow("nightly") as f:
        call = report(load())

    assert result_of(call, f) == ("nightly", 1, 5, True, {}, 5)


def test_the_context_argument_may_stand_anywhere_and_have_a_default() -> None:
    @task
    def first(context: Any, x: int) -> Any:
        return context.run_name, x

    @task
    def last(x: int = 1, context: Any = None) -> Any:
        return context.get("run_name"), context.get("nothing", 7), x, "run_name" in context

    with Flow("f") as f:
        a, b = first(x=5), last()

    state = f.run(flow_run_name="tuesday")
    assert state.result[a].result == ("tuesday", 5)
    assert state.result[b].result == ("tuesday", 7, 1, True)


def test_a_context_that_is_given_is_left_alone() -> None:
    @task
    def look(context: Any) -> Any:
        return context

    with Flow("f") as f:
        call = look(context="mine")

    assert result_of(call, f) == "mine"


def test_the_context_argument_lasts_in_a_thread_of_the_tasks_own() -> None:
    import threading

    @task
    def look(context: Any) -> list[str]:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(context.flow_name))
        thread.start()
        thread.join()
        return found

    with Flow("nightly") as f:
        call = look()

    assert result_of(call, f) == ["nightly"]


def test_the_context_argument_of_children() -> None:
    @task
    def look(x: int, context: Any) -> Any:
        return context.map_index, context.upstream_states["numbers"].result

    @task
    def numbers() -> list[int]:
        return [5, 6]

    with Flow("f") as f:
        call = look.map(numbers())

    assert [index for index, _ in result_of(call, f)] == [0, 1]


def test_an_unknown_attribute_of_the_context_argument_says_what_there_is() -> None:
    @task
    def look(context: Any) -> Any:
        return context.flow_nam

    with Flow("f") as f:
        call = look()

    assert "flow_name" in str(f.run().result[call].result)


# -- logs ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory")


def lines_of(state: Any) -> list[tuple[str, str, str]]:
    run_id = state.context["flow_run_id"]
    return [(logging.getLevelName(line.level), line.logger, line.message) for line in event_log().log_lines(run_id)]


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_what_a_task_logs_is_kept_with_its_run(executor: str) -> None:
    @task
    def speak() -> None:
        context.logger.info("hello %s", "you")
        logging.getLogger("library").warning("careful")

    with Flow("f") as f:
        speak()

    lines = lines_of(f.run(executor=executor))

    assert ("INFO", "notebook_flows.task", "hello you") in lines
    assert ("WARNING", "library", "careful") in lines


@pytest.mark.usefixtures("in_memory")
def test_prints_are_kept_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=True)
    def loud() -> None:
        print("one\ntwo")
        print("no end", end="")

    @task
    def silent() -> None:
        print("only shown")

    with Flow("f") as f:
        loud()
        silent()

    lines = lines_of(f.run())

    assert [message for _, logger, message in lines if logger == "stdout"] == ["one", "two", "no end"]
    assert "only shown" in capsys.readouterr().out


@pytest.mark.usefixtures("in_memory")
def test_prints_of_tasks_side_by_side_are_told_apart() -> None:
    @task(log_stdout=True)
    def loud(x: int) -> None:
        for _ in range(20):
            print(f"line of {x}")

    with Flow("f") as f:
        loud.map([0, 1, 2, 3])

    state = f.run(executor="threads:4")

    lines = event_log().log_lines(state.context["flow_run_id"])
    assert len(lines) == 80
    assert all(line.message == f"line of {line.index}" for line in lines)


def test_stdout_is_as_before_after_a_failure_too() -> None:
    import sys

    @task(log_stdout=True)
    def loud() -> None:
        raise ValueError

    before = sys.stdout
    with Flow("f") as f:
        loud()

    f.run()
    assert sys.stdout is before


def test_a_name_for_task_runs_is_taken_as_it_is_given() -> None:
    with Flow("f") as f:
        call = task(task_run_name="{task_name} of {flow_name}")(lambda: 1)()

    assert result_of(call, f) == 1
