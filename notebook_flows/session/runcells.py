"""The cells of one run in this kernel as tasks: what each gets, and what becomes of its attempts."""

from __future__ import annotations

from dataclasses import replace
from inspect import ismodule
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.executors.threads import clock_here
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.code import prepare
from notebook_flows.session.lanes import Lane, LanesExecutor
from notebook_flows.session.runvalues import RunValues
from notebook_flows.session.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Outcome
    from notebook_flows.session.cellmemory import CellMemory
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.mainlane import MainLane
    from notebook_flows.session.outputs import RecordingSink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import Order
    from notebook_flows.session.runvalues import Version
    from notebook_flows.session.values import CellValues


class RunCells:
    """The cells that a run is of.

    Args:
        order: what is to run.
        shell: IPython's.
        sink: gives the place of a cell's output, when its attempt begins.
        kept: versions that the namespace does not hold.
        bound_by: whose version of a name the namespace holds.
        main: the main thread.

    Attributes:
        tasks: key -> the task that runs the cell.
        values: what cells have made.
        executor: where they run.
        memory: what may be taken from earlier runs; None: nothing, and nothing is kept.
        turns: who goes on, and who waits.
    """

    def __init__(
        self,
        order: Order,
        *,
        shell: Any,
        sink: Callable[[CellRecord], RecordingSink],
        kept: Mapping[Version, Any],
        bound_by: Callable[[str], str | None],
        main: MainLane,
    ) -> None:
        self._order = order
        self._main = main
        self._shell = shell
        self._sink = sink
        self._sinks: dict[str, RecordingSink] = {}
        self._ended_as: dict[str, S] = {}
        self.values = RunValues(order.connections, order.records, kept=kept, bound_by=bound_by)
        self.turns = Turns(main)
        names = shell.user_ns.items() if order.is_background else ()
        self._unsettled = frozenset(name for name, value in names if not callable(value) and not ismodule(value))
        self.tasks = {key: self._task(record) for key, record in order.records.items()}
        self.executor = LanesExecutor(
            main, self.turns, threads=order.workers, processes=order.workers, on_end=self._attempt_ended
        )
        self.memory = self._memory_of_cells()

    def _task(self, record: CellRecord) -> KernelCellTask:
        links = self._order.connections.cells[record.key]
        options = record.options
        borrows = bool(links.alone or record.facts.magics or not record.is_task)
        code = prepare(
            record.body,
            key=record.key,
            name=record.name,
            facts=record.facts,
            shell=self._shell,
            number=record.execution_count,
            source=record.source,
        )
        return KernelCellTask(
            code,
            user_ns=self._shell.user_ns,
            inputs=lambda: self._begun(record.key),
            sink=lambda: self._fresh_sink(record),
            lane=lane_of(
                record, borrows=borrows, uses_loop="async" in links.hidden_state, executor=self._order.executor
            ),
            shell=self._shell,
            hands_back=links.mutates,
            needed=self._order.connections.read_from(record.key),
            predicted=links.outputs | links.may_outputs | links.deletes,
            unsettled=self._unsettled,
            alone=lambda make: self.turns.alone(record.key, make),
            borrows=borrows,
            strict_shell=self._order.strict_shell,
            clock=clock_here,
            max_retries=options.retries,
            retry_delay=options.retry_delay_s if options.retries else None,
            timeout=options.timeout_s,
            tags=set(options.tags),
        )

    def _fresh_sink(self, record: CellRecord) -> RecordingSink:
        self._sinks[record.key] = sink = self._sink(record)
        return sink

    def _begun(self, key: str) -> dict[str, Any]:
        """An attempt begins: the values that its cell gets."""
        self._ended_as[key] = S.CANCELLED  # unless it is told otherwise
        self.turns.begin(key)
        return self.values.inputs_of(key)

    def _attempt_ended(self, task: Task, outcome: Outcome) -> Outcome:
        assert isinstance(task, KernelCellTask)
        key = task.code.key
        if task.lane is Lane.PROCESSES and key in self._sinks:
            self._sinks[key].end()  # elsewhere its routing does
        self.turns.end(key)
        self._ended_as[key] = outcome.state if IS_FINAL[outcome.state] else S.CANCELLED
        if outcome.state is S.SUCCESS:
            values = task.values_of(outcome.value)
            self.values.made(key, self._with_parameters(key, values))
            return self._kept(key, values, outcome)
        self.executor.end_commands(task)
        if task.has_main_thread:
            self._main.interrupt(key)
        if key in self._sinks:
            self._show_why(task, outcome)
        return outcome

    def _show_why(self, task: KernelCellTask, outcome: Outcome) -> None:
        """Below the cell of an attempt that was given up; what its thread still prints is none of the run's."""
        sink = self._sinks[task.code.key]
        if outcome.state is S.TIMED_OUT:
            sink.give_up("TimeoutError", outcome.message)
        elif outcome.state is S.CANCELLED and task.lane is not Lane.MAIN:  # there it is about to show where it was
            sink.give_up("Cancelled", outcome.message)

    def _with_parameters(self, key: str, values: CellValues) -> CellValues:
        if key != self._order.parameters_cell or not self._order.parameters:
            return values
        return replace(values, bound={**values.bound, **self._order.parameters})

    def state_of(self, key: str, ended: api.State | None, recorded: S | None) -> S:
        """How a cell has ended.

        Args:
            key: of the cell.
            ended: the state of the flow; None where the engine raised instead.
            recorded: what the events say of the cell; None: there are none.
        """
        if ended is not None:
            return api.event_state_of(ended.result[self.tasks[key]])
        if recorded is not None:  # what ended while the run was being stopped counts only if the engine heard of it
            return recorded if IS_FINAL[recorded] else S.CANCELLED if key in self._ended_as else S.NOT_RUN
        if key in self.values.done:
            return S.CACHED if self._ended_as.get(key) is S.CACHED else S.SUCCESS
        return self._ended_as.get(key, S.NOT_RUN)

    def forget(self) -> None:
        """Let go of all values: somebody may yet hold the run."""
        for task in self.tasks.values():
            task.forget()
        self.values.forget()
        self.memory = None

    # -- other runs ----------------------------------------------------------------------------------------------------

    def _memory_of_cells(self) -> CellMemory | None:
        if self._order.remembering is None:
            return None
        from notebook_flows.session.cellmemory import CellMemory

        return CellMemory(
            self._order.remembering,
            self._order.records,
            self._order.connections,
            sight=self._sight,
            takes=self._take,
        )

    def _sight(self, key: str) -> Sight:
        from notebook_flows.session.cellresults import sight_of

        links = self._order.connections.cells[key]
        return sight_of(
            self.values.inputs_of(key),
            self._shell.user_ns,
            needed=self._order.connections.read_from(key),
            mutates=links.mutates,
            codes=tuple(step.code for step in self.tasks[key].code.steps),
        )

    def _take(self, key: str, values: CellValues, outputs: Sequence[Mapping[str, Any]]) -> None:
        """What a cell has made is taken from an earlier run, and what it has put out is shown again."""
        from notebook_flows.session.outputs import show_again

        self._ended_as[key] = S.CACHED
        self.values.made(key, values)
        show_again(outputs, self._fresh_sink(self._order.records[key]))

    def _kept(self, key: str, values: CellValues, outcome: Outcome) -> Outcome:
        """The outcome, with what is kept of the cell for other runs."""
        if self.memory is None:
            return outcome
        sink = self._sinks.get(key)
        kept = self.memory.kept(key, values, sink.outputs if sink is not None else ())
        return outcome if kept is None else outcome._replace(details={**(outcome.details or {}), "kept": kept})


def lane_of(record: CellRecord, *, borrows: bool, uses_loop: bool, executor: str | None) -> Lane:
    """Where a cell is to run.

    Args:
        record: the cell.
        borrows: it runs in the notebook's own namespace.
        uses_loop: it begins asyncio tasks, or asks for the loop, though it need not await anything.
        executor: for cells that do not say it themselves.
    """
    if record.facts.has_await or uses_loop:
        return Lane.LOOP
    return Lane.MAIN if borrows else Lane(record.options.executor or executor or Lane.THREADS.value)
