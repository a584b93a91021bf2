"""A flow as it is written: opened, filled, changed, copied, looked at."""

from __future__ import annotations

import re
from typing import Any

import pytest

from notebook_flows import Edge, Flow, Parameter, Task, flow, tags, task
from notebook_flows.core.collect import List
from notebook_flows.core.context import context
from notebook_flows.errors import FlowValidationError, NoActiveFlowError


@task
def one() -> int:
    return 1


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(x: int, y: int = 0) -> int:
    return x + y


def names(tasks: Any) -> list[str]:
    return [each.name for each in tasks]


def named(*words: str) -> list[Task]:
    return [Task(name=word) for word in words]


# -- making one ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_flow_needs_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Flow(name)


def test_a_flow_without_any_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="name"):
        Flow()  # type: ignore[call-arg]


def test_state_handlers_are_a_list() -> None:
    with pytest.raises(TypeError, match="state_handlers of flow 'f' must be a list"):
        Flow("f", state_handlers=lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tag_limits": {"db": 0}}, ValueError, "tag limit 'db' of flow 'etl' is 0; it must be 1 or more"),
        ({"tag_limits": {"db": "2"}}, TypeError, "tag limit 'db' of flow 'etl' is a whole number, not '2'"),
        ({"tag_limits": {"db": 1.5}}, TypeError, "not 1.5"),
        ({"tag_limits": {"db": True}}, TypeError, "not True"),
        ({"timeout": float("nan")}, ValueError, "timeout of flow 'etl' is nan; it must be positive, and finite"),
        ({"timeout": float("inf")}, ValueError, "finite"),
        ({"timeout": 0}, ValueError, "positive"),
        ({"timeout": "long"}, TypeError, "timeout of flow 'etl'"),
    ],
)
def test_limits_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Flow("etl", **options)


def test_a_flow_can_be_made_of_tasks_edges_and_reference_tasks() -> None:
    a, b, c = named("a", "b", "c")

    f = Flow("f", tasks=[c], edges=[Edge(a, b)], reference_tasks=[a])

    assert names(f.tasks) == ["c", "a", "b"]
    assert list(f.edges) == [Edge(a, b)]
    assert list(f.reference_tasks()) == [a]


def test_a_flow_made_of_a_cycle_with_validate_says_so_at_once() -> None:
    a, b = named("a", "b")

    with pytest.raises(FlowValidationError, match="Cycle found"):
        Flow("f", edges=[Edge(a, b), Edge(b, a)], validate=True)


@pytest.mark.parametrize(
    "kept", [{"run_config": object()}, {"storage": object()}, {"schedule": object()}, {"executor": object()}]
)
def test_what_nothing_reads_yet_is_kept_as_it_was_given(kept: dict[str, Any]) -> None:
    f = Flow("f", **kept)

    assert {key: getattr(f, key) for key in kept} == kept


# -- the open flow ---------------------------------------------------------------------------------------------------------


def test_calls_go_to_the_open_flow_and_are_copies() -> None:
    with Flow("f") as f:
        first = one()
        second = double(first)

    assert list(f.tasks) == [first, second]
    assert first is not one
    assert list(f.edges) == [Edge(first, second, key="x")]


def test_a_call_outside_of_any_flow_says_where_to_put_it() -> None:
    with pytest.raises(NoActiveFlowError, match=re.escape("Could not infer an active Flow context")) as raised:
        one()

    assert "'one'" in str(raised.value)
    assert ".run(" in str(raised.value)


def test_the_flow_of_a_call_can_be_given() -> None:
    f = Flow("f")

    made = double(one(flow=f), flow=f)

    assert f.run().result[made].result == 2


def test_flows_nest_and_each_gets_its_own_tasks() -> None:
    with Flow("outer") as outer:
        one()
        with Flow("inner") as inner:
            double(3)
        add(1)

    assert names(outer.tasks) == ["one", "add"]
    assert names(inner.tasks) == ["double"]


