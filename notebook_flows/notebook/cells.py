"""A notebook as a flow: each code cell a task; without task cells, each waits for the one before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.flow import Flow
from notebook_flows.core.task import Task
from notebook_flows.notebook.parameters import INJECTED_TAG, TAG
from notebook_flows.notebook.turns import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbformat import NotebookNode

    from notebook_flows.notebook.document import Document

TASK_TAG = re.compile(r"task:\s*(?P<name>.+)")
LONGEST_NAME = 48
_OURS = re.compile(r"%(?:flow|nbflow)\b|%(?:re)?load_ext\s+notebook_flows\b")
_ASIDE = re.compile(rf"\d+ (?:{_OURS.pattern})")


class CellTask(Task):
    """A code cell; it runs in a kernel only.

    Attributes:
        place: of the cell, among all cells of the notebook.
        number: 1 for the first cell that runs.
        label: how messages call it.
        key: the cell's id.
        lane: where in the kernel it runs.
        is_task: it is a task cell.
    """

    def __init__(
        self,
        cell: NotebookNode,
        *,
        place: int,
        number: int,
        timeout_s: float | None,
        name: str | None = None,
        lane: Lane = Lane.ALONE,
        **options: Any,
    ) -> None:
        super().__init__(
            name=name or name_of(cell, number),
            slug=f"cell-{number}",
            timeout=timeout_s,
            skip_on_upstream_skip=False,
            state_handlers=[_not_run],
            **options,
        )
        self.place = place
        self.number = number
        self.label = f"Cell {number}"
        self.key = str(cell.get("id", ""))
        self.lane = lane
        self.is_task = lane is not Lane.ALONE

    def run(self) -> Any:
        """It cannot run without its kernel."""
        raise TypeError("A cell runs in the kernel of its notebook: use notebook_flows.run_notebook.")


def _not_run(task: Task, old: api.State, new: api.State) -> api.State:
    """A cell that has to stay away because one before it failed is not run: so notebooks call it."""
    return api.NotRun(message=new.message) if isinstance(new, api.TriggerFailed) else new


def flow_of(document: Document, name: str, *, timeout_s: float | None, cell_timeout_s: float | None) -> Flow:
    """The flow that runs a notebook's cells.

    Without task cells they run in document order, and stop at the first failure; with task cells see `taskflow`.

    Raises:
        NotebookError: a line ``%%task`` that cannot be understood.
    """
    if has_task_cells(document):
        from notebook_flows.notebook.taskflow import task_flow

        return task_flow(document, name, timeout_s=timeout_s, cell_timeout_s=cell_timeout_s)
    flow = Flow(name, timeout=timeout_s)
    before: CellTask | None = None
    for number, place in enumerate(document.nodes, 1):
        task = CellTask(document.notebook.cells[place], place=place, number=number, timeout_s=cell_timeout_s)
        flow.add_task(task)
        if before is not None:
            flow.add_edge(before, task)
        before = task
    return flow


def has_task_cells(document: Document) -> bool:
    """Whether any cell is a task. Cheap: most notebooks have none, and nothing of the analysis is loaded for them."""
    cells = [document.notebook.cells[place] for place in document.nodes]
    if not any("%%task" in cell.source or any(tag.startswith("task") for tag in cell.metadata.tags) for cell in cells):
        return False
    from notebook_flows.analysis.taskcell import TaskCellError, task_cell
    from notebook_flows.notebook.parameters import is_python

    if not is_python(document.notebook):
        return False
    try:
        return any(task_cell(cell.source, cell.metadata.tags) is not None for cell in cells)
    except TaskCellError:
        return True  # told where the flow is made, together with the others


def asides(names: Sequence[str]) -> frozenset[int]:
    """Which cells only load the extension or ask it for something, by their names; pictures leave them out.

    >>> sorted(asides(["1 %load_ext notebook_flows", "2 Load", "3 %flow run"]))
    [0, 2]
    """
    return frozenset(number for number, name in enumerate(names) if _ASIDE.match(name))


def name_of(cell: NotebookNode, number: int) -> str:
    """What people read: see `plain_name`."""
    return plain_name(cell.source, cell.metadata.get("tags", ()), number)


def plain_name(source: str, tags: Iterable[str], number: int) -> str:
    r"""The name that a tag gives, else the first comment, else the first line of code that is not for us alone.

    >>> plain_name("# Load the data\ndf = load()", (), 3)
    '3 Load the data'
    """
    for tag in tags:
        found = TASK_TAG.fullmatch(tag)
        if found:
            return found["name"].strip()
        if tag in {TAG, INJECTED_TAG}:
            return f"{number} {tag}"
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    comment = next((line.lstrip("#% ").strip() for line in lines[:1] if line.startswith("#")), "")
    written = [line for line in lines if not line.startswith("#")]
    code = next((line for line in written if not _OURS.match(line)), next(iter(written), ""))
    text = comment or code or "cell"
    return f"{number} {text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + '...'}"
