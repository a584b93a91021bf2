"""Which cells of a notebook are to run, when not all of them are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from notebook_flows.analysis import Reason
from notebook_flows.notebook.dataflow import dataflow_in, running_cells

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nbformat import NotebookNode

    from notebook_flows.analysis import Connections
    from notebook_flows.notebook.document import Document

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

    def ids_in(self, notebook: NotebookNode, path: object) -> frozenset[str]:
        """The ids of the wanted cells; numbers are those of the notebook as it stands, before values are injected.

        Raises:
            NotebookError: there is no such cell, or several have the name, or the notebook is not in Python.
        """
        flow = dataflow_in(notebook, str(path))
        ids = [str(cell.id) for cell in running_cells(notebook)]
        keys = list(flow.names)
        wanted = {ids[keys.index(flow.key_of(name))] for name in self.only}
        if self.first:
            wanted.update(ids[keys.index(flow.key_of(self.first)) :])
        return frozenset(wanted)


def places_for(document: Document, ids: Collection[str]) -> frozenset[int]:
    """The places, among all cells, of these cells and of all that they need."""
    flow = dataflow_in(document.notebook, document.input_path)
    cells = running_cells(document.notebook)
    wanted = {key for key, cell in zip(flow.names, cells, strict=True) if cell.id in ids}
    needed = with_what_they_need(flow.connections, wanted)
    return frozenset(place for key, place in zip(flow.names, document.nodes, strict=True) if key in needed)


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