def test_a_flow_can_be_opened_again() -> None:
    with Flow("f") as f:
        first = one()

    with f:
        double(first)

    assert names(f.tasks) == ["one", "double"]


def test_the_context_knows_the_open_flow_and_forgets_it() -> None:
    with Flow("outer") as outer:
        with Flow("inner") as inner:
            inside = context.flow
        after = context.flow

    assert (inside, after, context.get("flow")) == (inner, outer, None)


def test_an_error_inside_closes_the_flow_and_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError), Flow("f"):  # noqa: PT012 - the error comes after a task
        Task(name="unused")
        1 / 0

    with pytest.raises(NoActiveFlowError):
        one()


def test_tasks_that_were_made_but_not_used_are_told() -> None:
    with pytest.warns(UserWarning, match="Tasks were created but not added to the flow 'f': lonely"), Flow("f") as f:  # noqa: PT031 - a block of two tasks
        Task(name="lonely")
        one()

    assert names(f.tasks) == ["one"]


@pytest.mark.parametrize(
    "use",
    [
        lambda made, f: f.add_task(made),
        lambda made, f: made.bind(),
        lambda made, f: made(),
        lambda made, f: made.set_upstream(one()),
        lambda made, f: made.copy()(),
        lambda made, f: f.add_edge(made, Task(name="other")),
    ],
    ids=["add_task", "bind", "call", "set_upstream", "call of a copy", "add_edge"],
)
def test_tasks_that_were_used_in_any_way_are_not_told(use: Any) -> None:
    with Flow("f") as f:
        made = Task(name="made")
        use(made, f)  # the test's own settings turn a warning into an error


def test_running_a_flow_that_is_still_open_is_refused() -> None:
    with Flow("f") as f:
        one()
        with pytest.raises(RuntimeError, match=re.escape("after the `with` block")):
            f.run()


# -- tasks and edges -------------------------------------------------------------------------------------------------------


def test_only_tasks_are_added() -> None:
    with pytest.raises(TypeError, match="takes tasks, not 5"):
        Flow("f").add_task(5)  # type: ignore[arg-type]


def test_adding_a_task_again_changes_nothing_and_gives_it_back() -> None:
    f = Flow("f")
    a = Task(name="a")

    assert f.add_task(a) is f.add_task(a) is a
    assert len(f.tasks) == 1


def test_two_tasks_with_one_slug_are_refused() -> None:
    f = Flow("f", tasks=[Task(name="a", slug="p")])

    with pytest.raises(ValueError, match='A task with the slug "p" already exists in this flow.'):
        f.add_task(Task(name="b", slug="p"))


def test_two_parameters_with_one_name_are_refused() -> None:
    f = Flow("f", tasks=[Parameter("p")])

    with pytest.raises(ValueError, match='A task with the slug "p" already exists'):
        Parameter("p")(flow=f)


def test_a_slug_is_free_again_when_its_task_has_gone() -> None:
    f = Flow("f", tasks=[old := Task(name="a", slug="p")])
    f.tasks.discard(old)

    f.add_task(Task(name="b", slug="p"))

    assert names(f.tasks) == ["b"]


def test_an_edge_adds_its_tasks_and_is_given_back() -> None:
    f = Flow("f")
    a, b = one.copy(), double.copy()

    edge = f.add_edge(a, b, key="x")

    assert edge == Edge(a, b, key="x")
    assert list(f.tasks) == [a, b]
    assert f.run().result[b].result == 2


def test_nothing_comes_before_a_parameter() -> None:
    with pytest.raises(ValueError, match="can not have upstream dependencies"):
        Flow("f").add_edge(Task(), Parameter("p"))


