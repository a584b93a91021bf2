"""What a page is told of a flow, once: the picture without states, and what there is to know of each task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.views.diagram import Diagram, Node

ACTIONS = ("cancel", "retry_failed", "run_from", "run_with_needs", "run_only")
"""What can be asked for on the picture."""
LATE_S = 2.0
"""After so long a page is told of a small flow without its picture, which moves everything when it comes."""
BEING_LAID_OUT = "The picture is being laid out…"
"""Why it is without."""
CANCELLED = "Cancelled by a click on its picture."


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is known of a flow's tasks besides their names and edges; tasks by number.

    Attributes:
        tags: {task: its tags}.
        headings: {task: the heading that it stands below}.
        median_s: {task: how long it took in earlier runs, in seconds}.
        stale: {task: why it is stale}.
        why: {(task that is waited for, task that waits): why}.
    """

    tags: Mapping[int, Sequence[str]] = field(default_factory=dict)
    headings: Mapping[int, str] = field(default_factory=dict)
    median_s: Mapping[int, float] = field(default_factory=dict)
    stale: Mapping[int, str] = field(default_factory=dict)
    why: Mapping[tuple[int, int], str] = field(default_factory=dict)


def flow_message(
    diagram: Diagram,
    svg: str | None,
    surroundings: Surroundings,
    *,
    picture_message: str | None = None,
) -> dict[str, Any]:
    """What a page is told of a flow.

    Args:
        diagram: of the flow.
        svg: its picture, in which no node has a state; None: there is none.
        surroundings: what else is known.
        picture_message: why there is no picture.
    """
    nodes = [_node(one, surroundings) for one in diagram.nodes]
    nodes += [{"id": None, "task": task, "name": diagram.names[task]} for task in sorted(diagram.hidden)]
    edges = []
    for arrow in diagram.arrows:
        start, end = diagram.nodes[arrow.start].task, diagram.nodes[arrow.end].task
        edge: dict[str, Any] = {"id": diagram.id_of(arrow), "from": start, "to": end}
        if arrow.label:
            edge["key"] = arrow.label
        if (start, end) in surroundings.why:
            edge["why"] = surroundings.why[start, end]
        edges.append(edge)
    message: dict[str, Any] = {"type": "flow", "name": diagram.name, "svg": svg, "nodes": nodes, "edges": edges}
    if picture_message:
        message["picture_message"] = picture_message
    if surroundings.headings or surroundings.tags:
        message["groups"] = _groups(surroundings)
    if surroundings.median_s:
        message["estimate"] = {str(task): {"median_s": median} for task, median in surroundings.median_s.items()}
    if surroundings.stale:
        message["stale"] = [{"task": task, "why": why} for task, why in surroundings.stale.items()]
    return message


def _node(node: Node, surroundings: Surroundings) -> dict[str, Any]:
    """One node; what is as for most tasks is left out."""
    told: dict[str, Any] = {"id": node.id, "task": node.task, "name": node.name}
    if node.kind != "task":
        told["kind"] = node.kind
    if node.kind == "mapped":
        told["mapped"] = True
    if node.child != UNMAPPED:
        told["index"] = node.child
    if node.task in surroundings.headings:
        told["group"] = surroundings.headings[node.task]
    if surroundings.tags.get(node.task):
        told["tags"] = list(surroundings.tags[node.task])
    return told


def _groups(surroundings: Surroundings) -> list[dict[str, Any]]:
    headings: dict[str, list[int]] = {}
    for task, heading in surroundings.headings.items():
        headings.setdefault(heading, []).append(task)
    tags: dict[str, list[int]] = {}
    for task, found in surroundings.tags.items():
        for tag in found:
            tags.setdefault(tag, []).append(task)
    return [{"name": name, "kind": "heading", "tasks": tasks} for name, tasks in headings.items()] + [
        {"name": name, "kind": "tag", "tasks": tasks} for name, tasks in tags.items()
    ]
