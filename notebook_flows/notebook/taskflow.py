"""A notebook with task cells as a flow: tasks wait for what they need, ordinary cells run in document order.

The kernel runs either one ordinary cell or tasks, never both. So tasks gather, as they come in the document, until an
ordinary cell needs one of them: then all that have gathered run, side by side where the analysis allows it, and the
ordinary cell after them. What is left runs at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import Cell, CellFacts, analyse, connect
from notebook_flows.analysis.feeding import feeding_pairs
from notebook_flows.analysis.taskcell import EXECUTORS, TaskCell, TaskCellError, name_of as name_of_task, task_cell
from notebook_flows.core.flow import Flow
from notebook_flows.notebook.cells import CellTask, name_of
from notebook_flows.notebook.document import SKIP_TAG
from notebook_flows.notebook.needs import Needs
from notebook_flows.notebook.turns import Lane

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.errors import NotebookError

_SHOWS_FLOW = re.compile(r"^\s*(?:\w+\s*=\s*)?%(?:flow|nbflow)\s+(?:run|show|resume)\b", re.MULTILINE)
_NO_HELP = r"(?![^\n#]*\s(?:--help|-h)(?:\s|$))"
_RUNS_FLOW = re.compile(rf"^\s*(?:\w+\s*=\s*)?%(?:flow|nbflow)\s+(?:run|resume)\b{_NO_HELP}", re.MULTILINE)
_LOOKS_AT_FLOW = re.compile(r"^\s*(?:\w+\s*=\s*)?%(?:flow|nbflow)\b", re.MULTILINE)
assert {lane.value for lane in Lane if lane is not Lane.ALONE} == set(EXECUTORS)


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which cells come after which.

    Attributes:
        needs: {cell: the cells without which it cannot run}.
        follows: {cell: cells that have to be over before, however they ended}.
    """

    needs: Mapping[str, set[str]] = field(default_factory=dict)
    follows: Mapping[str, set[str]] = field(default_factory=dict)


def order_of(connections: Connections, asking: Collection[str] = (), looking: Collection[str] = ()) -> Order:
    """The order in which the cells of one notebook run in one kernel.

    Args:
        connections: of its cells.
        asking: ordinary cells that need all tasks above them: they hold ``%flow run``.
        looking: ordinary cells that come after all tasks above them, however those ended: they hold ``%flow show``.
    """
    tasks = connections.tasks
    needs: dict[str, set[str]] = {key: set() for key in connections.cells}
    follows: dict[str, set[str]] = {key: set() for key in connections.cells}
    for edge in connections.order:
        if edge.upstream_key in tasks or edge.downstream_key in tasks:
            follows[edge.downstream_key].add(edge.upstream_key)
    for upstream, downstream in feeding_pairs(connections):
        if upstream in tasks or downstream in tasks:
            needs[downstream].add(upstream)
    gathered: list[str] = []
    before: str | None = None
    for key in connections.cells:
        if key in tasks:
            gathered.append(key)
            continue
        if key in asking:
            needs[key].update(gathered)
        waits = key in asking or key in looking
        if gathered and (waits or connections.needed_before(key, gathered)):
            _let_run(gathered, before, follows)
            follows[key].update(gathered)
            gathered.clear()
        if before is not None:
            needs[key].add(before)
        before = key
    _let_run(gathered, before, follows)
    for key in connections.cells:
        follows[key] -= needs[key]
    return Order(needs=needs, follows=follows)


def _let_run(gathered: Iterable[str], before: str | None, follows: Mapping[str, set[str]]) -> None:
    """Tasks that have gathered run now: after the ordinary cell that was the last."""
    if before is not None:
        for key in gathered:
            follows[key].add(before)


# -- the flow --------------------------------------------------------------------------------------------------------------


