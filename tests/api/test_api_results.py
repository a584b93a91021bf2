"""Results that are used again: caches, targets and result files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, JSONSerializer, LocalResult, Parameter, Task, cache_validators, task
from notebook_flows.core.context import context

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


@pytest.fixture
def ran() -> list[Any]:
    return []


def counting(ran: list[Any], **options: Any) -> Task:
    @task(**options)
    def step(x: int = 0, y: int = 0) -> int:
        ran.append(x)
        return len(ran)

    return step


def run_with(step: Task, *args: Any, **parameters: Any) -> Any:
    with Flow("f") as f:
        for name in ("p", "q"):
            Parameter(name, default=0)()
        made = step(*args)
    return f.run(parameters=parameters).result[made]


# -- caches ----------------------------------------------------------------------------------------------------------------


def test_a_cached_result_is_used_again_while_it_holds(ran: list[Any]) -> None:
    step = counting(ran, cache_for=HOUR)

    first, second = run_with(step, 1), run_with(step, 2)

    assert (type(first).__name__, type(second).__name__) == ("Success", "Cached")
    assert (first.result, second.result, len(ran)) == (1, 1, 1)


def test_an_expired_result_is_made_anew(ran: list[Any]) -> None:
    step = counting(ran, cache_for=timedelta(0))

    run_with(step)

    assert run_with(step).result == 2


@pytest.mark.parametrize(
    ("validator", "second", "is_hit"),
    [
        (cache_validators.duration_only, ((9, 9), {"p": 9}), True),
        (cache_validators.never_use, ((1, 2), {}), False),
        (cache_validators.all_inputs, ((1, 2), {"p": 9}), True),
        (cache_validators.all_inputs, ((1, 9), {}), False),
        (cache_validators.all_parameters, ((9, 9), {}), True),
        (cache_validators.all_parameters, ((1, 2), {"p": 9}), False),
        (cache_validators.partial_inputs_only(["x"]), ((1, 9), {}), True),
        (cache_validators.partial_inputs_only(["x"]), ((9, 2), {}), False),
        (cache_validators.partial_parameters_only(["q"]), ((1, 2), {"p": 9}), True),
        (cache_validators.partial_parameters_only(["q"]), ((1, 2), {"q": 9}), False),
        (lambda state, inputs, parameters: inputs["x"] == state.cached_inputs["x"], ((1, 9), {}), True),
        (lambda state, inputs, parameters: False, ((1, 2), {}), False),
    ],
)
def test_a_validator_says_whether_a_cached_result_holds(
    validator: Any, second: tuple[Any, Any], is_hit: bool, ran: list[Any]
) -> None:
    step = counting(ran, cache_for=HOUR, cache_validator=validator)

    run_with(step, 1, 2)
    args, parameters = second
    state = run_with(step, *args, **parameters)

    assert state.is_cached() is is_hit


def test_among_several_cached_results_the_one_that_holds_is_found(ran: list[Any]) -> None:
    step = counting(ran, cache_for=HOUR, cache_validator=cache_validators.all_inputs)

    for x in (1, 2, 3):
        run_with(step, x)

    assert run_with(step, 1).result == 1
    assert ran == [1, 2, 3]


def test_inputs_that_cannot_be_compared_are_never_guessed_to_be_equal(ran: list[Any]) -> None:
    class Unclear:
        def __eq__(self, other: object) -> Any:
            return [True]

        __hash__ = object.__hash__

    step = counting(ran, cache_for=HOUR, cache_validator=cache_validators.all_inputs)

    run_with(step, Unclear())

    assert not run_with(step, Unclear()).is_cached()


def test_a_validator_that_raises_fails_its_task_and_says_so(ran: list[Any]) -> None:
    step = counting(ran, cache_for=HOUR, cache_validator=lambda *_: 1 / 0)

    run_with(step)
    state = run_with(step)

    assert not state.is_cached()
    assert state.is_failed() or state.result == 2


def test_tasks_with_one_key_share_their_results_and_names_keep_them_apart(ran: list[Any]) -> None:
    a = counting(ran, cache_for=HOUR, cache_key="shared", name="a")
    b = counting(ran, cache_for=HOUR, cache_key="shared", name="b")
    c = counting(ran, cache_for=HOUR, name="c")

    run_with(a)

    assert run_with(b).is_cached()
    assert not run_with(c).is_cached()


def test_failures_are_not_cached(ran: list[Any]) -> None:
    @task(cache_for=HOUR)
    def bad() -> None:
        ran.append(1)
        raise ValueError

    run_with(bad)
    run_with(bad)

    assert len(ran) == 2


def test_children_are_cached_each_by_its_inputs(ran: list[Any]) -> None:
    step = counting(ran, cache_for=HOUR, cache_validator=cache_validators.all_inputs)

    def run_over(numbers: list[int]) -> Any:
        with Flow("f") as f:
            made = step.map(numbers)
        return f.run().result[made]

    run_over([1, 2])
    state = run_over([2, 3])

    assert [type(child).__name__ for child in state.map_states] == ["Cached", "Success"]
    assert ran == [1, 2, 3]


def test_a_cached_task_counts_as_successful_for_those_after_it(ran: list[Any]) -> None:
    step = counting(ran, cache_for=HOUR)
    run_with(step)

    with Flow("f") as f:
        made = task(lambda x: x * 10)(step())

    state = f.run()
    assert state.is_successful()
    assert state.result[made].result == 10


def test_a_validator_without_a_duration_warns() -> None:
    with pytest.warns(UserWarning, match="no cache_for"):
        Task(cache_validator=cache_validators.all_inputs)


def test_never_use_without_a_duration_says_nothing() -> None:
    Task(cache_validator=cache_validators.never_use)


# -- targets ---------------------------------------------------------------------------------------------------------------


def test_a_target_that_exists_stands_for_the_run(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="out.pkl", result=LocalResult(tmp_path))

    first, second = run_with(step), run_with(step)

    assert (type(first).__name__, type(second).__name__) == ("Success", "Cached")
    assert (tmp_path / "out.pkl").is_file()
    assert (second.result, len(ran)) == (1, 1)


def test_a_removed_target_is_made_again(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="out.pkl", result=LocalResult(tmp_path))
    run_with(step)

    (tmp_path / "out.pkl").unlink()

    assert run_with(step).result == 2


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("{x}/{task_name}.pkl", "7/step.pkl"),
        ("{flow_name}-{parameters[p]}.pkl", "f-3.pkl"),
        (lambda **keys: f"{keys['task_name']}-{keys['x']}", "step-7"),
        ("{task_slug}.pkl", "step-1.pkl"),
    ],
)
def test_a_target_is_a_template_of_context_and_inputs(target: Any, file: str, tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target=target, result=LocalResult(tmp_path))

    assert run_with(step, 7, p=3).is_successful()
    assert (tmp_path / file).is_file()


def test_children_have_their_own_targets(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="{map_index}.pkl", result=LocalResult(tmp_path))

    with Flow("f") as f:
        made = step.map([5, 6])

    assert f.run().result[made].result == [1, 2]
    assert sorted(path.name for path in tmp_path.glob("*.pkl")) == ["0.pkl", "1.pkl"]
    assert all(child.is_cached() for child in f.run().result[made].map_states)


def test_a_target_without_a_result_goes_to_the_default_folder(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="deep/out.pkl")

    run_with(step)

    assert (tmp_path / "results" / "deep" / "out.pkl").is_file()
    assert run_with(step).is_cached()


def test_the_result_of_a_flow_is_the_default_of_its_tasks(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="out.pkl")

    with Flow("f", result=LocalResult(tmp_path / "of flow")) as f:
        step()

    f.run()
    assert (tmp_path / "of flow" / "out.pkl").is_file()


def test_a_target_outside_of_its_folder_is_refused(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="../out.pkl", result=LocalResult(tmp_path / "inside"))

    state = run_with(step)

    assert state.is_failed()
    assert "outside" in str(state.result)


@pytest.mark.parametrize("target", ["{nobody}.pkl", lambda **keys: 1 / 0])
def test_a_target_that_cannot_be_made_fails_the_task(target: Any, tmp_path: Path, ran: list[Any]) -> None:
    state = run_with(counting(ran, target=target, result=LocalResult(tmp_path)))

    assert state.is_failed()
    assert ran == []


def test_a_damaged_target_fails_the_task_and_says_which_file(tmp_path: Path, ran: list[Any]) -> None:
    step = counting(ran, target="out.pkl", result=LocalResult(tmp_path))
    (tmp_path / "out.pkl").write_bytes(b"no pickle")

    state = run_with(step)

    assert state.is_failed()
    assert "out.pkl" in str(state.result)


# -- results ---------------------------------------------------------------------------------------------------------------


def test_a_result_is_written_where_its_template_says(tmp_path: Path) -> None:
    @task(result=LocalResult(tmp_path, location="{flow_name}/{task_name}.json", serializer=JSONSerializer()))
    def table() -> dict[str, int]:
        return {"a": 1}

    run_with(table)

    assert (tmp_path / "f" / "table.json").read_text() == '{"a": 1}'


@pytest.mark.parametrize(
    ("options", "value"), [({"checkpoint": False}, 5), ({}, None)], ids=["checkpoint=False", "None"]
)
def test_what_is_not_to_be_kept_is_not_written(options: Any, value: Any, tmp_path: Path) -> None:
    made = task(result=LocalResult(tmp_path, location="out"), **options)(lambda: value)

    assert run_with(made).is_successful()
    assert not (tmp_path / "out").exists()


def test_a_result_that_cannot_be_written_fails_the_task(tmp_path: Path) -> None:
    made = task(target="out.json", result=LocalResult(tmp_path, serializer=JSONSerializer()))(lambda: object())

    state = run_with(made)

    assert state.is_failed()
    assert "out.json" in str(state.result)
    assert not list(tmp_path.iterdir())


def test_the_run_is_known_while_the_target_is_filled_in(tmp_path: Path) -> None:
    @task(target="{flow_run_name}.pkl", result=LocalResult(tmp_path))
    def step() -> str:
        return str(context.flow_run_name)

    with Flow("f") as f:
        step()

    f.run(flow_run_name="tuesday")
    assert (tmp_path / "tuesday.pkl").is_file()
