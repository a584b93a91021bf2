"""How the code cells of a notebook hang together, whether it has tasks or not, for those who draw and explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.analysis.taskcell import TaskCell, TaskCellError, name_of as name_of_task, task_cell
from notebook_flows.core.flow import Flow
from notebook_flows.core.task import Task
from notebook_flows.errors import did_you_mean
from notebook_flows.notebook.cells import asides, name_of
from notebook_flows.notebook.errors import NotebookError
from notebook_flows.notebook.parameters import is_python
from notebook_flows.notebook.reading import read_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbformat import NotebookNode

    from notebook_flows.analysis import Connections


MOST_LISTED = 30


class NoDataflow(NotebookError):  # noqa: N818 - the sentence that people read
    """The notebook is in a language that we cannot read."""


@dataclass(frozen=True, kw_only=True)
class Dataflow:
    """A notebook's cells, connected.

    Attributes:
        path: of the notebook.
        names: {key: what people call the cell}; the keys are ``cell-1``, ``cell-2``, ... in document order.
    """

    path: str
    names: Mapping[str, str]
    connections: Connections

    def key_of(self, text: str) -> str:
        """The cell that a name, ``cell-N`` or ``N`` means.

        Raises:
            NotebookError: none, or several.
        """
        word = text.strip()
        for key in (word, f"cell-{word}"):
            if key in self.names:
                return key
        found = [key for key, name in self.names.items() if word in {name, _bare(name)}]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotebookError(self.path, f"has {len(found)} cells named {text!r}: {', '.join(found)}.")
        likely = did_you_mean(text, [one for name in self.names.values() for one in (name, _bare(name))])
        listed = [f"{key} ({_bare(name)})" for key, name in self.names.items()]
        more = f" and {len(listed) - MOST_LISTED} more" if len(listed) > MOST_LISTED else ""
        raise NotebookError(
            self.path, f"has no cell {text!r}.{likely} Its cells: {', '.join(listed[:MOST_LISTED])}{more}."
        )

    def headings(self) -> dict[str, str]:
        """{key: the key and the name}, as each cell is headed where it is explained."""
        return {key: f"{key}: {_bare(name)}" for key, name in self.names.items()}

    def as_flow(self, name: str) -> Flow:
        """The dataflow as a flow that can be drawn; cells that only pass others' values on have no arrow of their own.

        An arrow is left out where others lead there as well: what is drawn is what follows directly. Cells that only
        ask us for something are left out.
        """
        flow = Flow(name)
        tasks = {key: _Drawn(name=one, slug=key) for key, one in self.names.items()}
        aside = asides(list(self.names.values()))
        drawn = [key for number, key in enumerate(self.names) if number not in aside] or list(self.names)
        for key in drawn:
            flow.add_task(tasks[key])
        arrows = {
            (edge.upstream_key, edge.downstream_key)
            for edge in self.connections.dataflow
            if edge.upstream_key in drawn and edge.downstream_key in drawn
        }
        for upstream, downstream in reduced(drawn, arrows):
            flow.add_edge(tasks[upstream], tasks[downstream])
        return flow


class _Drawn(Task):
    """A cell in a picture."""

    def run(self) -> Any:
        """It only stands for a cell."""
        raise TypeError("This flow is a picture of a notebook. To run it: notebook-flows run NOTEBOOK.ipynb")


def _bare(name: str) -> str:
    """The name without the number before it."""
    number, blank, rest = name.partition(" ")
    return rest if blank and number.isdigit() else name


def dataflow_of(path: str | Path) -> Dataflow:
    """The dataflow of the notebook in a file.

    Raises:
        NotebookError: it cannot be read, or is not in Python.
    """
    return dataflow_in(read_notebook(path), str(path))


def running_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that run: code cells that are not blank."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def dataflow_in(notebook: NotebookNode, path: str) -> Dataflow:
    """The dataflow of a notebook that was read.

    Raises:
        NoDataflow: it is not in Python.
    """
    if not is_python(notebook):
        raise NoDataflow(path, "is not in Python, the one language whose cells can be looked into.")
    names: dict[str, str] = {}
    cells = []
    for number, cell in enumerate(running_cells(notebook), 1):
        try:
            found = task_cell(cell.source, cell.metadata.tags)
        except TaskCellError as error:
            raise NotebookError(path, f"has a cell {number} that cannot be understood: {error}") from None
        key = f"cell-{number}"
        names[key] = name_of(cell, number) if found is None else f"{number} {name_of_task(found, number)}"
        cells.append(_cell(key, names[key], cell.source, found))
    return Dataflow(path=path, names=names, connections=connect(cells))


def _cell(key: str, name: str, source: str, found: TaskCell | None) -> Cell:
    facts = analyse(source)
    if found is None:
        return Cell(key=key, facts=facts, is_task=False, name=key)
    return Cell(
        key=key,
        facts=facts,
        is_task=True,
        name=_bare(name),
        needs=found.options.needs,
        reads=found.options.reads,
        writes=found.options.writes,
        pure=found.options.pure,
    )


def reduced(order: list[str], arrows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows of a graph without those that a longer way makes superfluous.

    Args:
        order: of the n nodes; every arrow goes from an earlier to a later one, others are left out.
        arrows: of the graph.
    """
    place = {key: number for number, key in enumerate(order)}
    into: list[list[int]] = [[] for _ in order]
    for start, end in set(arrows):
        if place[start] < place[end]:
            into[place[end]].append(place[start])
    reach: list[int] = []  # of each node, the set of those before it, as bits
    kept = []
    for number, starts in enumerate(into):
        seen = 0
        for above in sorted(starts, reverse=True):
            if not seen >> above & 1:
                kept.append((order[above], order[number]))
            seen |= reach[above] | 1 << above
        reach.append(seen)
    return kept
