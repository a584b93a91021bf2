"""Branches: case, switch, ifelse and merge."""

from __future__ import annotations

from typing import Any

import pytest

from notebook_flows import Flow, Parameter, Task, case, ifelse, merge, switch, task, triggers
from notebook_flows.core.conditional import CompareValue


@task
def give(x: Any) -> Any:
    return x


@task
def add_one(x: int) -> int:
    return x + 1


def words(state: Any, tasks: Any) -> list[str]:
    return [type(state.result[each]).__name__ for each in tasks]


# -- case ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["a", "b", "c"])
def test_only_the_branch_of_the_value_runs(chosen: str) -> None:
    with Flow("f") as f:
        condition = Parameter("c")
        branches = []
        for value in ("a", "b"):
            with case(condition, value):
                branches.append(add_one(give(1)))

    state = f.run(c=chosen)

    assert words(state, branches) == ["Success" if value == chosen else "Skipped" for value in ("a", "b")]
    assert state.is_successful()


def test_the_condition_is_named_by_its_value_and_only_roots_wait_for_it() -> None:
    with Flow("f") as f:
        condition = give("a")
        with case(condition, "a"):
            first = give(1)
            second = add_one(first)

    (compare,) = f.get_tasks(task_type=CompareValue)
    assert compare.name == "case(a)"
    assert list(f.downstream_tasks(compare)) == [first]
    assert list(f.upstream_tasks(second)) == [first]


def test_an_empty_case_adds_nothing() -> None:
    with Flow("f") as f:
        condition = give("a")
        with case(condition, "a"):
            pass

    assert list(f.tasks) == [condition]


def test_tasks_from_outside_and_parameters_are_not_part_of_the_branch() -> None:
    with Flow("f") as f:
        condition, outside = give(False), give(5)
        with case(condition, True):
            inside = add_one(outside)
            by_parameter = add_one(Parameter("p", default=1))

    state = f.run()
    assert words(state, [outside, inside, by_parameter]) == ["Success", "Skipped", "Skipped"]
    assert state.result[f.get_tasks(name="p")[0]].is_successful()
    assert not state.result[f.get_tasks(name="p")[0]].is_skipped()


def test_the_value_to_compare_with_is_no_task() -> None:
    with Flow("f"), pytest.raises(TypeError, match="cannot be a task"):
        case(give(1), give(1))


@pytest.mark.parametrize(
    ("outer", "inner", "states"),
    [
        (True, True, ["Success", "Success", "Success"]),
        (True, False, ["Success", "Skipped", "Success"]),
        (False, True, ["Skipped", "Skipped", "Skipped"]),
    ],
)
def test_cases_nest(outer: bool, inner: bool, states: list[str]) -> None:
    with Flow("f") as f:
        a, b = Parameter("a"), Parameter("b")
        with case(a, True):
            before = give(1)
            with case(b, True):
                within = give(2)
            after = give(3)

    assert words(f.run(a=outer, b=inner), [before, within, after]) == states


def test_a_case_inside_a_case_over_a_task_of_the_branch() -> None:
    with Flow("f") as f, case(give(False), True):
        condition = give(True)
        with case(condition, True):
            within = give(2)

    assert words(f.run(), [condition, within]) == ["Skipped", "Skipped"]


def test_mapped_tasks_inside_a_case() -> None:
    with Flow("f") as f:
        condition = Parameter("c")
        with case(condition, True):
            made = add_one.map([1, 2])
        last = give(made)

    assert f.run(c=True).result[last].result == [2, 3]
    assert f.run(c=False).result[last].is_skipped()


def test_an_error_inside_a_case_leaves_no_condition_behind() -> None:
    with Flow("f") as f:
        with pytest.raises(ZeroDivisionError), case(give(1), 1):  # noqa: PT012 - the error comes after a task
            inside = give(2)
            1 / 0
        outside = give(3)

    assert not f.get_tasks(task_type=CompareValue)
    assert words(f.run(), [inside, outside]) == ["Success", "Success"]


# -- merge -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["a", "b"])
def test_merge_brings_branches_together(chosen: str) -> None:
    with Flow("f") as f:
        condition = Parameter("c")
        with case(condition, "a"):
            left = give("left")
        with case(condition, "b"):
            right = give("right")
        last = give(merge(left, right))

    assert f.run(c=chosen).result[last].result == {"a": "left", "b": "right"}[chosen]


