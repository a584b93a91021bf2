"""A notebook as a flow: each code cell a task, each waiting for the one before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from notebook_flows.core.flow import Flow
from notebook_flows.core.task import Task
from notebook_flows.notebook.parameters import INJECTED_TAG, TAG

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from notebook_flows.notebook.document import Document

TASK_TAG = re.compile(r"task:\s*(?P<name>.+)")
LONGEST_NAME = 48


class CellTask(Task):
    """A code cell; it runs in a kernel only.

    Attributes:
        place: of the cell, among all cells of the notebook.
        number: 1 for the first cell that runs.
        label: how messages call it.
    """

    def __init__(self, cell: NotebookNode, *, place: int, number: int, timeout_s: float | None) -> None:
        super().__init__(
            name=name_of(cell, number), slug=f"cell-{number}", timeout=timeout_s, skip_on_upstream_skip=False
        )
        self.place = place
        self.number = number
        self.label = f"Cell {number}"

    def run(self) -> Any:
        """It cannot run without its kernel."""
        raise TypeError("A cell runs in the kernel of its notebook: use notebook_flows.run_notebook.")


def flow_of(document: Document, name: str, *, timeout_s: float | None, cell_timeout_s: float | None) -> Flow:
    """The flow that runs a notebook's cells in document order, and stops at the first failure."""
    flow = Flow(name, timeout=timeout_s, fail_fast=True)
    before: CellTask | None = None
    for number, place in enumerate(document.nodes, 1):
        task = CellTask(document.notebook.cells[place], place=place, number=number, timeout_s=cell_timeout_s)
        flow.add_task(task)
        if before is not None:
            flow.add_edge(before, task)
        before = task
    return flow


def name_of(cell: NotebookNode, number: int) -> str:
    r"""What people read: the name that a tag gives, else the first comment, else the first line of code.

    >>> import nbformat
    >>> name_of(nbformat.v4.new_code_cell("# Load the data\ndf = load()"), 3)
    '3 Load the data'
    """
    for tag in cell.metadata.get("tags", ()):
        found = TASK_TAG.fullmatch(tag)
        if found:
            return found["name"].strip()
        if tag in {TAG, INJECTED_TAG}:
            return f"{number} {tag}"
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    comment = next((line.lstrip("#% ").strip() for line in lines[:1] if line.startswith("#")), "")
    code = next((line for line in lines if not line.startswith("#")), "")
    text = comment or code or "cell"
    return f"{number} {text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + '...'}"
