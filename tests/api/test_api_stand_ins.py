"""Stand-ins: a task that was called once stands for its call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from notebook_flows import Edge, Flow, Parameter, Task, case, merge, resource_manager, task
from notebook_flows.errors import FlowValidationError, TaskCallError


@task
def load() -> int:
    return 1


@task
def clean(data: int = 0) -> int:
    return data + 1


def names(tasks: Any) -> list[str]:
    return [each.name for each in tasks]


def test_the_example_that_users_arrive_with_has_four_tasks() -> None:
    ran: list[str] = []

    @task
    def extract_data() -> list[int]:
        ran.append("extract")
        return [1, 2]

    @task
    def preprocess_data(data: list[int]) -> list[int]:
        ran.append("preprocess")
        return [value + 1 for value in data]

    @task
    def transform_data(data: list[int]) -> list[int]:
        ran.append("transform")
        return [10 * value for value in data]

    @task
    def load_data(data: list[int], date: str) -> str:
        ran.append("load")
        return f"{date}: {data}"

    with Flow("ETL") as flow:
        date = Parameter("date", default="2021-01-01")
        raw = extract_data()
        preprocessed_data = preprocess_data(raw)
        transformed = transform_data(preprocessed_data)
        loaded = load_data(transformed, date)
        preprocessed_data.set_dependencies(upstream_tasks=[extract_data])
        load_data.set_dependencies(upstream_tasks=[transform_data])

    flow.validate()
    state = flow.run(parameters={"date": "2021-01-02"})

    assert sorted(names(flow.tasks)) == ["date", "extract_data", "load_data", "preprocess_data", "transform_data"]
    assert ran == ["extract", "preprocess", "transform", "load"]
    assert state.result[loaded].result == "2021-01-02: [20, 30]"
    assert state.result[load_data].result == state.result[loaded].result
    assert set(flow.upstream_tasks(loaded)) == {transformed, date}


def test_a_call_that_does_not_fit_fails_where_it_is_written() -> None:
    @task
    def transform_data() -> None: ...

    with Flow("ETL"), pytest.raises(TaskCallError, match="too many positional arguments") as raised:
        transform_data(5)

    assert "'transform_data'" in str(raised.value)
    assert "'ETL'" in str(raised.value)


# -- where originals may stand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "connect",
    [
        lambda f, second: second.set_upstream(load),
        lambda f, second: second.set_dependencies(upstream_tasks=[load]),
        lambda f, second: load.set_downstream(second),
        lambda f, second: load.set_dependencies(downstream_tasks=[second]),
        lambda f, second: f.set_dependencies(clean, upstream_tasks=[load]),
        lambda f, second: f.add_edge(load, clean),
        lambda f, second: f.add_edge(load, second),
        lambda f, second: f.chain(load, clean),
        lambda f, second: load | second,
        lambda f, second: load | clean,
        lambda f, second: f.edges.add(Edge(load, clean)),
        lambda f, second: clean.set_upstream(load),
        lambda f, second: clean.set_upstream("load"),
    ],
    ids=range(13),
)
def test_an_original_stands_for_its_call_wherever_tasks_are_named(connect: Any) -> None:
    with Flow("f") as f:
        first, second = load(), clean(5)
        connect(f, second)

    assert list(f.tasks) == [first, second]
    assert list(f.edges) == [Edge(first, second)]


def test_an_original_as_an_argument_is_its_call() -> None:
    with Flow("f") as f:
        first = load()
        second = clean(load)
        gathered = task(lambda xs: xs)([load, clean])

    assert Edge(first, second, key="data") in f.edges
    assert f.run().result[gathered].result == [1, 2]
    assert len(f.get_tasks(name="load")) == 1


def test_the_call_may_come_after_the_dependency() -> None:
    with Flow("f") as f:
        second = clean(5)
        second.set_upstream(load)
        first = load()

    assert set(f.tasks) == {first, second}
    assert list(f.edges) == [Edge(first, second)]


def test_arguments_given_to_an_original_reach_its_call() -> None:
    with Flow("f") as f:
        made = clean()
        clean.set_dependencies(keyword_tasks={"data": load()})

    assert f.run().result[made].result == 2


def test_an_original_without_any_call_is_itself() -> None:
    with Flow("f") as f:
        made = clean(5)
        made.set_upstream(load)

    state = f.run()
    assert state.result[load].result == 1
    assert list(f.upstream_tasks(made)) == [load]


def test_an_original_that_was_added_on_purpose_is_itself() -> None:
    with Flow("f") as f:
        f.add_task(load)
        first = load()
        made = clean(5)
        made.set_upstream(load)

    assert list(f.upstream_tasks(made)) == [load]
    assert set(f.tasks) == {load, first, made}


def test_dependencies_are_settled_when_the_flow_runs_too() -> None:
    f = Flow("f")
    first, second = load(flow=f), clean(5, flow=f)

    f.set_dependencies(clean, upstream_tasks=[load])

    assert f.run().is_successful()
    assert set(f.tasks) == {first, second}


def test_an_original_in_case_and_merge() -> None:
    with Flow("f") as f:
        load()
        with case(load, 1):
            left = clean(5)
        made = merge(clean, left)

    assert f.run().result[made].result == 6
    assert len(f.get_tasks(name="load")) == 1


# -- asking by originals ---------------------------------------------------------------------------------------------------


def test_originals_may_be_reference_tasks() -> None:
    with Flow("f") as f:
        first = load()
        clean(first)
        f.set_reference_tasks([load])

    assert list(f.reference_tasks()) == [first]
    f.set_reference_tasks([clean])
    assert names(f.reference_tasks()) == ["clean"]


def test_an_original_may_be_a_reference_task_of_a_dependency_that_is_settled_later() -> None:
    with Flow("f") as f:
        first, second = load(), clean(5)
        second.set_upstream(load)
        f.set_reference_tasks([load])

    assert list(f.reference_tasks()) == [first]
    assert f.run().is_successful()


def test_an_original_may_be_replaced() -> None:
    with Flow("f") as f:
        load()
        made = clean(load)

    f.replace(load, 41)

    state = f.run()
    assert (state.result[made].result, state.result[load].result) == (42, 41)


def test_a_call_that_was_removed_is_meant_no_more() -> None:
    with Flow("f") as f:
        first, second = load(), load()
        made = clean(5)
    f.tasks.discard(first)

    f.set_dependencies(made, upstream_tasks=[load])

    f.validate()
    assert list(f.upstream_tasks(made)) == [second]


@pytest.mark.parametrize("method", ["edges_to", "edges_from", "upstream_tasks", "downstream_tasks"])
def test_originals_may_be_asked_about(method: str) -> None:
    with Flow("f") as f:
        first = load()
        second = clean(first)
        Task(name="after").set_upstream(second)

    assert list(getattr(f, method)(clean)) == list(getattr(f, method)(second))


def test_the_result_of_an_original_is_that_of_its_call() -> None:
    with Flow("f") as f:
        second = clean(load())

    state = f.run()

    assert state.result[load].result == 1
    assert state.result[clean] is state.result[second]
    assert clean not in list(state.result)


# -- several calls ---------------------------------------------------------------------------------------------------------


def test_an_original_that_was_called_several_times_is_unclear() -> None:
    with Flow("f") as f:
        load()
        load()
        clean(5).set_upstream(load)

    with pytest.raises(
        FlowValidationError, match="'load' is used in a dependency, but it was called 2 times"
    ) as raised:
        f.run()

    assert "'load-1', 'load-2'" in str(raised.value)


def test_the_result_of_an_original_with_several_calls_is_unclear() -> None:
    with Flow("f") as f:
        load()
        load()

    with pytest.raises(KeyError, match="was called 2 times in flow 'f'"):
        f.run().result[load]


def test_calls_of_copies_are_their_own() -> None:
    other = load.copy(name="other")

    with Flow("f") as f:
        first, second = load(), other()
        made = clean(5)
        made.set_upstream(load)

    assert list(f.upstream_tasks(made)) == [first]
    assert f.run().result[other] is not None
    assert second in f


def test_each_flow_has_its_own_calls() -> None:
    with Flow("one") as one:
        in_one = load()
    with Flow("two") as two:
        in_two = load()
        made = clean(5)
        made.set_upstream(load)

    assert list(two.upstream_tasks(made)) == [in_two]
    assert one.run().result[load].result == 1
    assert in_one in one


def test_a_call_that_waits_for_its_own_original_is_told() -> None:
    with Flow("f") as f:
        made = clean(5)
        made.set_upstream(clean)

    with pytest.raises(FlowValidationError, match="'clean' waits for itself"):
        f.validate()


def test_a_copied_flow_settles_for_itself() -> None:
    f = Flow("f")
    load(flow=f)
    f.set_dependencies(clean(5, flow=f), upstream_tasks=[load])

    copied = f.copy()
    copied.validate()

    assert len(copied.tasks) == 2
    assert f.run().is_successful()


# -- blocks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_called_first", [True, False], ids=["called before", "called after"])
def test_naming_an_original_in_a_branch_does_not_pull_its_call_into_the_branch(is_called_first: bool) -> None:
    with Flow("f") as f:
        p = Parameter("p", default="no")
        called = [load()] if is_called_first else []
        with case(p, "yes"):
            made = clean(5)
            made.set_upstream(load)
        called = called or [load()]

    state = f.run()

    assert not f.edges_to(called[0])
    assert state.result[called[0]].result == 1
    assert state.result[made].is_skipped()


@pytest.mark.parametrize("is_called_first", [True, False], ids=["called before", "called after"])
def test_what_only_waits_for_an_original_named_in_a_branch_is_still_in_the_branch(is_called_first: bool) -> None:
    with Flow("f") as f:
        p = Parameter("p", default="no")
        if is_called_first:
            load()
        with case(p, "yes"):
            original = Task(name="waits")
            original.set_upstream(load)
        if not is_called_first:
            load()

    state = f.run()

    assert state.result[original].is_skipped()
    assert names(f.upstream_tasks(original)) == (["load", "case(yes)"])


def test_originals_that_wait_for_one_another_in_a_branch_leave_it_together() -> None:
    first, second, third = (task(name=name)(lambda: 1) for name in ("first", "second", "third"))

    with Flow("f") as f:
        with case(Parameter("p", default="no"), "yes"):
            made = clean(5)
            f.set_dependencies(third, upstream_tasks=[second], downstream_tasks=[made])
            f.set_dependencies(second, upstream_tasks=[first])
        calls = [third(), first(), second()]

    state = f.run()

    assert [state.result[call].result for call in calls] == [1, 1, 1]
    assert state.result[made].is_skipped()


def test_an_original_that_is_never_called_joins_the_branch_in_which_it_was_named() -> None:
    with Flow("f") as f, case(Parameter("p", default="no"), "yes"):
        clean(5).set_upstream(load)

    assert names(f.upstream_tasks(load)) == ["case(yes)"]
    assert f.run().result[load].is_skipped()


def test_a_condition_may_depend_on_the_original_that_is_named_in_its_branch() -> None:
    with Flow("f") as f, case(clean(load()), 5):
        made = clean(5)
        made.set_upstream(load)

    assert f.run().result[made].is_skipped()


def test_naming_an_original_in_a_resource_block_does_not_pull_its_call_into_the_block() -> None:
    @resource_manager
    class Pool:
        def setup(self) -> int:
            return 1

        def cleanup(self, resource: int) -> None: ...

    with Flow("f") as f:
        called = load()
        with Pool():
            made = clean(5)
            made.set_upstream(load)

    f.validate()
    assert not f.edges_to(called)
    assert names(f.upstream_tasks(made)) == ["load", "Pool.setup"]
    assert names(f.upstream_tasks(f.get_tasks(name="Pool.cleanup")[0])) == ["Pool", "Pool.setup", "clean"]


# -- many, and at once -----------------------------------------------------------------------------------------------------


def test_three_threads_may_run_a_flow_for_the_first_time_at_once() -> None:
    def first_runs() -> list[int]:
        f = Flow("f")
        for number in range(300):
            original = task(name=f"t{number}")(lambda: 1)
            original(flow=f)
            f.set_dependencies(clean(number, flow=f), upstream_tasks=[original])
        together = threading.Barrier(3)

        def first_run(_: int) -> int:
            together.wait()
            f.validate()
            return len(f.tasks)

        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(first_run, range(3)))

    every = [first_runs() for _ in range(5)]

    assert every == [[600] * 3] * 5


def test_an_original_that_is_never_called_is_not_settled_over_and_over() -> None:
    with Flow("f") as f:
        clean(5).set_upstream(load)
    f.validate()
    before = f._derived

    f.reference_tasks()
    f.validate()

    assert f._derived is before
