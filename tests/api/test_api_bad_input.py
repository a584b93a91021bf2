"""Input that cannot be meant: each gets one sentence, when the flow is written."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from notebook_flows import Flow, Task, apply_map, merge, switch, task
from notebook_flows.errors import TaskCallError

if TYPE_CHECKING:
    from collections.abc import Callable


class Point(NamedTuple):
    x: Any
    y: Any = 0


class Row(list[Any]):
    """A list that is made as lists are."""


class Table(dict[str, Any]):
    """A dict that is made in its own way."""

    def __init__(self, columns: int, **values: Any) -> None:
        super().__init__(**values)
        self.columns = columns


class Labelled:
    """As much of a pandas object as mapping looks at."""

    def __init__(self, values: list[Any], ndim: int = 1) -> None:
        self.values = values
        self.ndim = ndim

    @property
    def iloc(self) -> list[Any]:
        return self.values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, label: Any) -> Any:
        return self.values[len(self.values) - 1 - label]


@task
def one() -> int:
    return 1


@task
def same(x: Any) -> Any:
    return x


@task
def told(x: Any) -> str:
    return str(x)


# -- collections -------------------------------------------------------------------------------------------------------


def test_a_collection_in_itself_is_a_constant_like_any_other() -> None:
    circle: list[Any] = [5]
    circle.append(circle)

    with Flow("f") as f:
        alone = same(circle)
        beside = same([circle, one()])
    state = f.run()

    assert state.result[alone].result is circle
    assert state.result[beside].result == [circle, 1]


def test_a_collection_in_itself_that_holds_a_task_is_refused() -> None:
    with Flow("f"):
        inner: list[Any] = []
        circle = [inner, one()]
        inner.append({"back": circle})

        with pytest.raises(TaskCallError, match="Task 'same' in flow 'f' .* is a part of itself"):
            same(circle)


def test_a_collection_that_is_shared_is_gathered_once() -> None:
    with Flow("f") as f:
        shared = [one()]
        for _ in range(40):
            shared = [shared, shared]  # 2 ** 40 paths lead to the task
        same(shared)

    assert len(f) == 1 + 41 + 1


def test_collections_may_be_nested_a_thousand_deep() -> None:
    with Flow("f") as f:
        nested: Any = one()
        for _ in range(1_500):
            nested = [nested]
        given = same(nested)
    value, depth = f.run().result[given].result, 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1

    assert (value, depth) == (1, 1_500)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t: OrderedDict(b=t, a=2), OrderedDict(b=1, a=2)),
        (lambda t: defaultdict(list, b=t), defaultdict(list, b=1)),
        (lambda t: Counter(b=t), Counter(b=1)),
        (Point, Point(1)),
        (lambda t: frozenset([t, 2]), frozenset([1, 2])),
        (lambda t: deque([t, 2], 3), deque([1, 2], 3)),
        (lambda t: Row([t]), Row([1])),
        (lambda t: {"k": [Point(t, (t,))]}, {"k": [Point(1, (1,))]}),
    ],
)
def test_tasks_in_collections_of_other_kinds_become_their_values(make: Callable[[Task], Any], expected: Any) -> None:
    with Flow("f") as f:
        given = same(make(one()))

    value = f.run().result[given].result

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda t: {"k": t}.values(), r"inside of a 'dict_values'.* Give list\(\.\.\.\)"),
        (lambda t: [{"k": t}.items()], r"inside of a 'dict_items'.* Give list\(\.\.\.\)"),
        (lambda t: Table(1, k=t), r"inside of a 'Table'.* Give dict\(\.\.\.\)"),
        (lambda t: UserDict(k=t), r"inside of a 'UserDict'.* Give dict\(\.\.\.\)"),
        (lambda t: (x for x in [t]), r"a 'generator' can be gone through only once.* Give list\(\.\.\.\)"),
        (lambda t: iter([t]), "a 'list_iterator' can be"),
        (lambda t: map(str, [1]), "a 'map' can be"),
    ],
)
def test_what_cannot_be_gathered_is_refused(make: Callable[[Task], Any], said: str) -> None:
    with Flow("f"), pytest.raises(TaskCallError, match=f"Task 'same' in flow 'f' .*{said}"):
        same(make(one()))


def test_containers_without_tasks_and_endless_iterators_stay_as_they_are() -> None:
    table, endless = Table(1, k=2), itertools.count()
    with Flow("f") as f:
        first, second = same(table), same(endless)

    state = f.run()

    assert state.result[first].result is table
    assert state.result[second].result is endless


# -- mapping over what has labels --------------------------------------------------------------------------------------


def test_a_series_is_mapped_over_by_position_not_by_label() -> None:
    series = Labelled([10, 20, 30])
    with Flow("f") as f:
        later = told.map(same(series))
        now = told.map(series)

    state = f.run()

    assert state.result[later].result == state.result[now].result == ["10", "20", "30"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({1: "a", 0: "b"}, r"of type 'dict'; map over list\(d\.items\(\)\)"),
        (Labelled([1, 2], ndim=2), r"map over its rows: df\.to_dict\('records'\)"),
        (dict[str, int], "of type"),
    ],
)
def test_what_has_no_positions_is_not_mapped_over(value: Any, hint: str) -> None:
    with Flow("f") as f:
        later = told.map(same(value))
    state = f.run()

    assert state.result[later].is_failed()
    assert "no elements to be taken by number" in state.result[later].message
    with Flow("f"), pytest.raises(TypeError, match=f"Task 'told' cannot be mapped over .*{hint}"):
        told.map(value)


def test_the_characters_of_a_text_are_its_elements() -> None:
    with Flow("f") as f:
        each = same.map("abc")

    assert f.run().result[each].result == ["a", "b", "c"]


# -- options of tasks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trigger": "all_failed"}, r"trigger of task 'work' is a function, such as triggers\.all_failed, not 'all_fa"),
        ({"trigger": 5}, "trigger of task 'work' is a function, not 5"),
        ({"target": 5}, "target of task 'work' is a text, or a function"),
        ({"task_run_name": 5}, "task_run_name of task 'work' is a text, or a function"),
        ({"result": "here.pkl"}, "result of task 'work' is an object with"),
        ({"cache_for": 5}, "cache_for of task 'work' is a timedelta, not 5"),
        ({"cache_key": 5}, "cache_key of task 'work' is a text, not 5"),
        ({"state_handlers": [5]}, "state_handlers of task 'work' are functions; 5 is none"),
        ({"state_handlers": "ab"}, "state_handlers of task 'work' must be a list"),
        ({"tags": "abc"}, "Tags of task 'work' are a set of strings, not one string"),
        ({"tags": [1]}, "Tags of task 'work' are strings; 1 is none"),
        ({"tags": 5}, "Tags of task 'work' are a set of strings, not 5"),
    ],
)
def test_an_option_that_cannot_be_is_refused_when_it_is_given(options: dict[str, Any], said: str) -> None:
    work = Task(name="work")

    with pytest.raises(TypeError, match=said):
        Task(name="work", **options)
    with Flow("f"), pytest.raises(TypeError, match=said):
        work(task_args=options)


def test_functions_of_tasks_are_functions() -> None:
    wrong: Any = 5

    with pytest.raises(TypeError, match="on_failure of task 'work' is a function, not 5"):
        Task(name="work", on_failure=wrong)
    with pytest.raises(TypeError, match="cache_validator of task 'work' is a function, not 5"), pytest.warns():
        Task(name="work", cache_validator=wrong)


# -- arguments of calls ------------------------------------------------------------------------------------------------

FIVE: Any = 5
NAME: Any = "a"


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda _: one(flow=FIVE), TypeError, "Task 'one' is put into a Flow, not into 5"),
        (lambda _: one.bind(flow=FIVE), TypeError, "Task 'one' is put into a Flow, not into 5"),
        (lambda _: one.set_upstream(one, flow=FIVE), TypeError, "Task 'one' is put into a Flow, not into 5"),
        (lambda _: one(upstream_tasks=FIVE), TypeError, r"Upstream tasks are given as a list: \[5\]"),
        (lambda f: f.set_dependencies(one, downstream_tasks=FIVE), TypeError, r"Downstream tasks are .* list: \[5\]"),
        (lambda f: f.set_dependencies(one, keyword_tasks=FIVE), TypeError, "keyword_tasks are a dict"),
        (lambda _: one(task_args=FIVE), TypeError, "task_args of task 'one' are a dict"),
        (lambda _: one(task_args={FIVE: 1}), TypeError, "task_args of task 'one' name its attributes; 5 is no name"),
        (lambda _: one(task_args={"_signature": 1}), AttributeError, "Task 'one' has no attribute '_signature'"),
        (lambda _: switch(one(), FIVE), TypeError, "cases of a switch are a dict"),
        (lambda _: switch(FIVE, {}), TypeError, "switch decides by the value of a task, and 5 is none"),
        (lambda _: merge(foo=1), TypeError, "A merge has no option 'foo'"),
        (lambda _: merge(one(), nam="x"), TypeError, "A merge has no option 'nam'. Did you mean 'name'"),
        (lambda _: apply_map(FIVE), TypeError, "apply_map maps a function that calls tasks, and 5 is none"),
        (lambda _: apply_map(one, flow=FIVE), TypeError, "apply_map puts tasks into a Flow, not into 5"),
        (lambda _: Flow("g", tag_limits=FIVE), TypeError, "tag_limits of flow 'g' are a dict"),
        (lambda f: f.add_edge(NAME, one), TypeError, "An edge of flow 'f' connects two tasks, and 'a' is none"),
        (lambda f: f.update(FIVE), TypeError, "Flow 'f' can be updated with another Flow, not with 5"),
    ],
)
def test_a_call_that_cannot_be_meant_gets_a_sentence(
    call: Callable[[Flow], Any], error: type[Exception], said: str
) -> None:
    with Flow("f") as f, pytest.raises(error, match=said):
        call(f)
