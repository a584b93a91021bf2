"""What is wrong with a notebook that is to run from its top, found without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import Cell, CellFacts, analyse, connect
from notebook_flows.analysis.problems import may_raise, problems_of
from notebook_flows.analysis.taskcell import TaskCellError, name_of as name_of_task, task_cell
from notebook_flows.notebook.dataflow import running_cells
from notebook_flows.notebook.document import SKIP_TAG
from notebook_flows.notebook.parameters import is_python

if TYPE_CHECKING:
    from collections.abc import Collection

    from nbformat import NotebookNode


def problems_in(notebook: NotebookNode, declared: Collection[str] = ()) -> list[str]:
    """A sentence for each problem of its cells; none of a notebook in another language than Python.

    Args:
        notebook: whose cells are called by their task's name, else ``cell-N``.
        declared: names of parameters, which are there when it runs.
    """
    if not is_python(notebook):
        return []
    cells: list[Cell] = []
    mistakes: dict[str, str] = {}
    forgiven: set[str] = set()
    for number, node in enumerate(running_cells(notebook), 1):
        key = f"cell-{number}"
        tags = node.metadata.get("tags", ())
        try:
            found = task_cell(node.source, tags)
        except TaskCellError as error:
            mistakes[key], found = str(error), None
        if may_raise(node.source, tags):
            forgiven.add(key)
        cells.append(
            Cell(
                key=key,
                facts=CellFacts() if SKIP_TAG in tags else analyse(node.source),
                is_task=found is not None,
                name=key if found is None else name_of_task(found, number),
                needs=frozenset() if found is None else found.options.needs,
                reads=None if found is None else found.options.reads,
                writes=None if found is None else found.options.writes,
                pure=found is not None and found.options.pure,
            )
        )
    return problems_of(cells, connect(cells), mistakes=mistakes, held=declared, forgiven=forgiven)
