"""Who is meant: a task that was called once stands for its call, and a name stands for the task that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.edge import Edge
from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task


def settle(flow: Flow) -> list[str]:
    """Replace stand-ins and names by the tasks that they mean; what stays unclear is returned, as sentences.

    An original task that came into the flow only as an end of an edge means its one call. Without a call it means
    itself; with several it is unclear. What is unclear stays as it is, so that a later call may settle it.
    """
    problems = _settle_names(flow)
    for original in list(flow._stand_ins):
        calls = flow._calls.get(original)
        if not calls or original not in flow._into:
            continue
        if len(calls) == 1:
            _become(flow, original, calls[0])
        else:
            listed = ", ".join(repr(flow.slugs[call]) for call in calls)
            problems.append(
                f"Task {original.name!r} is used in a dependency, but it was called {len(calls)} times ({listed}). "
                "Keep the value of the call that you mean in a variable and use that."
            )
    return problems


def _become(flow: Flow, original: Task, call: Task) -> None:
    """Let the call have the original's edges and arguments, and the original go."""
    incoming = flow._into[original]
    outgoing = list(flow._outgoing()[original])
    given = flow.constants.pop(original, {})
    for edge in incoming:
        flow._insert(_moved(edge, upstream=edge.upstream_task, downstream=call))
    for edge in outgoing:
        after = call if edge.downstream_task is original else edge.downstream_task
        flow._into[edge.downstream_task].pop(edge, None)
        flow._insert(_moved(edge, upstream=call, downstream=after))
    for key, value in given.items():
        flow._set_constant(call, key, value)
    del flow._into[original]
    del flow._stand_ins[original]
    if flow._reference_tasks is not None:
        flow._reference_tasks = list(dict.fromkeys(call if t is original else t for t in flow._reference_tasks))
    flow._derived = None


def _moved(edge: Edge, *, upstream: Task, downstream: Task) -> Edge:
    # past Edge.__new__, which refuses an edge from a task to itself: validate() tells that one with all the others
    return tuple.__new__(Edge, (upstream, downstream, edge.key, edge.mapped, edge.flattened))


def _settle_names(flow: Flow) -> list[str]:
    problems: list[str] = []
    unsettled: list[tuple[Task | str, Task | str, bool]] = []
    for upstream, downstream, mapped in flow._named:
        found = []
        for end, other in ((upstream, downstream), (downstream, upstream)):
            task = end if not isinstance(end, str) else _by_name(flow, end, other, end is upstream, problems)
            found.append(task)
        above, below = found
        if above is None or below is None:
            unsettled.append((upstream, downstream, mapped))
        else:
            flow._connect(above, below, None, mapped)
    flow._named = unsettled
    return problems


def _by_name(flow: Flow, name: str, other: Task | str, is_upstream: bool, problems: list[str]) -> Task | None:
    candidates = [task for task in flow._into if name in {task.name, flow.slugs[task]} and not flow._calls.get(task)]
    if len(candidates) == 1:
        return candidates[0]
    who = other if isinstance(other, str) else other.name
    waits = f"Task {who!r} waits for {name!r}" if is_upstream else f"Task {name!r} was to wait for {who!r}"
    if candidates:
        listed = ", ".join(repr(flow.slugs[task]) for task in candidates)
        problems.append(f"{waits}, and several tasks have that name ({listed}). Use one of these slugs, or the task.")
    else:
        known = {task.name for task in flow._into}
        missing = "which is no task of this flow" if is_upstream else f"and {name!r} is no task of this flow"
        problems.append(f"{waits}, {missing}.{did_you_mean(name, known)}")
    return None
