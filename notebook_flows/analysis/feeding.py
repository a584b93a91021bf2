"""Which cell takes values from which: the edges along which a failure, and a change, spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis.connections import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from notebook_flows.analysis.connections import Connections


def feeding_pairs(connections: Connections) -> Iterator[tuple[str, str]]:
    """(upper, lower) where the lower cell needs what the upper one does; elsewhere only their order counts.

    A cell that changes an object waits for those that read it before: whether they go well is nothing to it. A cell
    that is no Python binds nothing: only those need it that read a name which it seems to bind, or nobody else does.
    """
    for edge in connections.dataflow:
        yield edge.upstream_key, edge.downstream_key
    for edge in connections.order:
        alone = connections.cells[edge.upstream_key].alone
        is_unseen = edge.kind is Reason.BARRIER and alone and alone != ("syntax",)
        if is_unseen or edge.kind is Reason.NEEDS:
            yield edge.upstream_key, edge.downstream_key


def feeders(connections: Connections) -> dict[str, list[str]]:
    """For each cell the cells above whose values, or effects, it takes; direct ones, each once, in document order."""
    found: dict[str, set[str]] = {key: set() for key in connections.cells}
    for upper, lower in feeding_pairs(connections):
        found[lower].add(upper)
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