@pytest.mark.parametrize(
    ("again", "error", "words"),
    [
        ("x", ValueError, "Argument \"x\" of task 'double' has already been assigned"),
        ("z", TypeError, "Task 'double' has no argument 'z'"),
    ],
)
def test_a_checked_edge_must_fit(again: str, error: type[Exception], words: str) -> None:
    f = Flow("f")
    below = double.copy()
    f.add_edge(one.copy(), below, key="x", validate=True)

    with pytest.raises(error, match=words):
        f.add_edge(one.copy(), below, key=again, validate=True)


def test_an_edge_that_closes_a_cycle_is_told_when_it_is_checked() -> None:
    a, b = named("a", "b")
    f = Flow("f", edges=[Edge(a, b)])

    with pytest.raises(FlowValidationError, match="Cycle found.*a → b → a|Cycle found.*b → a → b"):
        f.add_edge(b, a, validate=True)


def test_a_chain_is_one_edge_after_the_other() -> None:
    a, b, c = named("a", "b", "c")
    f = Flow("f")

    edges = f.chain(a, b, c)

    assert edges == [Edge(a, b), Edge(b, c)] == list(f.edges)


def test_set_dependencies_takes_all_kinds_at_once() -> None:
    f = Flow("f")
    before, after, subject = Task(name="before"), Task(name="after"), add.copy()
    source = one.copy()

    given_back = f.set_dependencies(
        subject, upstream_tasks=[before], downstream_tasks=[after], keyword_tasks={"x": source, "y": 5}
    )

    assert given_back is None
    assert set(f.edges) == {Edge(before, subject), Edge(subject, after), Edge(source, subject, key="x")}
    assert f.constants[subject] == {"y": 5}
    assert f.run().result[subject].result == 6


def test_set_dependencies_of_a_task_gives_the_task_back() -> None:
    f = Flow("f")
    a, b = named("a", "b")

    assert a.set_dependencies(flow=f, downstream_tasks=[b]) is a
    assert list(f.edges) == [Edge(a, b)]


@pytest.mark.parametrize("method", ["set_dependencies", "set_upstream", "set_downstream"])
def test_dependencies_without_any_flow_are_refused(method: str) -> None:
    arguments = {} if method == "set_dependencies" else {"task": Task()}

    with pytest.raises(ValueError, match="Could not infer an active Flow context"):
        getattr(Task(name="a"), method)(**arguments)


def test_set_upstream_and_set_downstream_make_plain_and_keyed_edges() -> None:
    a, b = one.copy(), double.copy()
    f = Flow("f")

    assert b.set_upstream(a, flow=f, key="x") is b
    assert a.set_downstream(b, flow=f) is a

    assert set(f.edges) == {Edge(a, b, key="x"), Edge(a, b)}


def test_set_downstream_with_a_key_gives_the_value() -> None:
    a, b = one.copy(), double.copy()
    f = Flow("f")

    a.set_downstream(b, flow=f, key="x")

    assert f.run().result[b].result == 2


def test_upstream_tasks_of_a_call_only_order() -> None:
    with Flow("f") as f:
        first = one()
        second = add(1, upstream_tasks=[first])

    assert list(f.edges) == [Edge(first, second)]


def test_a_bar_makes_order_and_gives_the_later_task() -> None:
    a, b, c = named("a", "b", "c")

    with Flow("f") as f:
        last = a | b | c

    assert last is c
    assert list(f.edges) == [Edge(a, b), Edge(b, c)]


def test_a_constant_before_a_bar_becomes_a_task() -> None:
    with Flow("f") as f:
        a = Task(name="a")
        5 | a

    assert [(edge.upstream_task.value, edge.downstream_task, edge.key) for edge in f.edges] == [(5, a, None)]


@pytest.mark.parametrize("wrong", ["clean", Task(name="clean")])
def test_upstream_tasks_that_are_no_list_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="Upstream tasks are given as a list"):
        Flow("f").set_dependencies(Task(), upstream_tasks=wrong)


