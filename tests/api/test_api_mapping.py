"""Mapping: one task run for each element."""

from __future__ import annotations

from typing import Any

import pytest

from notebook_flows import (
    Constant,
    FilterTask,
    Flow,
    Parameter,
    Task,
    apply_map,
    case,
    flatten,
    mapped,
    signals,
    task,
    triggers,
    unmapped,
)
from notebook_flows.core.context import context
from notebook_flows.core.state import Cancelled, Mapped, Pending, Skipped, Success
from notebook_flows.errors import TaskCallError


@task
def numbers(n: int = 3) -> list[int]:
    return list(range(1, n + 1))


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def give(x: Any) -> Any:
    return x


@task
def pair(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


@task
def fail_at_two(x: int) -> int:
    if x == 2:
        raise ValueError("two")
    return x


@task
def skip_at_two(x: int) -> int:
    if x == 2:
        raise signals.SKIP("two")
    return x


def words(states: Any) -> list[str]:
    return [type(state).__name__ for state in states]


# -- one layer -------------------------------------------------------------------------------------------------------------


def test_a_mapped_task_runs_once_for_each_element() -> None:
    with Flow("f") as f:
        made = double.map(numbers())

    state = f.run().result[made]

    assert isinstance(state, Mapped)
    assert state.is_mapped()
    assert state.is_successful()
    assert state.result == [2, 4, 6]
    assert [child.result for child in state.map_states] == [2, 4, 6]


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (lambda: double.map([1, 2]), [2, 4]),
        (lambda: double.map(x=(1, 2)), [2, 4]),
        (lambda: give.map("ab"), ["a", "b"]),
        (lambda: give.map(range(3)), [0, 1, 2]),
        (lambda: add.map([1, 2], [10, 20]), [11, 22]),
        (lambda: add.map(numbers(), numbers()), [2, 4, 6]),
        (lambda: add.map(numbers(), unmapped(10)), [11, 12, 13]),
        (lambda: add.map(unmapped(total(numbers())), y=numbers()), [7, 8, 9]),
        (lambda: add.map(unmapped(numbers(1)), [[2], [3]]), [[1, 2], [1, 3]]),
        (lambda: add(mapped(numbers()), 10), [11, 12, 13]),
        (lambda: add(mapped([1, 2]), y=double(5)), [11, 12]),
        (lambda: double(numbers(), mapped=True), [2, 4, 6]),
        (lambda: double.copy().bind(numbers(), mapped=True), [2, 4, 6]),
        (lambda: double.map(Constant([1, 2])), [2, 4]),
        (lambda: give.map([double(1), double(2)]), [2, 4]),
        (lambda: double.map(Parameter("p", default=[5])), [10]),
        (lambda: double.map([]), []),
        (lambda: double.map(numbers(0)), []),
    ],
    ids=range(18),
)
def test_what_can_be_mapped_over(make: Any, result: list[Any]) -> None:
    with Flow("f") as f:
        made = make()

    state = f.run()
    assert state.is_successful()
    assert isinstance(state.result[made], Mapped)
    assert state.result[made].result == result


def test_set_dependencies_can_map_too() -> None:
    source, made = numbers.copy(), double.copy()
    f = Flow("f")

    f.set_dependencies(made, keyword_tasks={"x": source}, mapped=True)

    assert f.run().result[made].result == [2, 4, 6]


def test_an_edge_can_map() -> None:
    source, made = numbers.copy(), double.copy()
    f = Flow("f")

    f.add_edge(source, made, key="x", mapped=True)

    assert f.run().result[made].result == [2, 4, 6]


def test_children_know_their_index_and_their_full_name() -> None:
    @task
    def tell(x: int) -> Any:
        return context.map_index, context.task_full_name, context.task_name

    with Flow("f") as f:
        made = tell.map([7, 8])
        alone = tell(9)

    state = f.run()
    assert state.result[made].result == [(0, "tell[0]", "tell"), (1, "tell[1]", "tell")]
    assert state.result[alone].result == (None, "tell", "tell")


def test_a_map_over_nothing_at_all_is_refused() -> None:
    with Flow("f"), pytest.raises(TaskCallError, match="at least one argument to map over"):
        numbers.map()


@pytest.mark.parametrize("value", [5, None, {1, 2}, object()])
def test_a_constant_without_elements_is_refused_where_it_is_written(value: Any) -> None:
    with Flow("f"), pytest.raises(TypeError, match=r"'double' cannot be mapped over.*unmapped\("):
        double.map(value)


