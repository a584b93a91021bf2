"""Pictures without the arrows that say nothing new."""

from __future__ import annotations

from itertools import product

from hypothesis import given, strategies as st

from notebook_flows.core.graph import Input
from notebook_flows.views.reduction import without_implied, without_tasks


def order(upstream: int) -> Input:
    return Input(upstream, None, False, False)


def value(upstream: int) -> Input:
    return Input(upstream, "x", False, False)


def test_an_order_that_a_longer_way_tells_is_left_out() -> None:
    chain_and_shortcut = [[], [order(0)], [order(1), order(0)]]

    assert without_implied(chain_and_shortcut) == [[], [order(0)], [order(1)]]


def test_an_edge_that_carries_a_value_stays() -> None:
    chain_and_value = [[], [order(0)], [order(1), value(0)]]

    assert without_implied(chain_and_value) == chain_and_value


def test_a_cycle_is_drawn_as_it_is() -> None:
    cycle = [[order(1)], [order(0)], [order(0), order(1)]]

    assert without_implied(cycle) == cycle


def reachable(inputs: list[list[Input]]) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for task, into in enumerate(inputs):  # upstream numbers are smaller
        for one in into:
            found.add((one.upstream, task))
            found |= {(start, task) for start, end in found if end == one.upstream}
    return found


@given(st.sets(st.sampled_from([(a, b) for a, b in product(range(8), range(8)) if a < b])))
def test_who_comes_after_whom_is_still_told_and_nothing_twice(pairs: set[tuple[int, int]]) -> None:
    inputs = [[order(a) for a, b in sorted(pairs) if b == task] for task in range(8)]

    kept = without_implied(inputs)

    assert reachable(kept) == reachable(inputs)
    for task, into in enumerate(kept):
        for one in into:
            fewer = [[e for e in es if (t, e) != (task, one)] for t, es in enumerate(kept)]
            assert reachable(fewer) != reachable(inputs)


def test_what_waits_for_a_task_that_is_left_out_waits_for_what_that_waited_for() -> None:
    chain_with_two_ends = [[], [order(0)], [order(1)], [order(2)], [order(1)]]

    assert without_tasks(chain_with_two_ends, {1, 2}) == [[], [], [], [order(0)], [order(0)]]
