"""Validation: everything that is wrong with a flow, told at once."""

from __future__ import annotations

from typing import Any

import pytest

from notebook_flows import Edge, Flow, Parameter, Task, task
from notebook_flows.errors import FlowValidationError


@task
def load() -> int:
    return 1


@task
def clean(data: int, how: str = "well") -> int:
    return data


def problems_of(f: Flow) -> tuple[str, ...]:
    with pytest.raises(FlowValidationError) as raised:
        f.validate()
    return raised.value.problems


def chain_of(*names: str) -> list[Task]:
    return [Task(name=name) for name in names]


def test_a_flow_without_problems_validates_to_nothing() -> None:
    with Flow("f") as f:
        clean(load())

    assert f.validate() is None


def test_an_empty_flow_is_fine() -> None:
    assert Flow("f").validate() is None


# -- one problem at a time -------------------------------------------------------------------------------------------------


def test_a_cycle_is_told_with_its_path() -> None:
    a, b, c = chain_of("a", "b", "c")
    f = Flow("f", edges=[Edge(a, b), Edge(b, c), Edge(c, a)])

    (problem,) = problems_of(f)

    assert problem.startswith("Cycle found; flows must be acyclic!")
    path = problem.split("! ")[1].split(" → ")
    assert path[0] == path[-1]
    assert set(path) == {"a", "b", "c"}


def test_every_cycle_is_told() -> None:
    a, b, c, d, e = chain_of("a", "b", "c", "d", "e")
    f = Flow("f", edges=[Edge(a, b), Edge(b, a), Edge(c, d), Edge(d, c), Edge(a, e), Edge(c, e)])

    assert sum("Cycle found" in problem for problem in problems_of(f)) == 2


def test_tasks_behind_a_cycle_are_not_told_as_part_of_it() -> None:
    a, b, after, before = chain_of("a", "b", "after", "before")
    f = Flow("f", edges=[Edge(a, b), Edge(b, a), Edge(b, after), Edge(before, a)])

    (problem,) = problems_of(f)

    assert "after" not in problem
    assert "before" not in problem


def test_a_long_cycle_is_told_in_short() -> None:
    tasks = chain_of(*[f"t{number}" for number in range(1_000)])
    f = Flow("f")
    f.chain(*tasks, tasks[0])

    (problem,) = problems_of(f)

    assert "more ..." in problem
    assert len(problem) < 500


def test_two_tasks_that_wait_for_each_other_by_calls() -> None:
    with Flow("f") as f:
        first = load()
        second = clean(first)
        first.set_upstream(second)

    (problem,) = problems_of(f)

    assert "load" in problem
    assert "clean" in problem


def test_an_edge_to_a_task_that_has_left_is_told_with_the_likely_name() -> None:
    with Flow("f") as f:
        first = load()
        clean(first)
        load(task_args={"name": "loads"})
    f.tasks.discard(first)

    (problem,) = problems_of(f)

    assert "Some edges refer to tasks not contained in this flow" in problem
    assert "'clean' waits for 'load'" in problem
    assert "Did you mean 'loads'?" in problem


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda f, t: f.add_edge(load.copy(), t), ["'clean' is missing the required argument 'data'"]),
        (
            lambda f, t: f.set_dependencies(t, keyword_tasks={"dta": load.copy(), "data": 1}),
            ["'clean' has no argument 'dta'", "Did you mean 'data'?", "Its arguments: data, how"],
        ),
        (
            lambda f, t: [f.add_edge(load.copy(), t, key="data") for _ in range(2)],
            ["Argument 'data' of task 'clean' has already been assigned: it is given 2 times"],
        ),
        (
            lambda f, t: [f.add_edge(load.copy(), t, key="data"), f.set_dependencies(t, keyword_tasks={"data": 5})],
            ["Argument 'data' of task 'clean' has already been assigned"],
        ),
    ],
    ids=["missing", "unknown", "twice", "edge and constant"],
)
def test_arguments_that_do_not_fit_are_told(prepare: Any, words: list[str]) -> None:
    f = Flow("f", tasks=[made := clean.copy()])
    prepare(f, made)

    (problem,) = problems_of(f)

    assert all(word in problem for word in words), problem


def test_several_missing_arguments_are_told_in_one_sentence() -> None:
    @task
    def join(left: int, right: int, *, how: str) -> int:
        return left

    (problem,) = problems_of(Flow("f", tasks=[join]))

    assert problem == "Task 'join' is missing the required arguments 'left', 'right', 'how'."