def test_a_list_of_tasks_as_upstream_becomes_one_task() -> None:
    a, b, c = named("a", "b", "c")
    f = Flow("f")

    f.set_dependencies(c, upstream_tasks=[[a, b]])

    assert [type(edge.upstream_task) for edge in f.edges_to(c)] == [List]
    assert f.run().is_successful()


def test_a_second_bind_overwrites_constants() -> None:
    with Flow("f") as f:
        made = add.copy()
        made.bind(1, 2)
        made.bind(5)

    assert f.constants[made] == {"x": 5, "y": 2}


# -- looking at it ---------------------------------------------------------------------------------------------------------


def diamond() -> tuple[Flow, list[Task]]:
    a, b, c, d = named("a", "b", "c", "d")
    return Flow("diamond", edges=[Edge(a, b), Edge(a, c), Edge(b, d), Edge(c, d)]), [a, b, c, d]


def test_what_comes_before_and_after_is_told_in_the_order_of_definition() -> None:
    f, (a, b, c, d) = diamond()

    assert list(f.root_tasks()) == [a]
    assert list(f.terminal_tasks()) == [d]
    assert list(f.upstream_tasks(d)) == [b, c]
    assert list(f.downstream_tasks(a)) == [b, c]
    assert list(f.edges_to(d)) == [Edge(b, d), Edge(c, d)]
    assert list(f.edges_from(a)) == [Edge(a, b), Edge(a, c)]
    assert {t.name: len(e) for t, e in f.all_upstream_edges().items()} == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert {t.name: len(e) for t, e in f.all_downstream_edges().items()} == {"a": 2, "b": 1, "c": 1, "d": 0}


@pytest.mark.parametrize("method", ["edges_to", "edges_from", "upstream_tasks", "downstream_tasks"])
def test_an_unknown_task_was_not_found(method: str) -> None:
    with pytest.raises(ValueError, match="was not found in Flow 'f'"):
        getattr(Flow("f"), method)(Task(name="stranger"))


def test_sorted_tasks_keep_the_order_of_definition_where_they_can() -> None:
    last, *rest = named("last", "x", "y", "z")
    f = Flow("f", tasks=[last, *rest])
    f.set_dependencies(last, upstream_tasks=[rest[2]])

    assert isinstance(f.sorted_tasks(), tuple)
    assert names(f.sorted_tasks()) == ["x", "y", "z", "last"]
    assert tuple(f) == f.sorted_tasks()


def test_sorted_tasks_can_begin_at_given_ones() -> None:
    f, (_, b, _, d) = diamond()

    assert f.sorted_tasks(root_tasks=[b]) == (b, d)

    with pytest.raises(ValueError, match="was not found"):
        f.sorted_tasks(root_tasks=[Task()])


def test_the_order_is_the_same_each_time() -> None:
    def build() -> list[str]:
        with Flow("f") as f:
            for word in ("k", "a", "z", "m", "b"):
                Task(name=word).bind()
        return names(f.sorted_tasks())

    assert build() == build() == ["k", "a", "z", "m", "b"]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["load", "clean", "clean", "p"]),
        ({"name": "clean"}, ["clean", "clean"]),
        ({"slug": "clean-2"}, ["clean"]),
        ({"tags": ["db"]}, ["load", "clean"]),
        ({"tags": ["db", "slow"]}, ["load"]),
        ({"tags": ["nobody's"]}, []),
        ({"task_type": Parameter}, ["p"]),
        ({"name": "clean", "tags": ["slow"]}, []),
        ({"name": "clean", "tags": ["db"]}, ["clean"]),
    ],
)
def test_get_tasks_gives_those_that_meet_all_conditions(conditions: dict[str, Any], found: list[str]) -> None:
    f = Flow("f")
    f.add_task(Task(name="load", tags=["db", "slow"]))
    f.add_task(Task(name="clean", tags=["db"], slug="own"))
    f.add_task(Task(name="clean"))
    f.add_task(Task(name="clean")) if conditions.get("slug") else None
    f.add_task(Parameter("p"))

    assert names(f.get_tasks(**conditions)) == found