@pytest.mark.parametrize("value", [5, None, {1, 2}])
def test_a_result_without_elements_fails_the_mapped_task(value: Any) -> None:
    with Flow("f") as f:
        made = double.map(give(value))

    state = f.run()
    assert state.is_failed()
    assert state.result[made].is_failed()
    assert "At least one upstream state has an unmappable result." in state.result[made].message


def test_unequal_lengths_warn_and_the_shortest_counts() -> None:
    with Flow("f") as f:
        made = add.map([1, 2, 3], [10, 20])

    with pytest.warns(UserWarning, match=r"'add' is mapped over lists of unequal lengths \(3, 2\)") as warned:
        state = f.run()

    assert state.result[made].result == [11, 22]
    assert warned[0].filename == __file__


def test_lengths_given_by_state_only_edges_count_as_well() -> None:
    with Flow("f") as f:
        made = give.map(unmapped("x"), upstream_tasks=[numbers()])

    assert f.run().result[made].result == ["x"] * 3


def test_an_unmapped_upstream_task_is_waited_for_by_all_children() -> None:
    happened: list[Any] = []

    @task
    def before() -> None:
        happened.append("before")

    @task
    def after(x: int) -> None:
        happened.append(x)

    with Flow("f") as f:
        after.map([1, 2], upstream_tasks=[unmapped(before())])

    f.run()
    assert happened == ["before", 1, 2]


# -- layer on layer --------------------------------------------------------------------------------------------------------


def test_a_map_of_a_map_goes_lane_by_lane() -> None:
    with Flow("f") as f:
        first = fail_at_two.map(numbers())
        second = double.map(first)
        third = add.map(second, first)

    state = f.run()

    assert words(state.result[first].map_states) == ["Success", "Failed", "Success"]
    assert words(state.result[second].map_states) == ["Success", "TriggerFailed", "Success"]
    assert words(state.result[third].map_states) == ["Success", "TriggerFailed", "Success"]
    assert state.result[third].map_states[2].result == 9
    assert state.is_failed()


def test_a_lane_need_not_wait_for_the_other_lanes() -> None:
    happened: list[str] = []

    @task
    def first(x: int) -> int:
        happened.append(f"first {x}")
        return x

    @task(max_retries=1, retry_delay=0)
    def flaky(x: int) -> int:
        if x == 1 and context.task_run_count == 1:
            raise ValueError
        happened.append(f"second {x}")
        return x

    with Flow("f") as f:
        made = flaky.map(first.map([1, 2]))

    assert f.run().result[made].result == [1, 2]
    assert set(happened) == {"first 1", "first 2", "second 1", "second 2"}


def test_an_unmapped_consumer_reduces() -> None:
    with Flow("f") as f:
        made = total(double.map(numbers()))
        twice = add(double.map(numbers()), double.map([1]))

    state = f.run()
    assert state.result[made].result == 12
    assert state.result[twice].result == [2, 4, 6, 2]


def test_a_list_of_mapped_tasks_is_a_list_of_lists() -> None:
    with Flow("f") as f:
        made = give([double.map([1, 2]), double.map([3])])

    assert f.run().result[made].result == [[2, 4], [6]]


def test_a_reduce_does_not_run_after_a_failed_child() -> None:
    with Flow("f") as f:
        made = total(fail_at_two.map(numbers()))

    assert words([f.run().result[made]]) == ["TriggerFailed"]


def test_a_reduce_that_runs_in_any_case_gets_the_exceptions() -> None:
    with Flow("f") as f:
        made = give.copy(trigger=triggers.all_finished).bind(fail_at_two.map(numbers()))
        kept = FilterTask()(fail_at_two.map(numbers()))

    state = f.run()
    assert [type(one).__name__ for one in state.result[made].result] == ["int", "ValueError", "int"]
    assert state.result[kept].result == [1, 3]


def test_a_filter_of_ones_own_logs_what_it_kept() -> None:
    told = []

    def say(kept: list[int]) -> str:
        told.append(kept)
        return "kept some"

    with Flow("f") as f:
        even = FilterTask(filter_func=lambda x: x % 2 == 0, log_func=say)(numbers(4))

    assert f.run().result[even].result == [2, 4]
    assert told == [[2, 4]]


@pytest.mark.parametrize("width", [0, 1, 1000])
def test_map_then_map_then_reduce_of_any_width(width: int) -> None:
    with Flow("f") as f:
        made = total(double.map(add.map(numbers(width), unmapped(1))))

    assert f.run().result[made].result == 2 * sum(range(2, width + 2))


