"""A cell ready to run: what IPython would make of its text, compiled once, so that any thread or process may run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:

    from notebook_flows.analysis import CellFacts

INTERACTIVITY = "last_expr"


@dataclass(frozen=True, kw_only=True)
class CellCode:
    """The code of one cell.

    Attributes:
        key: of the cell, in its notebook.
        name: what people call it.
        body: its text, the task line blanked, so that line numbers are those of the cell.
        python: the text as IPython turns it into Python; what tracebacks show.
        facts: what the analysis says of it.
        filename: under which tracebacks find its lines; registered with linecache.
        label: how tracebacks call the place: ``Cell In[3]``.
        flags: of the compiler: futures that earlier cells have imported.
        interactivity: which expressions are displayed; as ``InteractiveShell.ast_node_interactivity``.
    """

    key: str
    name: str
    body: str
    python: str
    facts: CellFacts
    filename: str
    label: str
    flags: int = 0
    interactivity: str = INTERACTIVITY