def test_an_argument_named_context_is_never_missing() -> None:
    @task
    def look(context: Any) -> None: ...

    Flow("f", tasks=[look]).validate()


def test_a_reference_task_that_has_left_is_told() -> None:
    with Flow("f") as f:
        first, _ = load(), load(task_args={"name": "loads"})
    f.set_reference_tasks([first])
    f.tasks.discard(first)

    (problem,) = problems_of(f)

    assert "Some reference tasks are not contained in this flow: 'load'" in problem


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"upstream_tasks": ["laod"]}, ["'clean' waits for 'laod'", "Did you mean 'load'?"]),
        ({"downstream_tasks": ["repotr"]}, ["'repotr'", "Did you mean 'report'?"]),
    ],
)
def test_a_misspelt_name_is_told_with_the_likely_one(given: Any, words: list[str]) -> None:
    with Flow("f") as f:
        made = clean(load())
        Task(name="report").bind()
        made.set_dependencies(**given)

    (problem,) = problems_of(f)

    assert all(word in problem for word in words), problem


def test_dependencies_by_name_and_by_slug_work() -> None:
    with Flow("f") as f:
        first = load()
        second = load()
        third = clean(5)
        third.set_dependencies(upstream_tasks=["load-2"])
        Task(name="report").bind().set_dependencies(upstream_tasks=["clean"])
        f.set_dependencies("load-1", downstream_tasks=["load-2"])

    assert list(f.upstream_tasks(third)) == [second]
    assert list(f.upstream_tasks(f.get_tasks(name="report")[0])) == [third]
    assert list(f.upstream_tasks(second)) == [first]


def test_a_name_may_be_given_before_its_task_is_written() -> None:
    with Flow("f") as f:
        made = clean(5)
        made.set_dependencies(upstream_tasks=["load"])
        first = load()

    assert list(f.upstream_tasks(made)) == [first]


def test_a_name_that_several_tasks_have_is_told_with_their_slugs() -> None:
    with Flow("f") as f:
        load()
        load()
        clean(5).set_dependencies(upstream_tasks=["load"])

    (problem,) = problems_of(f)

    assert "'load-1', 'load-2'" in problem


# -- all at once -----------------------------------------------------------------------------------------------------------


def broken() -> Flow:
    with Flow("nightly") as f:
        a, b = Task(name="a").bind(), Task(name="b").bind()
        a.set_upstream(b)
        b.set_upstream(a)
        made = clean(1)
        f.add_edge(load(), made, key="data")
        f.add_edge(load(), made, key="haw")
        f.add_task(clean.copy(name="unbound"))
        made.set_dependencies(upstream_tasks=["laod"])
        gone = load(task_args={"name": "gone"})
        clean(gone)
        f.set_reference_tasks([gone])
    f.tasks.discard(gone)
    return f


def test_all_problems_are_told_at_once_by_name() -> None:
    with pytest.raises(FlowValidationError) as raised:
        broken().validate()

    told = str(raised.value)
    for words in (
        "Flow 'nightly' cannot run",
        "Cycle found; flows must be acyclic!",
        "Argument 'data' of task 'clean' has already been assigned",
        "Task 'clean' has no argument 'haw'. Did you mean 'how'?",
        "Task 'unbound' is missing the required argument 'data'",
        "'clean' waits for 'laod'",
        "Did you mean 'load'?",
        "Some edges refer to tasks not contained in this flow",
        "Some reference tasks are not contained in this flow: 'gone'",
    ):
        assert words in told
    assert len(raised.value.problems) == 7
    assert "  7. " in told
    assert raised.value.flow_name == "nightly"
    assert isinstance(raised.value, ValueError)


def test_problems_are_told_again_until_they_are_solved() -> None:
    f = broken()

    assert problems_of(f) == problems_of(f)


def test_run_raises_what_validate_raises_and_runs_nothing() -> None:
    ran: list[int] = []

    with Flow("f") as f:
        task(lambda: ran.append(1))()
        f.add_task(clean.copy())

    with pytest.raises(FlowValidationError, match="missing the required argument 'data'"):
        f.run()
    assert ran == []


def test_a_flow_that_was_repaired_validates() -> None:
    f = Flow("f", tasks=[made := clean.copy()])
    problems_of(f)

    f.set_dependencies(made, keyword_tasks={"data": Parameter("p", default=1)})

    f.validate()
    assert f.run().result[made].result == 1