def test_an_empty_map_passes_its_emptiness_on() -> None:
    with Flow("f") as f:
        first = double.map(numbers(0))
        second = double.map(first)
        last = total(second)

    state = f.run()
    assert [state.result[each].result for each in (first, second, last)] == [[], [], 0]
    assert state.is_successful()


def test_a_mapped_result_can_be_mapped_over_whole_by_each_child() -> None:
    with Flow("f") as f:
        made = add.map(numbers(2), unmapped(total(double.map(numbers()))))

    assert f.run().result[made].result == [13, 14]


def test_an_unmapped_argument_that_is_itself_mapped_arrives_as_a_list() -> None:
    @task
    def both(x: int, xs: list[int]) -> tuple[int, list[int]]:
        return x, xs

    with Flow("f") as f:
        layer = double.map(numbers(2))
        made = both.map(layer, unmapped(layer))

    assert f.run().result[made].result == [(2, [2, 4]), (4, [2, 4])]


def test_an_unmapped_consumer_waits_for_all_lanes_and_a_mapped_one_follows_it() -> None:
    with Flow("f") as f:
        made = double.map(give(double.map(numbers())))

    assert f.run().result[made].result == [4, 8, 12]


def test_elements_of_a_mapped_task_can_be_taken() -> None:
    with Flow("f") as f:
        made = double.map(numbers())[1]

    assert f.run().result[made].result == 4


# -- failures, skips, retries ----------------------------------------------------------------------------------------------


def test_a_failed_source_stops_the_mapped_task_and_what_comes_after() -> None:
    @task
    def broken() -> list[int]:
        raise ValueError("boom")

    with Flow("f") as f:
        made = double.map(broken())
        last = total(made)

    state = f.run()
    assert words([state.result[made], state.result[last]]) == ["TriggerFailed", "TriggerFailed"]
    assert state.is_failed()


def test_a_skipped_source_skips_the_mapped_task() -> None:
    @task
    def skipped() -> list[int]:
        raise signals.SKIP

    with Flow("f") as f:
        made = double.map(skipped())
        last = give(made)

    state = f.run()
    assert words([state.result[made], state.result[last]]) == ["Skipped", "Skipped"]
    assert state.is_successful()


def test_a_failed_unmapped_argument_stops_every_child() -> None:
    @task
    def broken() -> int:
        raise ValueError("boom")

    with Flow("f") as f:
        made = add.map([1, 2], unmapped(broken()))

    state = f.run().result[made]
    found = words(state.map_states) if state.is_mapped() else words([state])
    assert set(found) == {"TriggerFailed"}


def test_skips_stay_in_their_lane() -> None:
    with Flow("f") as f:
        first = skip_at_two.map(numbers())
        second = double.map(first)
        stubborn = give.copy(skip_on_upstream_skip=False).bind(first, mapped=True)

    state = f.run()
    assert words(state.result[second].map_states) == ["Success", "Skipped", "Success"]
    assert words(state.result[stubborn].map_states) == ["Success", "Success", "Success"]
    assert state.result[stubborn].result == [1, None, 3]
    assert state.is_successful()


def test_only_the_child_that_failed_is_tried_again() -> None:
    tried: list[int] = []

    @task(max_retries=2, retry_delay=0)
    def flaky(x: int) -> int:
        tried.append(x)
        if x == 2 and tried.count(2) < 3:
            raise ValueError
        return x

    with Flow("f") as f:
        made = flaky.map(numbers())
        last = total(made)

    state = f.run()
    assert state.result[made].result == [1, 2, 3]
    assert state.result[last].result == 6
    assert sorted(tried) == [1, 2, 2, 2, 3]


def test_children_loop_each_for_itself() -> None:
    @task
    def count_to(x: int) -> int:
        so_far = context.get("task_loop_result") or 0
        if so_far < x:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    with Flow("f") as f:
        made = count_to.map([0, 3, 5])

    assert f.run().result[made].result == [0, 3, 5]


