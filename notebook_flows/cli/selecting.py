"""``--from`` and ``--only`` for flows: which tasks do not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.state import Skipped
from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.core.task import Task

NOT_CHOSEN = "Not chosen for this run."


class SelectionError(FlowError, ValueError):
    """A task that a flow does not have, or one of several with its name."""


def left_out(flow: Flow, first: str, only: Sequence[str]) -> dict[Task, State]:
    """The tasks that are not to run, as skipped: what is neither chosen nor needed by what is.

    Args:
        flow: whose tasks these are.
        first: this task, and all that come after it; empty: not asked for.
        only: just these tasks.

    Raises:
        SelectionError: there is no such task, or several have the name.
    """
    if not first and not only:
        return {}
    below: dict[Task, list[Task]] = {}
    above: dict[Task, list[Task]] = {}
    for edge in flow.edges:
        below.setdefault(edge.upstream_task, []).append(edge.downstream_task)
        above.setdefault(edge.downstream_task, []).append(edge.upstream_task)
    chosen = {_named(flow, name) for name in only}
    if first:
        chosen |= _reached([_named(flow, first)], below)
    chosen = _reached(chosen, above)
    return {task: Skipped(NOT_CHOSEN) for task in flow.tasks if task not in chosen}


def _reached(start: Iterable[Task], steps: Mapping[Task, Sequence[Task]]) -> set[Task]:
    found = set(start)
    waiting = list(found)
    while waiting:
        for other in steps.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _named(flow: Flow, name: str) -> Task:
    slugs = flow.slugs
    is_meant: Callable[[Task], bool]
    for is_meant in (lambda task: slugs.get(task) == name, lambda task: task.name == name):
        found = [task for task in flow.tasks if is_meant(task)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(sorted(slugs[task] for task in found))
            raise SelectionError(f"Flow {flow.name!r} has {len(found)} tasks named {name!r}. Name one: {listed}.")
    likely = did_you_mean(name, [task.name for task in flow.tasks])
    raise SelectionError(f"Flow {flow.name!r} has no task {name!r}.{likely}")
