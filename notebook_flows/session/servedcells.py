"""The cells that a client has told the kernel: what they are to each other, and attempts at them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import CellFacts, connect
from notebook_flows.errors import FlowError
from notebook_flows.session.cellresults import sight_of
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.code import prepare
from notebook_flows.session.lanes import Lane
from notebook_flows.session.outputs import CellSink
from notebook_flows.session.runvalues import RunValues
from notebook_flows.session.served import ServedAttempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Cell, Connections
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.floor import Floor
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session

SKIP_TAG = "skip-execution"


class ServedCells:
    """The cells of one headless run.

    Args:
        session: whose document is the client's.

    Attributes:
        connections: of all cells.
        place: key -> where the cell stands.
        values: what tasks have made.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        records = session.book.records()
        self._names = {one.key: one.name for one in records}
        self.connections: Connections = connect([_as_cell(one) for one in records])
        self.place = {key: place for place, key in enumerate(self.connections.cells)}
        self.values = RunValues(self.connections, self.connections.tasks, kept={}, bound_by=session.bindings.owner)

    def attempt(
        self, record: CellRecord, order: Mapping[str, Any], *, floor: Floor, strict_shell: bool
    ) -> ServedAttempt:
        """A new attempt at a task cell.

        Args:
            record: the cell, as it was sent.
            order: ``task``, ``attempt`` and ``executor``, from the request.
            floor: where it runs.
            strict_shell: a failing ``!command`` fails it.

        Raises:
            FlowError: the client has told no such cell.
        """
        session, key = self._session, record.key
        if key not in self.connections.cells:
            raise FlowError(f"The cell {key!r} was not among those that the runner told before.")
        links, who = self.connections.cells[key], (str(order["task"]), int(order["attempt"]))
        code = prepare(
            record.body,
            key=key,
            name=self._names[key],
            facts=record.facts,
            shell=session.shell,
            number=record.execution_count,
            source=record.source,
        )
        sink = CellSink(
            record.parent or {},
            execution_count=record.execution_count,
            publishes_all=True,
            kernel=session.shell.kernel,
        )
        values = self.values.inputs_of(key)
        borrows = bool(links.alone or record.facts.magics) or (
            order.get("executor") == Lane.MAIN.value and "get_ipython" in record.body
        )
        task = KernelCellTask(
            code,
            user_ns=session.shell.user_ns,
            inputs=lambda: values,
            sink=lambda: sink,
            lane=_lane(code.awaits, borrows, order.get("executor")),
            shell=session.shell,
            hands_back=links.mutates,
            needed=self.connections.read_from(key),
            predicted=links.outputs | links.may_outputs | links.deletes,
            absent=self.absent_at(key),
            alone=lambda make: floor.alone(who, make),
            borrows=borrows,
            strict_shell=strict_shell,
            clock=lambda: attempt,
        )
        attempt = ServedAttempt(
            name=who[0], number=who[1], task=task, sink=sink, kernel=session.shell.kernel, borrows=borrows
        )
        return attempt

    def sight(self, task: KernelCellTask) -> Sight:
        """What a task sees before it begins, by which its results are found again."""
        links = self.connections.cells[task.key]
        return sight_of(
            self.values.inputs_of(task.key),
            self._session.shell.user_ns,
            absent=self.absent_at(task.key),
            needed=self.connections.read_from(task.key),
            mutates=links.mutates,
            codes=tuple(step.code for step in task.code.steps),
        )

    def absent_at(self, key: str) -> frozenset[str]:
        """Names that only cells below have bound."""
        place, inputs = self.place[key], self.connections.cells[key].inputs
        return frozenset(
            name
            for name, owner in self._session.bindings.owners.items()
            if self.place.get(owner.key, -1) > place and not inputs.get(name)
        )


def _lane(awaits: bool, is_alone: bool, executor: Any) -> Lane:
    if awaits:
        return Lane.LOOP
    if is_alone:
        return Lane.MAIN
    return Lane.PROCESSES if executor == Lane.PROCESSES.value else Lane.THREADS


def _as_cell(record: CellRecord) -> Cell:
    """A cell for `connect`: one that is skipped does nothing."""
    cell = record.as_cell()
    return replace(cell, facts=CellFacts()) if SKIP_TAG in record.tags else cell