def test_slugs_count_by_name_and_tags_and_keep_those_that_were_given() -> None:
    f = Flow("f")
    f.add_task(Task(name="a"))
    f.add_task(Task(name="a"))
    f.add_task(Task(name="a", tags=["z", "b"]))
    f.add_task(Task(name="b", slug="mine"))
    f.add_task(Parameter("p"))

    assert list(f.slugs.values()) == ["a-1", "a-2", "a-b-z-1", "mine", "p"]


def test_a_given_slug_is_never_taken_by_a_counted_one() -> None:
    f = Flow("f", tasks=[Task(name="a", slug="a-1"), Task(name="a"), Task(name="a")])

    assert list(f.slugs.values()) == ["a-1", "a-2", "a-3"]


def test_a_call_of_a_task_with_a_slug_gets_another() -> None:
    slugged = Task(name="a", slug="own")

    with Flow("f") as f:
        f.add_task(slugged)
        slugged()

    assert list(f.slugs.values()) == ["own", "own-copy"]


def test_the_sets_of_a_flow_change_the_flow() -> None:
    f, (a, b, c, d) = diamond()

    f.tasks.add(extra := Task(name="extra"))
    f.edges.add(Edge(d, extra))
    f.edges.discard(Edge(a, b))

    assert a in f.tasks
    assert Edge(d, extra) in f.edges
    assert Edge(a, b) not in f.edges
    assert list(f.root_tasks()) == [a, b]
    assert f.tasks - {extra} == {a, b, c, d}


def test_tasks_and_edges_can_be_set() -> None:
    f, (a, b, _, d) = diamond()

    f.edges = {Edge(a, d)}
    f.tasks = [a, b, d]

    assert set(f.tasks) == {a, b, d}
    assert list(f.edges) == [Edge(a, d)]
    f.validate()


def test_a_flow_knows_its_length_and_what_it_contains_and_is_true_though_empty() -> None:
    f, (a, *_) = diamond()

    assert len(f) == 4
    assert a in f
    assert Task() not in f
    assert bool(Flow("empty"))
    assert repr(f) == '<Flow: name="diamond">'


# -- reference tasks -------------------------------------------------------------------------------------------------------


def test_reference_tasks_are_the_terminal_ones_until_they_are_set() -> None:
    f, (a, b, _, d) = diamond()
    by_default = list(f.reference_tasks())

    f.set_reference_tasks([b, a, b])
    chosen = list(f.reference_tasks())
    f.set_reference_tasks([])

    assert (by_default, chosen, list(f.reference_tasks())) == ([d], [b, a], [d])


def test_a_foreign_reference_task_is_refused() -> None:
    f, _ = diamond()

    with pytest.raises(ValueError, match="must be part of the flow"):
        f.set_reference_tasks([Task(name="foreign")])


# -- update, replace, copy -------------------------------------------------------------------------------------------------


def test_update_takes_over_tasks_edges_and_constants() -> None:
    with Flow("other") as other:
        made = add(one(), 5)

    f, _ = diamond()
    f.update(other)

    assert names(f.tasks) == ["a", "b", "c", "d", "one", "add"]
    assert f.run().result[made].result == 6
    assert names(other.tasks) == ["one", "add"]


def test_update_with_two_parameters_of_one_name_needs_merging() -> None:
    with Flow("f") as f:
        mine = double(Parameter("p", default=1))
    with Flow("other") as other:
        theirs = add(Parameter("p", default=2))

    with pytest.raises(ValueError, match='slug "p"'):
        f.copy().update(other)
    f.update(other, merge_parameters=True)

    state = f.run(p=10)
    assert (state.result[mine].result, state.result[theirs].result) == (20, 10)
    assert len(f.parameters()) == 1


