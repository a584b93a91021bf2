"""Why cells come after one another, in plain text: what each reads, binds and changes, its edges, and what is unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.views.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from notebook_flows.analysis import Connections, Edge, Links

MOST_NAMES = 30
LABEL_COLUMNS = 9
MOST_SHARES = 5


def explained(
    connections: Connections,
    names: Mapping[str, str],
    *,
    only: Collection[str] = (),
    order_from: str = "",
    labels: Mapping[str, str] | None = None,
) -> str:
    """All that the analysis knows of some cells, as text.

    Args:
        connections: of the notebook.
        names: {key: what people call the cell}; a key that is missing stands for itself.
        only: the keys of the cells that are asked about; none: all of them.
        order_from: where the order of the cells comes from, if that is worth telling.
        labels: {key: how a cell is told of in the lines of others}; its name unless given.
    """
    labels = names if labels is None else labels
    asked = [key for key in connections.cells if not only or key in only]
    parts = [f"Order of the cells: {order_from}."] if order_from else []
    parts += [_cell(connections, names, labels, key) for key in asked]
    parts.append(_summary(connections, asked))
    return "\n\n".join(filter(None, parts))


def _cell(connections: Connections, names: Mapping[str, str], labels: Mapping[str, str], key: str) -> str:
    links = connections.cells[key]
    head = printable(names.get(key, key)) + (" (task)" if key in connections.tasks else "")
    lines = [head]
    for label, text in (
        ("reads", _inputs(links, labels)),
        ("late", _listed(sorted(links.late))),
        ("binds", _outputs(links)),
        ("mutates", _listed(sorted(links.mutates))),
        ("deletes", _listed(sorted(links.deletes))),
        ("alone", "; ".join(links.alone)),
    ):
        if text:
            lines.append(_line(label, text))
    lines += [_line("shares", text) for text in _shares(connections, key)]
    lines += _edges(connections, labels, key)
    lines += [_line("unknown", printable(one.text)) for one in connections.unresolved if one.key == key]
    lines += [_line("unseen", printable(what)) for other, what in connections.unseen if other == key]
    if len(lines) == 1:
        lines.append(_line("", "reads nothing, binds nothing"))
    return "\n".join(lines)


def _line(label: str, text: str) -> str:
    return f"  {label:<{LABEL_COLUMNS}} {text}".rstrip()


def _inputs(links: Links, names: Mapping[str, str]) -> str:
    by_sources: dict[tuple[str, ...], list[str]] = {}
    for name, sources in sorted(links.inputs.items()):
        by_sources.setdefault(sources, []).append(name)
    parts = []
    for sources, found in by_sources.items():
        said = " or ".join(printable(names.get(key, key)) for key in sources)
        parts.append(f"{_listed(found)} (from {said})" if said else _listed(found))
    return "; ".join(parts)


def _outputs(links: Links) -> str:
    return _listed(f"{name} (perhaps)" if name in links.may_outputs else name for name in sorted(links.outputs))


def _shares(connections: Connections, key: str) -> list[str]:
    """Where a process would lose that a name is a part of an input, and a cell below changes it by that name.

    An input that gets one more name stays one object: it comes back by its name.
    """
    links, found = connections.cells[key], []
    if key not in connections.tasks:
        return []
    places = list(connections.cells)
    below = [connections.cells[other] for other in places[places.index(key) + 1 :]]
    for name, others in sorted(links.shares.items()):
        changing = [one for one in below if name in one.mutates and key in one.inputs.get(name, ())]
        found += [
            f"{name} may be a part of {other}, and is changed below: out of a process a part comes as a copy, and "
            f"{other} stays as it is"
            for other in (sorted(others - {name}) if changing else ())
        ]
    return found[:MOST_SHARES]


def _listed(parts: Iterable[str]) -> str:
    found = list(parts)
    more = [f"and {counted(len(found) - MOST_NAMES, 'more name')}"] if len(found) > MOST_NAMES else []
    return ", ".join([*found[:MOST_NAMES], *more])


def _edges(connections: Connections, names: Mapping[str, str], key: str) -> list[str]:
    """What the cell comes after, and why: all reasons for one cell below its name."""
    by_upstream: dict[str, list[Edge]] = {}
    for edge in dict.fromkeys((*connections.order, *connections.dataflow, *connections.late)):
        if edge.downstream_key == key:
            by_upstream.setdefault(edge.upstream_key, []).append(edge)
    places = {other: place for place, other in enumerate(connections.cells)}
    lines = []
    for upstream in sorted(by_upstream, key=lambda other: places.get(other, -1)):
        lines.append(_line("after", printable(names.get(upstream, upstream))))
        texts = dict.fromkeys(f"{edge.kind.value}: {printable(edge.text)}" for edge in by_upstream[upstream])
        lines += [_line("", f"  {text}") for text in texts]
    return lines


def _summary(connections: Connections, asked: Sequence[str]) -> str:
    """What cannot be seen, and what is missing, counted."""
    chosen = set(asked)
    unseen = [key for key, _ in connections.unseen if key in chosen]
    missing = [one for one in connections.unresolved if one.key in chosen]
    parts = [f"{counted(len(asked), 'cell')}"]
    if connections.tasks & chosen:
        parts.append(f"{counted(len(connections.tasks & chosen), 'task')} among them")
    parts.append(f"{counted(len(missing), 'name')} that no cell above binds" if missing else "no name is missing")
    if unseen:
        parts.append(f"{counted(len(dict.fromkeys(unseen)), 'cell')} that cannot be seen through in part")
    return "; ".join(parts) + "."
