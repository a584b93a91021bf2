"""The gates of blocks: what is made inside a ``case`` or with a resource waits for the task that opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task


def put_behind(flow: Flow, gate: Task, made: Iterable[Task], besides: frozenset[Task] = frozenset()) -> None:
    """Let those tasks of a block that wait for none of it wait for its gate.

    An original in the block may stand for a call outside of it, which is not the block's. If that call is known,
    the original counts as outside; if it is still to come, `settle` needs what is noted here.
    """
    inside = dict.fromkeys(task for task in made if task in flow._into and not is_elsewhere(flow, task))
    for task in inside:
        above = {edge.upstream_task for edge in flow._into[task]}
        if not above & besides and not any(flow._member(upstream) in inside for upstream in above):
            flow._connect(gate, task)
    behind: dict[Task, list[Task]] = {task: [] for task in inside if task in flow._stand_ins}
    for task in inside if behind else ():
        for original in dict.fromkeys(edge[0] for edge in flow._into[task] if edge[0] in behind):
            behind[original].append(task)
    for original, tasks in behind.items():
        flow._gated.setdefault(original, []).append((gate, tuple(tasks)))


def is_elsewhere(flow: Flow, task: Task) -> bool:
    """Whether a task in a block stands for a call outside of it."""
    return task in flow._stand_ins and (bool(flow._calls.get(task)) or any(task in one for one in flow._around))


def open_gates(flow: Flow, calls_of: Mapping[Task, Task]) -> None:
    """What stands for a call outside of a block leaves the block; what waits for it in there waits for the gate now."""
    left = list(calls_of)
    seen: set[tuple[Task, Task]] = set()
    while left:
        original = left.pop()
        into = flow._into[original]
        for gate, behind in flow._gated.get(original, ()):
            opened = [edge for edge in into if edge[0] is gate and edge[2] is None]
            if not opened or (original, gate) in seen:
                continue
            seen.add((original, gate))
            for task in (task for task in behind if task in flow._into):
                for edge in opened:
                    flow._insert(moved(edge, upstream=gate, downstream=task))
                if task in calls_of:  # it leaves the block as well
                    left.append(task)
            for edge in opened:
                del into[edge]
    for original in calls_of:
        flow._gated.pop(original, None)


def moved(edge: Edge, *, upstream: Task, downstream: Task) -> Edge:
    """The same edge between other tasks.

    Past ``Edge.__new__``, which refuses an edge from a task to itself: `validate` tells that one with all the others.
    """
    return tuple.__new__(Edge, (upstream, downstream, edge.key, edge.mapped, edge.flattened))
