"""What a picture shows: nodes and arrows with their texts; neither where they are nor how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from notebook_flows.core.conditional import CompareValue, Merge
from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.graph import Input
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.core.plan import graph_from_json
from notebook_flows.core.standins import settle
from notebook_flows.views.reduction import without_implied, without_tasks
from notebook_flows.views.text import columns_of, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task

LONGEST_NAME = 40
LONGEST_KEYS = 30
MOST_CHILDREN = 16
"""A mapped task with more children is drawn as one node, with their counts."""
MANY_NODES = 300
"""With more nodes than this no children are drawn by themselves."""

Kind = Literal["task", "mapped", "parameter", "constant", "made"]


class Node(NamedTuple):
    """One node.

    Attributes:
        task: the number of its task.
        child: the child's number below a mapped task, or ``UNMAPPED``.
        label: its name, short enough to be drawn.
        name: its name.
        kind: what it stands for; "made" is made by notebook_flows, such as the list in ``total([a, b])``.
    """

    task: int
    child: int
    label: str
    name: str
    kind: Kind

    @property
    def id(self) -> str:
        """How pictures and the messages that change them name it: ``node-3``, or ``node-3-0`` for a child."""
        return f"node-{self.task}" + (f"-{self.child}" if self.child != UNMAPPED else "")


class Arrow(NamedTuple):
    """What one node waits for.

    Attributes:
        start: the node that is waited for, by its place among the nodes.
        end: the node that waits, by its place.
        label: the arguments that get the value.
        is_mapped: each child gets one element of it.
    """

    start: int
    end: int
    label: str
    is_mapped: bool


class Diagram(NamedTuple):
    """A whole picture's content.

    Attributes:
        name: the flow's.
        names: of its n tasks.
        upstream: of each task, the numbers of those that it waits for, once each.
        nodes: in the order of definition.
        arrows: at most one of each kind between two nodes.
        is_horizontal: it goes from left to right.
        hidden: the numbers of tasks that are not drawn; what they wait for, those below them wait for.
    """

    name: str
    names: Sequence[str]
    upstream: Sequence[Sequence[int]]
    nodes: Sequence[Node]
    arrows: Sequence[Arrow]
    is_horizontal: bool
    hidden: Collection[int] = ()

    def id_of(self, arrow: Arrow) -> str:
        """How pictures name an arrow: ``edge-node-3-node-4``, with ``-mapped`` at the end of a mapped one's."""
        return f"edge-{self.nodes[arrow.start].id}-{self.nodes[arrow.end].id}" + "-mapped" * arrow.is_mapped


def diagram_of(
    flow: Flow, widths: Mapping[int, int] | None = None, *, horizontal: bool = False, hidden: Collection[int] = ()
) -> Diagram:
    """A flow's diagram. The flow need not be valid: a picture may be what shows why.

    Args:
        flow: whose tasks are drawn.
        widths: {mapped task: how many children it has}; those with a few are drawn child by child.
        horizontal: from left to right.
        hidden: the numbers of tasks that are not drawn.
    """
    settle(flow)
    number_of = {task: number for number, task in enumerate(flow._into)}
    inputs = [
        [
            Input(number_of[edge.upstream_task], edge.key, edge.mapped, edge.flattened)
            for edge in edges
            if edge.upstream_task in number_of
        ]
        for edges in flow._into.values()
    ]
    kinds = [_kind_of(task, into) for task, into in zip(flow._into, inputs, strict=True)]
    return _drawn(flow.name, [task.name for task in flow._into], kinds, inputs, widths or {}, horizontal, hidden)


def diagram_from_json(
    name: str,
    known: Mapping[str, Any],
    widths: Mapping[int, int] | None = None,
    *,
    horizontal: bool = False,
    hidden: Collection[int] = (),
) -> Diagram:
    """The diagram of a recorded run, from the graph in its first event.

    Args:
        name: the flow's.
        known: what `core.plan.graph_as_json` has written.
        widths: {mapped task: how many children it has}.
        horizontal: from left to right.
        hidden: the numbers of tasks that are not drawn.
    """
    inputs = graph_from_json(known).inputs
    kinds: list[Kind] = ["mapped" if any(one.is_mapped for one in into) else "task" for into in inputs]
    return _drawn(name, known["names"], kinds, inputs, widths or {}, horizontal, hidden)


def _kind_of(task: Task, inputs: Iterable[Input]) -> Kind:
    if isinstance(task, Parameter):
        return "parameter"
    if isinstance(task, Constant):
        return "constant"
    if any(one.is_mapped for one in inputs):
        return "mapped"
    return "made" if task.auto_generated and not isinstance(task, (CompareValue, Merge)) else "task"


def _drawn(
    name: str,
    names: Sequence[str],
    kinds: Sequence[Kind],
    inputs: Sequence[Sequence[Input]],
    widths: Mapping[int, int],
    is_horizontal: bool,
    hidden: Collection[int],
) -> Diagram:
    hidden = hidden if len(hidden) < len(names) else ()  # else nothing were left
    inputs = without_implied(without_tasks(inputs, hidden))
    few = {task: width for task, width in widths.items() if kinds[task] == "mapped" and 0 < width <= MOST_CHILDREN}
    if len(names) + sum(few.values()) - len(few) > MANY_NODES:
        few = {}
    nodes: list[Node] = []
    places: list[range] = []  # of each task, where its nodes are among the nodes
    for task, kind in enumerate(kinds):
        first = len(nodes)
        children = () if task in hidden else range(few[task]) if task in few else (UNMAPPED,)
        nodes.extend(Node(task, child, _label(names[task], kind, child), names[task], kind) for child in children)
        places.append(range(first, len(nodes)))
    keys: dict[tuple[int, int, bool], list[str]] = {}  # several edges between two nodes are one arrow
    for task, into in enumerate(inputs):
        for one in into:
            side_by_side = one.is_mapped and not one.is_flattened and one.upstream in few and task in few
            for place, end in enumerate(places[task]):
                starts = places[one.upstream]
                for start in starts[place : place + 1] if side_by_side else starts:
                    labels = keys.setdefault((start, end, one.is_mapped), [])
                    if one.key is not None:
                        labels.append(one.key)
    arrows = [
        Arrow(start, end, shortened(printable(", ".join(labels)), LONGEST_KEYS), is_mapped)
        for (start, end, is_mapped), labels in keys.items()
    ]
    upstream = [list(dict.fromkeys(one.upstream for one in into)) for into in inputs]
    return Diagram(name, names, upstream, nodes, arrows, is_horizontal, hidden)


def _label(name: str, kind: Kind, child: int) -> str:
    label = shortened(printable(name), LONGEST_NAME)
    if not columns_of(label):
        label = "(no name)"
    if kind != "mapped":
        return label
    return f"{label} <map>" if child == UNMAPPED else f"{label} [{child}]"
