"""What tasks are given: parameters, constants, collections of tasks; and the edges that carry them."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from notebook_flows import Constant, DateTimeParameter, Edge, Flow, Parameter, Secret, Task, task, unmapped
from notebook_flows.core.collect import Dict, List, Set, Tuple
from notebook_flows.errors import ParameterError


@task
def give(x: Any) -> Any:
    return x


@task
def number(x: int) -> int:
    return x


def run_with(parameter: Parameter, **given: Any) -> Any:
    with Flow("f") as f:
        made = give(parameter)
    state = f.run(**given).result[made]
    return state.result if state.is_successful() else state


# -- parameters ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        (lambda: Parameter("p", default=1), {}, 1),
        (lambda: Parameter("p", default=1), {"p": 2}, 2),
        (lambda: Parameter("p", default=1), {"parameters": {"p": 3}}, 3),
        (lambda: Parameter("p", default=None), {}, None),
        (lambda: Parameter("p"), {"p": None}, None),
        (lambda: Parameter("p", required=False), {}, None),
        (lambda: Parameter("p", default=1, required=True), {"p": 5}, 5),
        (lambda: Parameter("p", default=[1, 2]), {}, [1, 2]),
    ],
)
def test_a_parameter_has_the_value_of_the_run_or_its_default(parameter: Any, given: dict[str, Any], value: Any) -> None:
    assert run_with(parameter(), **given) == value


@pytest.mark.parametrize("parameter", [lambda: Parameter("p"), lambda: Parameter("p", default=1, required=True)])
def test_a_required_parameter_has_to_be_given(parameter: Any) -> None:
    with pytest.raises(
        ParameterError, match=r"did not receive the following required parameters: p.*flow.run\(p=...\)"
    ):
        run_with(parameter())


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_parameter_needs_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Parameter(name)


def test_a_parameter_is_known_by_its_name() -> None:
    with Flow("f") as f:
        p = Parameter("p", default=1, tags=["t"])
        p()

    assert (p.slug, f.slugs[p], p.tags, repr(p)) == ("p", "p", {"t"}, "<Parameter: p>")
    assert list(f.parameters()) == [p]


def test_a_parameter_is_called_with_a_flow_only() -> None:
    f = Flow("f")
    p = Parameter("p", default=1)

    assert p(flow=f) is p
    assert p in f
    with pytest.raises(TypeError):
        p(5, x=1)  # type: ignore[call-arg]


def test_a_copy_of_a_parameter_needs_a_name_of_its_own() -> None:
    p = Parameter("p", default=1)

    with pytest.raises(TypeError):
        p.copy()  # type: ignore[call-arg]
    copied = p.copy("q")

    assert (copied.name, copied.slug, copied.default) == ("q", "q", 1)


def test_one_parameter_serves_several_tasks() -> None:
    with Flow("f") as f:
        p = Parameter("p")
        a, b = give(p), give([p, p])

    state = f.run(p=4)
    assert (state.result[a].result, state.result[b].result) == (4, [4, 4])


BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2021-01-31T08:00:00+01:00", datetime(2021, 1, 31, 8, tzinfo=BERLIN)),
        ("2021-01-31", datetime(2021, 1, 31, tzinfo=UTC)),
        ("2021-01-31T08:00", datetime(2021, 1, 31, 8, tzinfo=UTC)),
        (datetime(2021, 1, 31), datetime(2021, 1, 31, tzinfo=UTC)),  # noqa: DTZ001 - that is the case
        (datetime(2021, 1, 31, tzinfo=BERLIN), datetime(2021, 1, 31, tzinfo=BERLIN)),
        (None, None),
    ],
)
def test_a_moment_can_be_given_as_text_or_as_datetime(given: Any, moment: datetime | None) -> None:
    value = run_with(DateTimeParameter("when", required=False), when=given)

    assert value == moment
    assert value is None or value.tzinfo is not None


def test_a_moment_that_is_none_fails_its_task_and_says_how_to_write_one() -> None:
    with Flow("f") as f:
        when = DateTimeParameter("when")()

    state = f.run(when="tomorrow").result[when]

    assert state.is_failed()
    assert "2021-01-31T08:00" in str(state.result)


def test_a_default_that_is_no_moment_fails_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="'soon' is none"):
        DateTimeParameter("when", default="soon")


def test_a_secret_reaches_the_task_and_shows_as_stars() -> None:
    value = run_with(Parameter("password"), password=Secret("hunter2"))

    assert value.get() == "hunter2"
    assert "hunter2" not in repr(value)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(value)


# -- constants -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [1, "text", None, [1, [2, {"k": (3, {4})}]], {"a": [1]}, (), range(3), object, {1, 2}],
    ids=repr,
)
def test_a_constant_argument_makes_no_task_and_arrives_unchanged(value: Any) -> None:
    with Flow("f") as f:
        made = give(value)

    assert list(f.tasks) == [made]
    assert f.constants[made]["x"] is value
    assert f.run().result[made].result is value


def test_constants_that_are_mapped_or_only_waited_for_become_tasks() -> None:
    with Flow("f") as f:
        over = give.map([1, 2])
        after = give(1, upstream_tasks=[5])

    constants = f.get_tasks(task_type=Constant)
    assert [task.value for task in constants] == [[1, 2], 5]
    assert [edge.mapped for edge in f.edges_to(over)] == [True]
    assert [edge.key for edge in f.edges_to(after)] == [None]
    assert all(constant.auto_generated for constant in constants)


def test_a_constant_task_can_be_written_by_hand() -> None:
    with Flow("f") as f:
        made = give(Constant([1, 2], name="numbers"))

    assert [task.name for task in f.tasks] == ["give", "numbers"]
    assert f.run().result[made].result == [1, 2]


# -- collections of tasks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value", "kinds"),
    [
        (lambda a, b: [a, b], [1, 2], [List]),
        (lambda a, b: [a, "x", b], [1, "x", 2], [List]),
        (lambda a, b: (a, b), (1, 2), [Tuple]),
        (lambda a, b: {a, b}, {1, 2}, [Set]),
        (lambda a, b: {"k": a, "m": [b, 5]}, {"k": 1, "m": [2, 5]}, [Dict, List]),
        (lambda a, b: {a: "x"}, {1: "x"}, [Dict, List]),
        (lambda a, b: [[a], [[b]]], [[1], [[2]]], [List]),
        (lambda a, b: [{"k": (a, {b})}], [{"k": (1, {2})}], [List, Dict, Tuple, Set]),
        (lambda a, b: [[], {}, a], [[], {}, 1], [List]),
        (lambda a, b: [a] * 12, [1] * 12, [List]),
    ],
)
def test_collections_that_hold_tasks_are_gathered_when_the_flow_runs(make: Any, value: Any, kinds: list[type]) -> None:
    with Flow("f") as f:
        made = give(make(number(1), number(2)))

    arrived = f.run().result[made].result
    assert (arrived, type(arrived)) == (value, type(value))
    gathering = [each for each in f.tasks if isinstance(each, (List, Tuple, Set, Dict))]
    assert {type(each) for each in gathering} == set(kinds)
    assert all(each.auto_generated for each in gathering)


def test_a_long_list_keeps_its_order() -> None:
    with Flow("f") as f:
        made = give([number(n) for n in range(25)])

    assert f.run().result[made].result == list(range(25))


def test_a_collection_can_be_marked_as_unmapped() -> None:
    with Flow("f") as f:
        made = give.map(unmapped([number(1), number(2)]), upstream_tasks=[[1, 2, 3]])

    assert f.run().result[made].result == [[1, 2]] * 3


# -- edges -----------------------------------------------------------------------------------------------------------------


def test_edges_are_equal_by_all_their_parts() -> None:
    a, b = Task(), Task()

    assert Edge(a, b) == Edge(a, b)
    assert hash(Edge(a, b, key="k")) == hash(Edge(a, b, key="k"))
    different = {Edge(a, b), Edge(a, b, "k"), Edge(a, b, "k", True), Edge(a, b, "k", False, True), Edge(b, a)}
    assert len(different) == 5


def test_an_edge_tells_its_parts() -> None:
    a, b = Task(name="a"), Task(name="b")
    edge = Edge(a, b, key="k", mapped=True, flattened=True)

    assert edge.tasks == {a, b}
    assert (edge.upstream_task, edge.downstream_task, edge.key, edge.mapped, edge.flattened) == (a, b, "k", True, True)
    assert repr(edge) == "<Edge: a to b as 'k' mapped flattened>"


def test_an_edge_from_a_task_to_itself_is_refused() -> None:
    a = Task(name="a")

    with pytest.raises(ValueError, match="Edges can not connect a task to itself.*'a'"):
        Edge(a, a)


@pytest.mark.parametrize("key", ["two words", "1st", "class", "", "a-b"])
def test_the_key_of_an_edge_must_be_a_name(key: str) -> None:
    with pytest.raises(ValueError, match="must be a Python name"):
        Edge(Task(), Task(), key=key)


def test_a_task_cannot_be_its_own_argument() -> None:
    made = give.copy()

    with Flow("f", tasks=[made]), pytest.raises(ValueError, match="can not connect a task to itself"):
        made.bind(made)