def task_flow(document: Document, name: str, *, timeout_s: float | None, cell_timeout_s: float | None) -> Flow:
    """The flow of a notebook that has task cells.

    A failure stops what needs the failed cell, and the ordinary cells after an ordinary one; all else goes on.

    Raises:
        NotebookError: a line ``%%task`` that cannot be understood, or a task that waits for one that is not there.
    """
    cells = [document.notebook.cells[place] for place in document.nodes]
    known = _task_cells(cells, document)
    told = [_cell(cell, number, known.get(cell.id)) for number, cell in enumerate(cells, 1)]
    connections = connect(told)
    needs = {cell.key: cell.needs for cell in told}
    if any(one.name in needs[one.key] for one in connections.unresolved):
        raise _unfit(document)
    ordinary = [cell for cell in cells if cell.id not in known]
    order = order_of(
        connections,
        asking={cell.id for cell in ordinary if _RUNS_FLOW.search(cell.source)},
        looking={cell.id for cell in ordinary if _LOOKS_AT_FLOW.search(cell.source)},
    )
    made: dict[str, CellTask] = {}
    flow = Flow(name, timeout=timeout_s)
    for number, (place, cell) in enumerate(zip(document.nodes, cells, strict=True), 1):
        found = known.get(cell.id)
        if found is None:
            made[cell.id] = CellTask(cell, place=place, number=number, timeout_s=cell_timeout_s)
        else:
            links = connections.cells[cell.id]
            needs_main = bool(links.alone) or "async" in links.hidden_state
            made[cell.id] = _made(cell, place, number, found, cell_timeout_s, needs_main)
        flow.add_task(made[cell.id])
    for key, task in made.items():
        if order.follows[key]:
            task.trigger = Needs([made[other] for other in order.needs[key]])
        for other in (other for other in made if other in order.needs[key] or other in order.follows[key]):
            flow.add_edge(made[other], task)
    flow.set_reference_tasks(list(made.values()))  # a failure counts, though a cell that only follows goes well
    return flow


def showing(document: Document) -> int | None:
    """The place of the first cell that asks for the picture, or None."""
    cells = document.notebook.cells
    return next((place for place in document.nodes if _SHOWS_FLOW.search(cells[place].source)), None)


def _unfit(document: Document) -> NotebookError:
    """All that is wrong with a notebook of which a task cannot run."""
    from notebook_flows.notebook.problems import problems_error, problems_in

    return problems_error(document.input_path, problems_in(document.notebook))


def _task_cells(cells: Sequence[Any], document: Document) -> dict[str, TaskCell]:
    """{id: what makes the cell a task}."""
    found: dict[str, TaskCell] = {}
    for cell in cells:
        try:
            task = task_cell(cell.source, cell.metadata.tags)
        except TaskCellError:
            raise _unfit(document) from None
        if task is not None:
            found[cell.id] = task
    return found


def _cell(cell: Any, number: int, found: TaskCell | None) -> Cell:
    facts = CellFacts() if SKIP_TAG in cell.metadata.tags else analyse(cell.source)
    if found is None:
        return Cell(key=cell.id, facts=facts, is_task=False, name=name_of(cell, number))
    options = found.options
    return Cell(
        key=cell.id,
        facts=facts,
        is_task=True,
        name=name_of_task(found, number),
        needs=options.needs,
        reads=options.reads,
        writes=options.writes,
        pure=options.pure,
    )


def _made(cell: Any, place: int, number: int, found: TaskCell, timeout_s: float | None, needs_main: bool) -> CellTask:
    options = found.options
    retries: dict[str, Any] = {}
    if options.retries:
        retries = {"max_retries": options.retries, "retry_delay": options.retry_delay_s}
    return CellTask(
        cell,
        place=place,
        number=number,
        timeout_s=options.timeout_s or timeout_s,
        name=name_of_task(found, number),
        lane=_lane(cell, found, needs_main=needs_main),
        tags=options.tags,
        **retries,
    )


def _lane(cell: Any, found: TaskCell, *, needs_main: bool) -> Lane:
    """Where it was asked to run; but what needs the kernel's main thread runs there."""
    facts = analyse(cell.source)
    if needs_main or facts.magics or facts.has_await:
        return Lane.MAIN
    return Lane(found.options.executor or "threads")