def test_update_can_merge_reference_tasks() -> None:
    a, b, c, d = named("a", "b", "c", "d")
    f = Flow("f", edges=[Edge(a, b)], reference_tasks=[a])
    other = Flow("other", edges=[Edge(c, d)], reference_tasks=[c])

    merged, kept = f.copy(), f.copy()
    merged.update(other, merge_reference_tasks=True)
    kept.update(other)

    assert list(merged.reference_tasks()) == [a, c]
    assert list(kept.reference_tasks()) == [a]


def test_replace_puts_a_task_in_the_place_of_another() -> None:
    with Flow("f") as f:
        source = one()
        middle = double(source)
        last = add(middle, y=1)

    new = add.copy(name="new")
    f.set_reference_tasks([middle])
    f.replace(middle, new)

    assert names(f.tasks) == ["one", "new", "add"]
    assert list(f.reference_tasks()) == [new]
    assert f.run().result[last].result == 2


def test_replace_by_a_constant() -> None:
    with Flow("f") as f:
        source = one()
        last = double(source)

    f.replace(source, 21)

    assert f.run().result[last].result == 42


def test_replace_keeps_constants_of_the_call() -> None:
    with Flow("f") as f:
        old = add(1, 2)

    f.replace(old, new := add.copy())

    assert f.run().result[new].result == 3


def test_replace_by_a_list_of_tasks() -> None:
    with Flow("f") as f:
        made = task(lambda x: x)(source := one())
        other = double(4)

    f.replace(source, [other, 5])

    assert f.run().result[made].result == [8, 5]


def test_replace_by_a_task_of_the_flow_joins_them() -> None:
    with Flow("f") as f:
        before, kept = one(), one()
        first, second = double(before), double(kept)

    f.replace(before, kept)

    assert len(f.tasks) == 3
    assert set(f.upstream_tasks(first)) == set(f.upstream_tasks(second)) == {kept}


def test_replacing_a_stranger_is_refused() -> None:
    with pytest.raises(ValueError, match="was not found in Flow 'f'"):
        Flow("f").replace(Task(), Task())


def test_replace_checks_unless_told_not_to() -> None:
    def build() -> tuple[Flow, Task]:
        with Flow("f") as f:
            middle = double(one())
        return f, middle

    f, middle = build()
    with pytest.raises(FlowValidationError, match="no argument 'x'"):
        f.replace(middle, one.copy())

    f, middle = build()
    f.replace(middle, one.copy(), validate=False)


@pytest.mark.parametrize("as_list", [False, True])
def test_a_replacement_that_would_wait_for_itself_changes_nothing(as_list: bool) -> None:
    with Flow("f") as f:
        first = one()
        middle = double(first)
        add(middle)
    before = f.copy()

    with pytest.raises(ValueError, match="can not connect a task to itself"):
        f.replace(first if as_list else middle, [first, 5] if as_list else first)

    assert f == before
    assert names(f.tasks) == ["one", "double", "add"]
    assert f.run().is_successful()


def test_a_replacement_that_the_flow_could_not_run_with_changes_nothing() -> None:
    with Flow("f") as f:
        middle = double(one())

    with pytest.raises(FlowValidationError):
        f.replace(middle, one.copy())

    assert names(f.tasks) == ["one", "double"]


def test_replace_by_a_task_of_the_flow_keeps_the_constants_that_this_has() -> None:
    with Flow("f") as f:
        old, kept = add(1, 2), add(3, 4)

    f.replace(old, kept)

    assert f.run().result[kept].result == 7


def test_update_leaves_names_and_stand_ins_of_the_other_flow_as_they_are() -> None:
    other = Flow("other")
    waits = add(1, flow=other)
    other.set_dependencies(waits, upstream_tasks=["double", one])
    double(5, flow=other)
    one(flow=other)
    before = (list(other._into), list(other._named), list(other._stand_ins))

    f = Flow("f")
    f.update(other)

    assert (list(other._into), other._named, list(other._stand_ins)) == before
    f.validate()
    other.validate()
    assert names(f.tasks) == names(other.tasks) == ["add", "double", "one"]
    assert set(names(f.upstream_tasks(waits))) == {"double", "one"}


