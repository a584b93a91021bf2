"""What is wrong with a notebook that is to run from its top, found without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import Cell, CellFacts, analyse, connect
from notebook_flows.analysis.problems import may_raise, problems_of
from notebook_flows.analysis.taskcell import TaskCellError, name_of as name_of_task, task_cell
from notebook_flows.notebook.dataflow import running_cells
from notebook_flows.notebook.document import SKIP_TAG
from notebook_flows.notebook.errors import NotebookError, NotebookParameterError
from notebook_flows.notebook.parameters import declared_in, given_values, is_python

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

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


def problems_error(path: object, problems: Sequence[object]) -> NotebookError:
    """The error that tells all problems of a notebook."""
    listed = "\n".join(f"  {one}" for one in problems)
    count = len(problems)
    return NotebookError(path, f"has {count} {'problem' if count == 1 else 'problems'}:\n{listed}")


def checked_values(notebook: NotebookNode, given: Mapping[str, Any], path: object) -> dict[str, Any]:
    """The values for a run, if it can run: see `given_values`.

    Where a task cell keeps the notebook from running, all else that is wrong with it is told as well, as `validate` does.

    Raises:
        NotebookParameterError: parameters do not fit.
        NotebookError: a task line cannot be understood, or a task waits for one that is not there.
    """
    if tasks_can_run(notebook):
        return given_values(notebook, given, path)
    problems: list[object] = []
    declared: list[str] = []
    try:
        declared = [one.name for one in declared_in(notebook, path)]
        given_values(notebook, given, path)
    except NotebookParameterError as error:
        problems += error.problems
    raise problems_error(path, [*problems, *problems_in(notebook, declared)])


def tasks_can_run(notebook: NotebookNode) -> bool:
    """Whether all task lines can be understood, and the tasks that they wait for are there. Cheap where none is."""
    if not is_python(notebook):
        return True
    above: set[str] = set()
    for number, node in enumerate(running_cells(notebook), 1):
        tags = node.metadata.get("tags", ())
        if "%%task" not in node.source and not any(tag.startswith("task") for tag in tags):
            continue
        try:
            found = task_cell(node.source, tags)
        except TaskCellError:
            return False
        if found is not None:
            if found.options.needs - above:
                return False
            above.add(name_of_task(found, number))
    return True