@pytest.mark.parametrize(
    ("trigger", "states"),
    [
        (triggers.all_successful, ["Success", "TriggerFailed", "Success"]),
        (triggers.all_failed, ["TriggerFailed", "Success", "TriggerFailed"]),
        (triggers.any_failed, ["TriggerFailed", "Success", "TriggerFailed"]),
        (triggers.any_successful, ["Success", "TriggerFailed", "Success"]),
        (triggers.all_finished, ["Success", "Success", "Success"]),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_triggers_judge_each_lane(trigger: Any, states: list[str]) -> None:
    with Flow("f") as f:
        made = give.copy(trigger=trigger).bind(fail_at_two.map(numbers()), mapped=True)

    assert words(f.run().result[made].map_states) == states


def test_a_trigger_of_ones_own_judges_each_lane() -> None:
    seen: list[list[str]] = []

    def only_small(upstream: Any) -> bool:
        seen.append(words(upstream.values()))
        return all(state.result != 3 for state in upstream.values())

    with Flow("f") as f:
        made = give.copy(trigger=only_small).bind(double.copy(name="x").map(numbers(1)), mapped=True)
        lanes = give.copy(trigger=only_small).bind(skip_at_two.map(numbers()), mapped=True)

    state = f.run()
    assert words(state.result[made].map_states) == ["Success"]
    assert words(state.result[lanes].map_states) == ["Success", "Skipped", "TriggerFailed"]
    assert ["Success"] in seen


def test_a_trigger_after_a_mapped_task_counts_each_child() -> None:
    with Flow("f") as f:
        mapped_task = fail_at_two.map(numbers())
        one_failed = Task(name="one", trigger=triggers.some_failed(at_least=1, at_most=1)).set_upstream(mapped_task)
        two_failed = Task(name="two", trigger=triggers.some_failed(at_least=2)).set_upstream(mapped_task)
        most = Task(name="most", trigger=triggers.some_successful(at_least=0.6)).set_upstream(mapped_task)

    state = f.run()
    assert words(state.result[t] for t in (one_failed, two_failed, most)) == ["Success", "TriggerFailed", "Success"]


def test_state_handlers_see_every_child() -> None:
    seen: list[tuple[str, str]] = []

    def watch(_task: Task, old: Any, new: Any) -> None:
        seen.append((type(old).__name__, type(new).__name__))

    with Flow("f") as f:
        double.copy(state_handlers=[watch]).bind([1, 2], mapped=True)

    f.run()
    assert seen.count(("Running", "Success")) == 2


# -- flatten ---------------------------------------------------------------------------------------------------------------


@task
def nested(n: int = 2) -> list[list[int]]:
    return [[10 * i + j for j in range(i)] for i in range(1, n + 1)]


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (lambda: double.map(flatten(nested())), [20, 40, 42]),
        (lambda: double.map(flatten([[1], [2, 3], []])), [2, 4, 6]),
        (lambda: double.map(flatten(numbers.map([1, 2]))), [2, 2, 4]),
        (lambda: add.map(flatten(nested()), unmapped(1)), [11, 21, 22]),
        (lambda: add.map(flatten(nested()), flatten([[1, 2], [3]])), [11, 22, 24]),
        (lambda: double.map(double.map(flatten(nested()))), [40, 80, 84]),
        (lambda: give(flatten(nested())), [10, 20, 21]),
        (lambda: total(flatten(numbers.map([1, 2]))), 4),
        (lambda: give(flatten(nested(0))), []),
        (lambda: double.map(flatten([[], []])), []),
        (lambda: give.map(flatten(unmapped(nested())), upstream_tasks=[[1, 2]]), [[10, 20, 21]] * 2),
        (lambda: give.map(unmapped(flatten(nested())), upstream_tasks=[[1, 2]]), [[10, 20, 21]] * 2),
        (lambda: give(mapped(flatten(nested()))), [10, 20, 21]),
    ],
    ids=range(13),
)
def test_flatten_takes_one_level_of_lists_away(make: Any, result: Any) -> None:
    with Flow("f") as f:
        made = make()

    state = f.run()
    assert state.is_successful(), state.result[made]
    assert state.result[made].result == result


def test_flatten_of_what_is_not_nested_fails_the_task() -> None:
    with Flow("f") as f:
        made = double.map(flatten(numbers()))

    state = f.run()
    assert state.result[made].is_failed()
    assert "unmappable" in state.result[made].message


def test_a_plain_flatten_of_what_is_not_nested_fails_the_task_alone() -> None:
    with Flow("f") as f:
        made = give(flatten(numbers()))
        other = numbers()

    state = f.run()
    assert state.result[made].is_failed()
    assert state.result[other].is_successful()