def test_names_and_originals_of_a_flow_may_be_settled_by_the_one_that_takes_it_over() -> None:
    other = Flow("other")
    waits = add(1, flow=other)
    other.set_dependencies(waits, upstream_tasks=["double", one])
    f = Flow("f")
    made, called = double(5, flow=f), one(flow=f)

    f.update(other)

    f.validate()
    assert set(f.upstream_tasks(waits)) == {made, called}
    with pytest.raises(FlowValidationError, match="'double', which is no task"):
        other.validate()


def test_a_merged_parameter_may_be_a_reference_task() -> None:
    f = Flow("f", tasks=[mine := Parameter("p", default=1)])
    theirs = Parameter("p", default=2)

    f.update(Flow("other", tasks=[theirs]), merge_parameters=True, merge_reference_tasks=True)

    assert list(f.reference_tasks()) == [mine]


def test_a_copy_has_its_own_sets_and_the_same_tasks() -> None:
    with Flow("f") as f:
        made = add(1, 2)

    copied = f.copy()
    assert copied == f
    copied.add_task(Task(name="more"))
    copied.constants[made]["x"] = 40
    copied.set_reference_tasks([made])

    assert names(f.tasks) == ["add"]
    assert f.run().result[made].result == 3
    assert copied.run().result[made].result == 42
    assert copied != f


def test_flows_are_equal_by_what_they_hold() -> None:
    a, b = named("a", "b")

    assert Flow("f", edges=[Edge(a, b)]) == Flow("f", edges=[Edge(a, b)])
    assert Flow("f", edges=[Edge(a, b)]) != Flow("g", edges=[Edge(a, b)])
    assert Flow("f", edges=[Edge(a, b)]) != Flow("f", tasks=[a, b])
    assert Flow("f", tasks=[a]) != "f"


# -- @flow -----------------------------------------------------------------------------------------------------------------


def test_a_flow_can_be_a_function_whose_arguments_are_parameters() -> None:
    @flow
    def etl(x, y=5):  # type: ignore[no-untyped-def]
        """Adds."""
        add(x, y)

    assert isinstance(etl, Flow)
    assert etl.name == "etl"
    assert etl.__doc__ == "Adds."
    assert [(p.name, p.required, p.default) for p in etl.parameters()] == [("x", True, None), ("y", False, 5)]
    made = etl.get_tasks(name="add")[0]
    assert etl.run(x=1).result[made].result == 6


def test_a_flow_function_takes_the_options_of_a_flow() -> None:
    @flow(name="nightly", fail_fast=True)
    def etl() -> None:
        one()

    assert (etl.name, etl.fail_fast) == ("nightly", True)


def test_a_flow_function_keeps_keyword_only_and_positional_only_arguments() -> None:
    @flow
    def etl(a, /, b=2, *, c=3):  # type: ignore[no-untyped-def]
        add(a, add(b, c))

    assert [p.name for p in etl.parameters()] == ["a", "b", "c"]
    assert etl.run(a=1).is_successful()


@pytest.mark.parametrize("argument", ["*args", "**kwargs"])
def test_a_flow_function_names_each_parameter(argument: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def etl({argument}): pass", scope)

    with pytest.raises(ValueError, match=re.escape(argument)):
        flow(scope["etl"])


# -- tags ------------------------------------------------------------------------------------------------------------------


def test_tags_hold_for_what_is_made_and_called_inside_and_add_up() -> None:
    with Flow("f"), tags("a"):
        made = Task(name="made", tags=["own"]).bind()
        with tags("b", "c"):
            called = one()
        after = double(1)

    assert (made.tags, called.tags, after.tags) == ({"own", "a"}, {"a", "b", "c"}, {"a"})
    assert set(one.tags) == set()
