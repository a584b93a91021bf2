"""Which cell takes values from which: the edges along which a failure, and a change, spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from notebook_flows.analysis import Connections, Edge

_ALWAYS = frozenset({Reason.DATA, Reason.LATE, Reason.MAY, Reason.NEEDS})


def feeds(connections: Connections, edge: Edge) -> bool:
    """Whether the lower cell needs what the upper one does; else only their order counts.

    A cell that changes an object waits for those that read it before: whether they go well is nothing to it.
    """
    if edge.kind in _ALWAYS:
        return True
    upper = connections.cells[edge.upstream_key]
    if edge.kind is Reason.MUTATION:
        return edge.name in upper.mutates or not edge.name
    return edge.kind is Reason.BARRIER and bool(upper.alone)


def feeders(connections: Connections) -> dict[str, list[str]]:
    """For each cell the cells above whose values, or effects, the cell takes; direct ones, each once, in document order."""
    found: dict[str, dict[str, None]] = {key: {} for key in connections.cells}
    for edge in (*connections.dataflow, *connections.late, *connections.order):
        if feeds(connections, edge):
            found[edge.downstream_key][edge.upstream_key] = None
    place = {key: number for number, key in enumerate(connections.cells)}
    return {key: sorted(above, key=place.__getitem__) for key, above in found.items()}


def fed_by(above: Mapping[str, Sequence[str]], first: Iterable[str]) -> set[str]:
    """The given cells, and all that take values from them, by any way.

    ``above`` is what `feeders` gives.
    """
    found = set(first)
    for key, others in above.items():  # in document order: whoever takes comes after whoever gives
        if not found.isdisjoint(others):
            found.add(key)
    return found