def test_flatten_over_a_failed_lane_does_not_run() -> None:
    @task
    def two(x: int) -> list[int]:
        if x == 2:
            raise ValueError
        return [x, x]

    with Flow("f") as f:
        made = double.map(flatten(two.map([1, 2])))

    state = f.run()
    assert state.is_failed()
    assert state.result[made].is_failed()


# -- apply_map -------------------------------------------------------------------------------------------------------------


def test_apply_map_maps_every_task_that_the_function_makes() -> None:
    def work(x: Task, y: Task) -> Task:
        return double(add(x, y))

    with Flow("f") as f:
        made = apply_map(work, numbers(), unmapped(10))

    assert f.run().result[made].result == [22, 24, 26]


def test_apply_map_may_branch() -> None:
    def work(x: Task) -> Task:
        is_even = (x % 2).is_equal(0)
        with case(is_even, True):
            return double(x)

    with Flow("f") as f:
        made = apply_map(work, numbers(4))

    state = f.run().result[made]
    assert words(state.map_states) == ["Skipped", "Success", "Skipped", "Success"]
    assert state.map_states[3].result == 8


def test_apply_map_may_give_several_tasks_back() -> None:
    def work(x: Task) -> dict[str, Task]:
        return {"a": double(x), "b": add(x, 1)}

    with Flow("f") as f:
        made = apply_map(work, [1, 2])

    state = f.run()
    assert (state.result[made["a"]].result, state.result[made["b"]].result) == ([2, 4], [2, 3])


def test_tasks_in_apply_map_that_use_no_argument_have_the_same_width() -> None:
    def work(x: Task) -> tuple[Task, Task]:
        return double(x), give("constant")

    with Flow("f") as f:
        doubled, constant = apply_map(work, numbers())

    state = f.run()
    assert state.result[constant].result == ["constant"] * 3
    assert state.result[doubled].result == [2, 4, 6]


def test_apply_map_may_use_tasks_from_outside_whole() -> None:
    def work(x: Task, many: Task) -> Task:
        return add(x, many)

    with Flow("f") as f:
        outside = total(numbers())
        made = apply_map(work, numbers(), many=unmapped(outside))

    state = f.run()
    assert state.result[made].result == [7, 8, 9]
    assert state.result[outside].result == 6


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("over", [lambda: [1, 2], lambda: give([1, 2])], ids=["constant", "task"])
def test_apply_map_inside_a_case_is_part_of_the_branch(over: Any, chosen: bool) -> None:
    with Flow("f") as f:
        condition = Parameter("c")
        with case(condition, True):
            made = apply_map(lambda x: double(double(x)), over())

    state = f.run(c=chosen).result[made]
    assert state.result == [4, 8] if chosen else state.is_skipped()


@pytest.mark.parametrize(
    ("work", "result"),
    [
        (lambda x, outside, p: add(x, outside), [2, 4, 6]),
        (lambda x, outside, p: add([x], unmapped(outside)), [[1, 1, 2, 3], [2, 1, 2, 3], [3, 1, 2, 3]]),
        (lambda x, outside, p: add(x, p), [11, 12, 13]),
        (lambda x, outside, p: give(x, upstream_tasks=[outside]), [1, 2, 3]),
        (lambda x, outside, p: give(x, upstream_tasks=[p, unmapped(outside)]), [1, 2, 3]),
        (lambda x, outside, p: add(x, [0][0]), [1, 2, 3]),
        (lambda x, outside, p: give(5, upstream_tasks=[outside]), [5, 5, 5]),
    ],
    ids=range(7),
)
def test_tasks_from_outside_of_apply_map_stay_as_they_are(work: Any, result: list[Any]) -> None:
    with Flow("f") as f:
        outside = numbers()
        p = Parameter("p", default=10)()
        made = apply_map(lambda x: work(x, outside, p), numbers())

    state = f.run()
    assert state.result[made].result == result
    assert state.result[outside].result == [1, 2, 3]
    assert state.result[p].result == 10


def test_map_inside_apply_map_is_refused() -> None:
    with Flow("f"), pytest.raises(ValueError, match="inside `apply_map`, which maps it already"):
        apply_map(lambda x: double.map(x), numbers())


def test_apply_map_needs_a_flow_and_can_be_given_one() -> None:
    f = Flow("f")

    with pytest.raises(ValueError, match="Could not infer an active Flow context"):
        apply_map(lambda x: x, [1])
    made = apply_map(lambda x: double(x), [1, 2], flow=f)

    assert f.run().result[made].result == [2, 4]