def test_merge_takes_the_first_in_the_order_given_of_twelve() -> None:
    with Flow("f") as f:
        branches = [give(number) for number in range(1, 13)]
        made = merge(*branches)
        later = merge(*[give(None if number < 2 else number) for number in range(12)])

    state = f.run()
    assert (state.result[made].result, state.result[later].result) == (1, 2)


@pytest.mark.parametrize(("values", "merged"), [([None, 0], 0), ([None, False, 1], False), ([None, None], None)])
def test_merge_takes_what_is_false_but_not_none(values: list[Any], merged: Any) -> None:
    with Flow("f") as f:
        made = merge(*[give(value) for value in values])

    assert f.run().result[made].result is merged


def test_merge_of_skipped_branches_is_skipped() -> None:
    with Flow("f") as f:
        condition = give("neither")
        with case(condition, "a"):
            left = give(1)
        made = merge(left)

    assert f.run().result[made].is_skipped()


def test_merge_after_a_failed_branch_does_not_run() -> None:
    @task
    def broken() -> None:
        raise ValueError

    with Flow("f") as f:
        made = merge(broken(), give(1))

    assert words(f.run(), [made]) == ["TriggerFailed"]


def test_merge_takes_options_but_must_not_skip() -> None:
    with Flow("f") as f:
        made = merge(give(1), name="both", trigger=triggers.all_finished, checkpoint=False)
        with pytest.raises(ValueError, match="`skip_on_upstream_skip` must be False"):
            merge(give(1), skip_on_upstream_skip=True)

    assert made.name == "both"
    assert f.run().result[made].result == 1


def test_merge_can_be_given_its_flow() -> None:
    f = Flow("f")
    made = merge(give(7, flow=f), flow=f)

    assert f.run().result[made].result == 7


def test_merge_element_by_element() -> None:
    @task
    def even(x: int) -> bool:
        return x % 2 == 0

    with Flow("f") as f:
        numbers = give([1, 2, 3])
        is_even = even.map(numbers)
        left, right = give.copy(name="left"), give.copy(name="right")
        left.bind(numbers, mapped=True)
        right.bind(["odd", "odd", "odd"], mapped=True)
        switch(is_even, {True: left, False: right}, mapped=True)
        made = merge(left, right, mapped=True)

    assert f.run().result[made].result == ["odd", 2, "odd"]


# -- switch and ifelse -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "states"), [(1, ["Success", "Skipped"]), (2, ["Skipped", "Success"]), (3, ["Skipped"] * 2)]
)
def test_switch_runs_the_branch_with_the_value(chosen: int, states: list[str]) -> None:
    with Flow("f") as f:
        condition = Parameter("c")
        branches = {1: give("one"), 2: give("two")}
        switch(condition, branches)

    state = f.run(c=chosen)
    assert words(state, branches.values()) == states
    assert state.is_successful()


@pytest.mark.parametrize(
    ("value", "states"), [(5, ["Success", "Skipped"]), ([], ["Skipped", "Success"]), (None, ["Skipped", "Success"])]
)
def test_ifelse_goes_by_truth(value: Any, states: list[str]) -> None:
    with Flow("f") as f:
        yes, no = give("yes"), give("no")
        ifelse(give(value), yes, no)
        made = merge(yes, no)

    state = f.run()
    assert words(state, [yes, no]) == states
    assert state.result[made].result == ("yes" if value else "no")


def test_either_branch_of_ifelse_may_be_missing() -> None:
    with Flow("f") as f:
        yes, no = give("yes"), give("no")
        ifelse(give(False), yes, None)
        ifelse(give(False), None, no)

    assert words(f.run(), [yes, no]) == ["Skipped", "Success"]


def test_branches_of_switch_and_ifelse_may_be_tasks_that_were_not_called() -> None:
    @task
    def yes() -> str:
        return "yes"

    @task
    def no() -> str:
        return "no"

    with Flow("f") as f:
        ifelse(give(True), yes, no)

    assert words(f.run(), [yes, no]) == ["Success", "Skipped"]


def test_a_skip_goes_down_the_branch_until_somebody_ignores_it() -> None:
    with Flow("f") as f:
        with case(give(1), 2):
            first = give(1)
        second = add_one(first)
        stubborn = Task(name="stubborn", skip_on_upstream_skip=False).set_upstream(second)
        after = Task(name="after").set_upstream(stubborn)

    assert words(f.run(), [first, second, stubborn, after]) == ["Skipped", "Skipped", "Success", "Success"]
