"""Which cells of a notebook are to run, when not all of them are wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notebook_flows.analysis import Cell, Reason, analyse, connect
from notebook_flows.errors import did_you_mean
from notebook_flows.notebook.cells import name_of
from notebook_flows.notebook.errors import NotebookError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.notebook.document import Document

_NUMBERED = re.compile(r"(?:cell[- ]?)?(?P<number>[0-9]+)", re.IGNORECASE)
_NEEDED = frozenset(Reason) - {Reason.REBINDING}
"""Reasons for which the cell above has to have run; that a later one binds a name anew is none."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The cells that are wanted, by name or as ``cell-N``.

    A kernel begins empty, so whatever these cells need runs too: the cells above whose values they read, and those
    that may have changed them.

    Attributes:
        first: this cell and all cells below it; empty: not asked for.
        only: just these cells.
    """

    first: str = ""
    only: Sequence[str] = ()

    def places_in(self, document: Document, path: object) -> frozenset[int]:
        """The places, among all cells, of those that are to run.

        Raises:
            NotebookError: there is no such cell, or several have the name.
        """
        numbers: set[int] = set()
        if self.first:
            numbers.update(range(_number_of(self.first, document, path), len(document.nodes) + 1))
        numbers.update(_number_of(name, document, path) for name in self.only)
        wanted = {f"cell-{number}" for number in numbers}
        keys = [f"cell-{number}" for number in range(1, len(document.nodes) + 1)]
        needed = with_what_they_need(connections_of(document), wanted)
        return frozenset(place for key, place in zip(keys, document.nodes, strict=True) if key in needed)


def connections_of(document: Document) -> Connections:
    """How the code cells of a notebook hang together; their keys are ``cell-1``, ``cell-2``, ..."""
    cells = [document.notebook.cells[place] for place in document.nodes]
    return connect(
        [
            Cell(key=f"cell-{number}", facts=analyse(cell.source), is_task=False, name=name_of(cell, number))
            for number, cell in enumerate(cells, 1)
        ]
    )


def with_what_they_need(connections: Connections, wanted: set[str]) -> set[str]:
    """These cells, and all that must have run before them."""
    above: dict[str, list[str]] = {}
    for edge in (*connections.dataflow, *connections.late, *connections.order):
        if edge.kind in _NEEDED:
            above.setdefault(edge.downstream_key, []).append(edge.upstream_key)
    found, waiting = set(wanted), list(wanted)
    while waiting:
        for key in above.get(waiting.pop(), ()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found


def _number_of(text: str, document: Document, path: object) -> int:
    """The number of the cell that a name means."""
    names = names_in(document)
    numbered = _NUMBERED.fullmatch(text.strip())
    if numbered and 1 <= int(numbered["number"]) <= len(names):
        return int(numbered["number"])
    found = [number for number, known in names.items() if text.strip() in known]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotebookError(
            path, f"has {len(found)} cells named {text!r}: {', '.join(f'cell-{one}' for one in found)}."
        )
    known_names = [name for known in names.values() for name in known]
    likely = did_you_mean(text, known_names)
    raise NotebookError(path, f"has no cell {text!r}.{likely} It has cell-1 to cell-{len(names)}.")


def names_in(document: Document) -> Mapping[int, tuple[str, ...]]:
    """{number of a cell: how people may call it}."""
    found = {}
    for number, place in enumerate(document.nodes, 1):
        name = name_of(document.notebook.cells[place], number)
        found[number] = (name, name.removeprefix(f"{number} "))
    return found
