"""A flow's tasks and edges as integers, frozen: what plans, runs and pictures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Input(NamedTuple):
    """One edge, seen from the task that waits.

    Attributes:
        upstream: the number of the task that is waited for.
        key: the argument that gets its value, or None.
        is_mapped: each child gets one element of it.
        is_flattened: one level of lists is taken away first.
    """

    upstream: int
    key: str | None
    is_mapped: bool
    is_flattened: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """n tasks, numbered 0 to n-1 in the order of their definition.

    Attributes:
        inputs: of each task, its edges in the order in which they were added.
        downstream: of each task, the tasks that wait for it, once per edge.
        mapped: the tasks with a mapped edge, which run once for each element.
    """

    inputs: Sequence[Sequence[Input]]
    downstream: Sequence[Sequence[int]]
    mapped: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.inputs)


def order_of(graph: Graph) -> list[int]:
    """A topological order; of tasks that could come next, the one defined first comes first.

    Tasks on a cycle, and those behind one, are left out: the order is then shorter than the graph.
    Cost: O((n + edges) log n).
    """
    waiting = [len(inputs) for inputs in graph.inputs]
    ready = [number for number, count in enumerate(waiting) if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        number = heappop(ready)
        order.append(number)
        for after in graph.downstream[number]:
            waiting[after] -= 1
            if not waiting[after]:
                heappush(ready, after)
    return order


def is_acyclic(graph: Graph) -> bool:
    """Whether every task can have its turn.

    Source:
        A. B. Kahn, "Topological sorting of large networks", 1962.
    """
    waiting = [len(inputs) for inputs in graph.inputs]
    ready = [number for number, count in enumerate(waiting) if not count]
    downstream = graph.downstream
    for number in ready:  # grows while it is walked
        for after in downstream[number]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return len(ready) == len(waiting)


def cycles_of(graph: Graph) -> list[list[int]]:
    """A cycle through each group of tasks that wait for one another, as a path: [a, b, c] means a → b → c → a.

    Cost: O(n + edges), without recursion.
    Source:
        R. Tarjan, "Depth-first search and linear graph algorithms", 1972, for the groups.
    """
    return [_cycle_within(graph, group) for group in _knots(graph)]


def _knots(graph: Graph) -> list[list[int]]:
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in range(len(graph)):
        if root in index:
            continue
        path = [(root, iter(graph.downstream[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while path:
            number, rest = path[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on_stack.add(after)
                    path.append((after, iter(graph.downstream[after])))
                    break
                if after in on_stack:
                    low[number] = min(low[number], index[after])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[number])
                if low[number] == index[number]:
                    at = _position(stack, number)
                    group = stack[at:]
                    del stack[at:]
                    on_stack.difference_update(group)
                    if len(group) > 1 or number in graph.downstream[number]:
                        found.append(sorted(group))
    return sorted(found)


def _position(stack: list[int], number: int) -> int:
    at = len(stack) - 1
    while stack[at] != number:
        at -= 1
    return at


def _cycle_within(graph: Graph, group: list[int]) -> list[int]:
    """The shortest cycle through the first task of the group."""
    inside = set(group)
    start = group[0]
    came_from: dict[int, int] = {}
    ready = [start]
    for number in ready:  # grows while it is walked
        for after in graph.downstream[number]:
            if after == start:
                path = [number]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if after in inside and after not in came_from:
                came_from[after] = number
                ready.append(after)
    raise AssertionError(f"{group} is no knot")
