"""One flow taken over into another, and one task put in another's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import building
from notebook_flows.core.edge import Edge
from notebook_flows.core.giving import as_task
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.core.standins import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.mapping import EdgeAnnotation
    from notebook_flows.core.task import Task


def take_over(into: Flow, other: Flow, *, merge_parameters: bool, merge_reference_tasks: bool) -> None:
    """Take over another flow's tasks, edges and constants; see `Flow.update`."""
    same: dict[Task, Task] = {}
    if merge_parameters:
        mine = {p.name: p for p in into.parameters()}
        same = {p: mine[p.name] for p in other.parameters() if p.name in mine}
    references = list(into.reference_tasks()) if merge_reference_tasks else None
    other = other.copy()
    settle(other)
    for task in other._into:
        if task in same:
            continue
        if task not in other._stand_ins:
            into.add_task(task)
        elif task not in into._into:
            into._add(task)
            into._stand_ins[task] = None
    for edge in other.edges:
        ends = (
            same.get(edge.upstream_task, edge.upstream_task),
            same.get(edge.downstream_task, edge.downstream_task),
        )
        into._insert(Edge(*ends, edge.key, edge.mapped, edge.flattened))
    for task, given in other.constants.items():
        for key, value in given.items():
            into._set_constant(task, key, value)
    for origin, calls in other._calls.items():
        mine_too = into._calls.setdefault(origin, [])
        mine_too.extend(call for call in calls if call not in mine_too)
    take_over_unsettled(into, other, same)
    if references is not None:
        theirs = (same.get(task, task) for task in other.reference_tasks())
        into.set_reference_tasks(dict.fromkeys([*references, *theirs]))


def take_over_unsettled(flow: Flow, other: Flow, same: Mapping[Task, Task]) -> None:
    """Take over the names that another flow waits for, and what its blocks know of its stand-ins."""
    for upstream, downstream, mapped in other._named:
        above = upstream if isinstance(upstream, str) else same.get(upstream, upstream)
        below = downstream if isinstance(downstream, str) else same.get(downstream, downstream)
        flow._named.append((above, below, mapped))
    for original, gates in other._gated.items():
        flow._gated.setdefault(original, []).extend(gates)
    flow._derived = None


def take_over_mapped(flow: Flow, inner: Flow, given: Mapping[Task, EdgeAnnotation], twins: Mapping[Task, Task]) -> None:
    """Take over what a function made inside `apply_map`, mapped.

    Values of tasks from outside that the function did not get as arguments are mapped over too, as in Prefect 1,
    unless they are marked `unmapped`; parameters and constants stay whole, and so does what is only waited for.
    Twins stand for an argument that was given more than once, each with a mark of its own.
    """
    made = dict.fromkeys(
        task for task in inner._into if task not in given and task not in flow._into and task not in flow._calls
    )
    for task in made:
        flow._add(task)
        if task in inner._stand_ins:
            flow._stand_ins[task] = None
    steps = dict.fromkeys(task for task in made if not isinstance(task, (Constant, Parameter)))
    for task in steps:
        task.is_mapped = True
        above = list(inner._into[task])
        for edge in above:
            upstream = edge.upstream_task
            mark = given.get(upstream)
            if edge in (inner._whole or ()):
                is_mapped = False
            elif mark is not None:
                is_mapped = bool(mark.mapped)
            elif isinstance(upstream, (Constant, Parameter)):
                is_mapped = edge.mapped
            else:
                is_mapped = upstream in made or edge.key is not None
            flattened = edge.flattened or (mark is not None and mark.flattened)
            flow._insert(Edge(twins.get(upstream, upstream), task, edge.key, is_mapped, flattened))
        if not any(edge.upstream_task in steps for edge in above):
            used = {edge.upstream_task for edge in above}
            for argument, mark in given.items():
                if argument not in used:
                    flow._insert(Edge(twins.get(argument, argument), task, None, bool(mark.mapped), mark.flattened))
    for task, constants in inner.constants.items():
        for key, value in constants.items():
            flow._set_constant(task, key, value)
    for origin, calls in inner._calls.items():
        flow._calls.setdefault(origin, []).extend(calls)
    take_over_unsettled(flow, inner, twins)


def put_in_place(flow: Flow, old: Task, new: Any, *, validate: bool) -> None:
    """Put another task, or a constant, in the place of one, or change nothing; see `Flow.replace`."""
    settle(flow)
    changed = flow.copy()
    block = building.open_block.get()
    token = building.open_block.set(None)  # the block hears of what is new when it is certain
    try:
        _exchange(changed, changed._must_have(old), new)
        if validate:
            changed.validate()
    finally:
        building.open_block.reset(token)
    fresh = [task for task in changed._into if task not in flow._into]
    flow._become(changed)
    for task in fresh:
        if block is not None and task._joins_blocks:
            block.add_task(task, flow)


def _exchange(flow: Flow, old: Task, new: Any) -> None:
    fresh = as_task(flow, new)
    edges = [*flow.edges_to(old), *flow.edges_from(old)]
    place = list(flow._into).index(old)
    for edge in edges:
        flow._into[edge.downstream_task].pop(edge, None)
    del flow._into[old]
    flow._slug_owner.pop(old.slug or "", None)
    if fresh not in flow._into:
        flow._add(fresh)
    for edge in edges:
        upstream = fresh if edge.upstream_task is old else edge.upstream_task
        downstream = fresh if edge.downstream_task is old else edge.downstream_task
        flow._insert(Edge(upstream, downstream, edge.key, edge.mapped, edge.flattened))
    if old in flow.constants:
        flow.constants[fresh] = {**flow.constants.pop(old), **flow.constants.get(fresh, {})}
    order = [task for task in flow._into if task is not fresh]
    order.insert(place, fresh)
    flow._into = {task: flow._into[task] for task in order}
    if flow._reference_tasks is not None:
        flow._reference_tasks = [fresh if task is old else task for task in flow._reference_tasks]
    if old._origin in flow._calls:
        calls = flow._calls[old._origin]
        calls[:] = dict.fromkeys(fresh if call is old else call for call in calls)
    flow._derived = None
