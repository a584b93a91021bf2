"""What the session knows of one cell of its notebook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import Cell, analyse
from notebook_flows.analysis.taskcell import CellOptions, TaskCell, TaskCellError, name_of, task_cell
from notebook_flows.notebook.cells import plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import CellFacts

PARAMETERS_TAG = "parameters"
_PARAMETERS_COMMENT = re.compile(r"\s*#\s*parameters\s*(?:\n|$)", re.IGNORECASE)
_NO_OPTIONS = CellOptions()


@dataclass(frozen=True, kw_only=True, slots=True)
class CellRecord:
    """One cell: as it was executed last, or, if it never was, as it is saved.

    Attributes:
        key: what tells it apart from all others: its id, where the front end tells one.
        source: its text, as it was executed.
        cell_id: as the front end or the file tells it.
        saved_source: its text in the file, if that is newer and another one: it was edited, and not executed.
        tags: its tags, as far as they are known.
        times: how often it was executed.
        execution_count: the number in ``In[...]``; None if it was never executed.
        executed_us: when it was executed last, in microseconds since 1970; 0 if never, or before the session began.
        has_succeeded: how its last execution ended; None: it goes on, or there was none.
        parent: the request that executed it last: its outputs belong below that.
        after: the cell that was executed just before it, at its first time.
        place: 0 for the first code cell of the document; None where only the executed cells are known.
    """

    key: str
    source: str
    cell_id: str | None = None
    saved_source: str | None = None
    tags: tuple[str, ...] = ()
    times: int = 0
    execution_count: int | None = None
    executed_us: int = 0
    has_succeeded: bool | None = None
    parent: Mapping[str, Any] | None = None
    after: str | None = None
    place: int | None = None

    @property
    def task(self) -> TaskCell | None:
        """What makes it a task; None for an ordinary cell, and for one whose task line cannot be understood."""
        found = _understood(self.source, self.tags)
        return found if isinstance(found, TaskCell) else None

    @property
    def mistake(self) -> TaskCellError | None:
        """Why its task line cannot be understood."""
        found = _understood(self.source, self.tags)
        return found if isinstance(found, TaskCellError) else None

    @property
    def slugs(self) -> tuple[str, str]:
        """What the history calls its task: in runs by hand and `%flow run`, and in headless ones, where it may be its place."""
        return f"{self.name}-1", f"cell-{(self.place or 0) + 1}"

    @property
    def is_task(self) -> bool:
        """Whether it is a task cell."""
        return self.task is not None

    @property
    def body(self) -> str:
        """What runs: the source without the task line, line numbers kept."""
        task = self.task
        return task.body if task is not None else self.source

    @property
    def facts(self) -> CellFacts:
        """What it reads, binds and mutates."""
        return analyse(self.body)

    @property
    def options(self) -> CellOptions:
        """What its task line asks for."""
        task = self.task
        return task.options if task is not None else _NO_OPTIONS

    @property
    def name(self) -> str:
        """What people call it."""
        number = (self.place if self.place is not None else (self.execution_count or 1) - 1) + 1
        task = self.task
        return name_of(task, number) if task is not None else plain_name(self.source, self.tags, number)

    @property
    def has_parameters(self) -> bool:
        """Whether it is the notebook's parameters cell, by its tag or by the comment that it begins with."""
        return PARAMETERS_TAG in self.tags or _PARAMETERS_COMMENT.match(self.source) is not None

    def as_cell(self) -> Cell:
        """As `analysis.connect` gets it."""
        options = self.options
        return Cell(
            key=self.key,
            facts=self.facts,
            is_task=self.is_task,
            name=self.name,
            needs=options.needs,
            reads=options.reads,
            writes=options.writes,
            pure=options.pure,
        )


@lru_cache(maxsize=4096)
def _understood(source: str, tags: tuple[str, ...]) -> TaskCell | TaskCellError | None:
    try:
        return task_cell(source, tags)
    except TaskCellError as error:
        return error
