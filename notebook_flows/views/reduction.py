"""Which arrows a picture can do without: those that only tell an order that others tell already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.graph import Input

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MOST_TASKS = 2_000
"""Larger graphs stay as they are: it takes time with the square of their size, and no page shows them."""


def without_implied(inputs: Sequence[Sequence[Input]]) -> list[list[Input]]:
    """The same tasks, each without the order-only edges that a longer way implies; edges that carry a value stay.

    Args:
        inputs: of each of n tasks, its edges.
    Cost:
        O(edges x n / 64) steps; above `MOST_TASKS` tasks, or with a cycle, nothing is left out.
    """
    kept = [list(into) for into in inputs]
    order = _sorted(inputs)
    if order is None or len(inputs) > MOST_TASKS:
        return kept
    above = [0] * len(inputs)  # of each task, the set of all tasks that are before it, as bits
    place = {task: number for number, task in enumerate(order)}
    for task in order:
        direct = sorted({one.upstream for one in inputs[task]}, key=place.__getitem__, reverse=True)
        implied = 0
        for upstream in direct:  # the nearest first: what is before it needs no arrow of its own
            above[task] |= 1 << upstream | above[upstream]
            implied |= above[upstream]
        kept[task] = [
            one for one in inputs[task] if one.key is not None or one.is_mapped or not implied >> one.upstream & 1
        ]
    return kept


def without_tasks(inputs: Sequence[Sequence[Input]], hidden: Collection[int]) -> Sequence[Sequence[Input]]:
    """The same tasks, where some have no edges any more: what they waited for, those that waited for them wait for.

    Args:
        inputs: of each of n tasks, its edges.
        hidden: the numbers of these tasks.
    """
    order = _sorted(inputs)
    if not hidden or order is None:
        return inputs
    kept: list[list[Input]] = [[] for _ in inputs]
    for task in order:
        found: dict[Input, None] = {}
        for one in inputs[task]:
            through = kept[one.upstream] if one.upstream in hidden else [one]
            found.update({other if other is one else _order_only(other.upstream): None for other in through})
        kept[task] = list(found)
    return [[] if task in hidden else into for task, into in enumerate(kept)]


def _order_only(upstream: int) -> Input:
    return Input(upstream, None, False, False)


def _sorted(inputs: Sequence[Sequence[Input]]) -> list[int] | None:
    """The tasks, each after those that it waits for; None where there is a cycle."""
    waiting = [len({one.upstream for one in into}) for into in inputs]
    below: list[list[int]] = [[] for _ in inputs]
    for task, into in enumerate(inputs):
        for upstream in {one.upstream for one in into}:
            below[upstream].append(task)
    ready = [task for task, count in enumerate(waiting) if not count]
    for task in ready:
        for other in below[task]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ready if len(ready) == len(inputs) else None
