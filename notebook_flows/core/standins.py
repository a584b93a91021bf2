"""Who is meant: a task that was called once stands for its call, and a name stands for the task that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core import building
from notebook_flows.core.gates import moved, open_gates
from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task


def settle(flow: Flow) -> list[str]:
    """Replace stand-ins and names by the tasks that they mean; what stays unclear is returned, as sentences.

    An original task that came into the flow only as an end of an edge means its one call. Without a call it means
    itself; with several it is unclear. What is unclear stays as it is, so that a later call may settle it.

    Cost: O(tasks + edges) if there is anything to settle, else O(1). Two threads that run a flow for the first time at
    once may both settle it: each works on a copy, and what it puts in place, at once, is the same.
    """
    if not flow._stand_ins and not flow._named:
        return []
    settled = flow.copy()
    block = building.open_block.set(None)  # what is settled was named outside of the block that may be open now
    try:
        problems = _settle_names(settled)
    finally:
        building.open_block.reset(block)
    calls_of = {}
    for original in settled._stand_ins:
        calls = settled._calls.get(original)
        if not calls or original not in settled._into:
            continue
        if len(calls) == 1:
            calls_of[original] = calls[0]
        else:
            listed = ", ".join(repr(flow.slugs[call]) for call in calls)
            problems.append(
                f"Task {original.name!r} is used in a dependency, but it was called {len(calls)} times ({listed}). "
                "Keep the value of the call that you mean in a variable and use that."
            )
    if calls_of:
        _replace_by_calls(settled, calls_of)
    if calls_of or len(settled._named) < len(flow._named):
        settled._derived = None
        flow._become(settled)
    return problems


def _replace_by_calls(flow: Flow, calls_of: Mapping[Task, Task]) -> None:
    """Let each call have its original's edges and arguments, and the originals go."""
    open_gates(flow, calls_of)
    into = flow._into
    for task, edges in into.items():
        if any(edge[0] in calls_of for edge in edges):
            into[task] = dict.fromkeys(
                moved(edge, upstream=calls_of.get(edge[0], edge[0]), downstream=task) for edge in edges
            )
    for original, call in calls_of.items():
        incoming = into.pop(original)
        into.setdefault(call, {}).update(
            dict.fromkeys(moved(edge, upstream=edge[0], downstream=call) for edge in incoming)
        )
        for key, value in flow.constants.pop(original, {}).items():
            flow._set_constant(call, key, value)
        del flow._stand_ins[original]
    if flow._reference_tasks is not None:
        flow._reference_tasks = list(dict.fromkeys(calls_of.get(task, task) for task in flow._reference_tasks))


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
