"""Orders and cycles, against a naive reference; deep and wide graphs without recursion."""

from __future__ import annotations

from itertools import pairwise

from core_runs import laws, plan_from
from hypothesis import given, strategies as st

from notebook_flows.core.graph import Graph, Input, cycles_of, is_acyclic, order_of
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import Plan, graph_as_json, graph_from_json, plan_from_first_event

DEEP = 100_000


def graph_with(size: int, edges: list[tuple[int, int]]) -> Graph:
    inputs: list[list[Input]] = [[] for _ in range(size)]
    downstream: list[list[int]] = [[] for _ in range(size)]
    for upstream, number in edges:
        inputs[number].append(Input(upstream, None, False, False))
        downstream[upstream].append(number)
    return Graph(inputs=inputs, downstream=downstream)


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = False) -> Graph:
    size = draw(st.integers(0, 8))
    numbers = st.integers(0, max(size - 1, 0))
    edges = draw(st.lists(st.tuples(numbers, numbers), max_size=14)) if size else []
    if acyclic:
        shuffled = draw(st.permutations(range(size)))
        edges = [(shuffled[min(edge)], shuffled[max(edge)]) for edge in edges if edge[0] != edge[1]]
    return graph_with(size, edges)


def naive_order(graph: Graph) -> list[int]:
    """Of those that wait for nothing any more always the first."""
    order: list[int] = []
    while True:
        ready = [
            number
            for number, inputs in enumerate(graph.inputs)
            if number not in order and all(one.upstream in order for one in inputs)
        ]
        if not ready:
            return order
        order.append(ready[0])


def naive_reach(graph: Graph, start: int) -> set[int]:
    reached: set[int] = set()
    edge = {start}
    while edge:
        edge = {after for number in edge for after in graph.downstream[number]} - reached
        reached |= edge
    return reached


@laws(80)
@given(graphs() | graphs(acyclic=True))
def test_the_order_is_the_naive_one(graph: Graph) -> None:
    assert order_of(graph) == naive_order(graph)


@laws(80)
@given(graphs() | graphs(acyclic=True))
def test_a_graph_is_acyclic_if_no_task_reaches_itself(graph: Graph) -> None:
    expected = not any(number in naive_reach(graph, number) for number in range(len(graph)))

    assert is_acyclic(graph) == expected
    assert (cycles_of(graph) == []) == expected


@laws(80)
@given(graphs())
def test_of_each_group_that_waits_for_itself_one_cycle_is_told(graph: Graph) -> None:
    reach = [naive_reach(graph, number) for number in range(len(graph))]
    groups = {
        frozenset(other for other in range(len(graph)) if other in reach[number] and number in reach[other])
        for number in range(len(graph))
        if number in reach[number]
    }

    cycles = cycles_of(graph)

    assert len(cycles) == len(groups)
    for cycle in cycles:
        group = next(group for group in groups if cycle[0] in group)
        assert group.issuperset(cycle)
        assert cycle[0] == min(group)
        assert len(set(cycle)) == len(cycle)
        assert all(after in graph.downstream[before] for before, after in pairwise([*cycle, cycle[0]]))


def test_a_task_that_waits_for_itself_is_a_cycle_of_one() -> None:
    assert cycles_of(graph_with(2, [(1, 1), (0, 1)])) == [[1]]


def test_a_chain_as_deep_as_you_like() -> None:
    chain = graph_with(DEEP, [(number, number + 1) for number in range(DEEP - 1)])

    assert order_of(chain) == list(range(DEEP))
    assert is_acyclic(chain)
    assert cycles_of(chain) == []


def test_a_chain_that_was_defined_backwards() -> None:
    chain = graph_with(DEEP, [(number + 1, number) for number in range(DEEP - 1)])

    assert order_of(chain) == list(range(DEEP))[::-1]
    assert is_acyclic(chain)


def test_a_cycle_as_long_as_you_like() -> None:
    ring = graph_with(DEEP, [(number, (number + 1) % DEEP) for number in range(DEEP)])

    assert order_of(ring) == []
    assert not is_acyclic(ring)
    assert cycles_of(ring) == [list(range(DEEP))]


def test_a_thousand_cycles_side_by_side() -> None:
    pairs = graph_with(2_000, [edge for n in range(0, 2_000, 2) for edge in ((n, n + 1), (n + 1, n))])

    assert cycles_of(pairs) == [[n, n + 1] for n in range(0, 2_000, 2)]


# -- as JSON -----------------------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(0, 6))
    inputs = [
        [
            Input(upstream, key, is_mapped, is_mapped and is_flattened)
            for upstream, key, is_mapped, is_flattened in draw(
                st.lists(
                    st.tuples(st.integers(0, place - 1), st.none() | st.text(), st.booleans(), st.booleans()),
                    max_size=3,
                )
            )
        ]
        if place
        else []
        for place in range(size)
    ]
    return plan_from(
        inputs,
        names=[draw(st.text()) for _ in range(size)],
        ignores_skips=frozenset(draw(st.sets(st.integers(0, size - 1)))) if size else frozenset(),
        presets=draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from([S.SUCCESS, S.FAILED]))) if size else {},
    )


@laws(80)
@given(plans())
def test_a_graph_comes_back_from_json_as_it_was(plan: Plan) -> None:
    known = graph_as_json(plan.graph, plan.names, [f"t{n}" for n in range(len(plan.graph))], plan)

    again = graph_from_json(known)

    assert list(map(list, again.inputs)) == list(map(list, plan.graph.inputs))
    assert list(map(list, again.downstream)) == list(map(list, plan.graph.downstream))


@laws(80)
@given(plans())
def test_a_plan_comes_back_from_the_first_event_as_far_as_events_need_it(plan: Plan) -> None:
    known = graph_as_json(plan.graph, plan.names, [f"t{n}" for n in range(len(plan.graph))], plan)
    first = {"graph": known, "presets": {str(number): int(state) for number, state in plan.presets.items()}}

    again = plan_from_first_event(first)

    assert (again.names, again.presets) == (plan.names, plan.presets)
    assert (again.mapped, again.lanes, again.ignores_skips) == (plan.mapped, plan.lanes, plan.ignores_skips)
