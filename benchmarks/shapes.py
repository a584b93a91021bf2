"""The graphs that are measured, as the numbers of each task's upstream tasks."""

from math import isqrt

Parents = list[tuple[int, ...]]
LINKS = 10
"""Tasks in each of many chains."""


def parents(shape: str, n: int) -> Parents:
    """The upstream tasks of each of n tasks, in an order in which they can run.

    Args:
        shape: ``fan`` (a root and n - 1 children), ``chain``, ``chains`` (of ten tasks each), ``apart`` (no task after
            another), or ``lattice`` (layers about as many as they are wide, each task after two of the layer before).
        n: number of tasks, at least 1.
    """
    if shape == "fan":
        return [(), *[(0,)] * (n - 1)]
    if shape == "chain":
        return [(), *[(i,) for i in range(n - 1)]]
    if shape == "chains":
        return [(i - 1,) if i % LINKS else () for i in range(n)]
    if shape == "apart":
        return [()] * n
    width = isqrt(n)
    return [_two_above(i, width) for i in range(n)]


def _two_above(i: int, width: int) -> tuple[int, ...]:
    layer, place = divmod(i, width)
    above = (layer - 1) * width
    return (above + place, above + (place + 1) % width) if layer else ()


def layer_sizes(shape: str, n: int) -> list[int]:
    """How many tasks may run side by side, step by step."""
    if shape == "fan":
        return [1, n - 1]
    width = 1 if shape == "chain" else isqrt(n)
    return [min(width, n - start) for start in range(0, n, width)]


def leaves(graph: Parents) -> list[int]:
    """The tasks that no other task waits for."""
    awaited = {i for upstream in graph for i in upstream}
    return [i for i in range(len(graph)) if i not in awaited]