def test_apply_map_over_what_has_no_elements_is_refused() -> None:
    with Flow("f"), pytest.raises(TypeError, match="cannot be mapped over 5"):
        apply_map(lambda x: double(x), 5)


def test_one_task_given_twice_to_apply_map_has_a_mark_in_each_place() -> None:
    def work(x: Task, y: Task) -> tuple[Task, Task]:
        return pair(x, y), y

    with Flow("f") as f:
        given = numbers(2)
        (first, back), (second, _) = apply_map(work, given, unmapped(given)), apply_map(work, unmapped(given), given)

    state = f.run()
    assert back is given
    assert state.result[first].result == [(1, [1, 2]), (2, [1, 2])]
    assert state.result[second].result == [([1, 2], 1), ([1, 2], 2)]
    assert [each.name for each in f.tasks] == ["numbers", "pair", "pair"]


def test_a_parameter_given_twice_to_apply_map_has_a_mark_in_each_place() -> None:
    with Flow("f") as f:
        p = Parameter("p", default=[1, 2])
        made = apply_map(lambda x, many: give([x, many]), p, many=unmapped(p))

    assert f.run().result[made].result == [[1, [1, 2]], [2, [1, 2]]]


@pytest.mark.parametrize("is_outside", [False, True], ids=["the argument", "a task from outside"])
def test_a_case_in_apply_map_is_about_what_is_made_in_it_and_not_what_is_named_in_it(is_outside: bool) -> None:
    with Flow("f") as f:
        condition, given, outside = numbers(), numbers(), numbers()

        def work(c: Task, x: Task) -> Task:
            with case(c, 2):
                return double(outside if is_outside else x)

        made = apply_map(work, condition, given)

    state = f.run()
    assert words(state.result[made].map_states) == ["Skipped", "Success", "Skipped"]
    assert not f.edges_to(given)
    assert not f.edges_to(outside)


# -- restarts --------------------------------------------------------------------------------------------------------------


def test_a_mapped_task_with_a_child_that_failed_runs_again_after_a_restart() -> None:
    with Flow("f") as f:
        tried = fail_at_two.map([1, 2, 3])
        made = give.map(tried)
    before = f.run()

    again = f.run(task_states={tried: before.result[tried]})

    assert words(again.result[tried].map_states) == ["Success", "Failed", "Success"]
    assert words(again.result[made].map_states) == ["Success", "TriggerFailed", "Success"]
    assert again.is_failed()


@pytest.mark.parametrize("left", [Pending(), Skipped(), Cancelled(), None], ids=repr)
def test_a_mapped_state_with_a_child_that_gave_no_value_is_no_preset(left: Any) -> None:
    with Flow("f") as f:
        made = double.map([1, 2])

    state = f.run(task_states={made: Mapped(map_states=[Success(result="kept"), left])})

    assert state.result[made].result == [2, 4]


def test_a_mapped_state_whose_children_were_all_successful_is_kept() -> None:
    with Flow("f") as f:
        made = fail_at_two.map([1, 2])
        after = double.map(made)

    state = f.run(task_states={made: Mapped(map_states=[Success(result=10), Success(result=20)])})

    assert state.is_successful()
    assert (state.result[made].result, state.result[after].result) == ([10, 20], [20, 40])


@pytest.mark.parametrize("is_flat", [False, True])
def test_more_elements_than_the_flow_allows_are_told_and_never_made(is_flat: bool) -> None:
    @task
    def endless() -> Any:
        return [range(10**12), [1]] if is_flat else range(10**12)

    with Flow("f", max_map_width=10_000) as f:
        call = double.map(flatten(endless()) if is_flat else endless())

    state = f.run().result[call]

    assert state.is_failed()
    assert (
        "mapped over at least 10,001 el" in state.message if is_flat else "over 1,000,000,000,000 el" in state.message
    )
    assert "flow 'f' allows 10,000" in state.message
    assert "max_map_width" in state.message


def test_as_many_elements_as_the_flow_allows_are_mapped_over() -> None:
    with Flow("f", max_map_width=3) as f:
        exact, shorter = double.map(numbers(3)), double.map(flatten([[1, 2], [3]]))

    result = f.run().result

    assert (result[exact].result, result[shorter].result) == ([2, 4, 6], [2, 4, 6])


@pytest.mark.parametrize(("width", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_a_most_that_is_no_number_of_children_is_refused(width: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_map_width of flow 'f'"):
        Flow("f", max_map_width=width)
