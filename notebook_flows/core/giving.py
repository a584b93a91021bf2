"""What becomes of the values that a task is given: constants, edges from other tasks, tasks that gather collections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from notebook_flows.core.collect import ATOMS, gatherer, holders, holds_task, refuse_iterator
from notebook_flows.core.edge import Edge
from notebook_flows.core.mapping import EdgeAnnotation, check_elements, edge_from
from notebook_flows.core.parameter import Constant
from notebook_flows.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.core.flow import Flow


def give(flow: Flow, task: Task, key: str, value: Any, mapped: bool) -> None:
    """Let a task have a value, or another task's, as an argument."""
    if isinstance(value, Task):
        if value is task:
            Edge(value, task, key)  # raises: an edge to itself
        flow._insert(tuple.__new__(Edge, (value, task, key, mapped, False)))
        return
    kind = type(value)
    if kind in ATOMS and not mapped:
        flow._set_constant(task, key, value)
        return
    is_marked = isinstance(value, EdgeAnnotation)
    inner = value.value if is_marked else value
    is_mapped = mapped if not is_marked or value.mapped is None else value.mapped
    is_flattened = is_marked and value.flattened
    if holds_task(inner):
        upstream = as_task(flow, inner, task.name)
    elif is_mapped or is_flattened:
        check_elements(inner, task.name, is_mapped)
        upstream = Constant(inner)
    else:
        refuse_iterator(inner, task.name, flow.name)
        flow._set_constant(task, key, inner)
        return
    edge = Edge(upstream, task, key, is_mapped, is_flattened)
    flow._insert(edge)
    if is_marked and value.mapped is False and flow._whole is not None:
        flow._whole.add(edge)


def as_task(flow: Flow, value: Any, asked_by: str = "List") -> Task:
    """The task that gives this value: itself, one that gathers a collection of tasks, or a constant.

    Raises:
        TaskCallError: a collection that cannot be gathered; it names the task that asked.
    """
    if isinstance(value, EdgeAnnotation):
        value = value.value
    if isinstance(value, Task):
        return value
    return gathered(flow, value, asked_by) if holds_task(value) else Constant(value)


def gathered(flow: Flow, value: Any, asked_by: str) -> Task:
    """The task that gathers a collection; those for the collections in it are added too, without recursion."""
    holding = holders(value, asked_by, flow.name)
    made: dict[int, Task] = {}
    alive: list[Any] = []  # what was made here must live as long as its id counts
    path: list[tuple[Task, Iterator[tuple[str, Any]]]] = []

    def enter(collection: Any) -> Task:
        gather, arguments = gatherer(collection, asked_by, flow.name)
        if not {"keys", "values", "value"}.isdisjoint(arguments):
            alive.append(arguments)
            for one in arguments.values():
                inside = one if type(one) is list else [*one, *one.values()]
                if any(isinstance(part, Task) or id(part) in holding for part in inside):
                    holding.add(id(one))
        flow._add(gather)
        made[id(collection)] = gather
        path.append((gather, iter(arguments.items())))
        return gather

    first = enter(value)
    while path:
        gather, arguments = path[-1]
        for key, part in arguments:
            if id(part) not in holding:
                give(flow, gather, key, part, False)
                continue
            is_new = id(part) not in made
            upstream = enter(part) if is_new else made[id(part)]
            flow._connect(upstream, gather, key)
            if is_new:
                break
        else:
            path.pop()
    return first


def wait_for_all(flow: Flow, task: Task | str, upstream_tasks: Iterable[Any], mapped: bool) -> None:
    """Let a task wait for others: tasks, names, or values that hold tasks; of a mapped one, marked as they are."""
    must_be_list(upstream_tasks, "Upstream")
    for upstream in upstream_tasks:
        if isinstance(upstream, str) or isinstance(task, str):
            flow._named.append((upstream, task, mapped))
            flow._derived = None
            continue
        mark = upstream if isinstance(upstream, EdgeAnnotation) else EdgeAnnotation(upstream)
        if mapped and not isinstance(mark.value, Task) and not holds_task(mark.value):
            check_elements(mark.value, task.name, mark.mapped is not False)
        edge = edge_from(mark, as_task(flow, mark.value, task.name), task, None, mapped)
        flow._insert(edge)
        if mark.mapped is False and flow._whole is not None:
            flow._whole.add(edge)


def must_be_list(tasks: Any, which: str) -> None:
    """Refuse what is no list of tasks, such as a single one.

    Raises:
        TypeError: it is none.
    """
    if isinstance(tasks, (str, Task)) or not isinstance(tasks, Iterable):
        raise TypeError(f"{which} tasks are given as a list: [{tasks!r}].")
