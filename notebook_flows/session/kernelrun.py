"""One run of cells in this kernel: made ready on the main thread, led by the engine in another, ended on the main thread."""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from inspect import ismodule
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.executors.threads import clock_here
from notebook_flows.session.cellflow import flow_of_cells
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.code import prepare
from notebook_flows.session.landing import land, snapshot
from notebook_flows.session.lanes import Lane, LanesExecutor
from notebook_flows.session.mainlane import MainLane
from notebook_flows.session.runvalues import RunValues
from notebook_flows.session.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task
    from notebook_flows.engine.call import Outcome
    from notebook_flows.engine.ports import Observer
    from notebook_flows.session.cellmemory import CellMemory, Remembering
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.livepicture import LivePicture
    from notebook_flows.session.outputs import RecordingSink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runvalues import Version
    from notebook_flows.session.shownpicture import Following
    from notebook_flows.session.values import CellValues

STOPPING_S = 2.0
_MADE = frozenset({S.SUCCESS, S.CACHED})
_NOTHING = object()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is made of.

    Attributes:
        name: of the flow: the notebook's.
        records: key -> cell, of the cells that are to run.
        connections: of all cells of the notebook.
        parameters: name -> value, put in place of what the parameters cell binds.
        parameters_cell: its key.
        executor: "threads", "processes" or "main", for cells that do not say it themselves; None: threads.
        workers: how many threads, or processes, there may be.
        history: False: leave no trace; None: as the settings say.
        strict_shell: a failing ``!command`` fails its cell.
        is_background: the user goes on meanwhile: names that he binds are not overwritten.
        remembering: what may be taken from earlier runs, and what is kept for later ones; None: nothing.
    """

    name: str
    records: Mapping[str, CellRecord]
    connections: Connections
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters_cell: str | None = None
    executor: str | None = None
    workers: int | None = None
    history: bool | None = None
    strict_shell: bool = False
    is_background: bool = False
    remembering: Remembering | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run ended.

    Attributes:
        state: of the flow; None where the engine raised instead.
        flow: what ran.
        tasks: key -> the task of the flow.
        states: key -> how the cell ended.
        values: key -> what the cell made, of those that ended well, in document order.
        landed: key -> names that have landed in the namespace.
        replaced: key -> names that did not land -> key of the later cell whose value they keep.
        left: names that the user has bound since the run began, and that were left alone.
        still_running: names of tasks whose threads could not be stopped.
        was_stopped: by Ctrl-C, or by `%flow cancel`.
        problem: what the engine raised: KeyboardInterrupt, or an error of the history.
    """

    flow: Flow
    tasks: Mapping[str, KernelCellTask]
    state: api.State | None
    states: Mapping[str, S]
    values: Mapping[str, CellValues]
    landed: Mapping[str, frozenset[str]]
    replaced: Mapping[str, Mapping[str, str]]
    left: frozenset[str] = frozenset()
    still_running: tuple[str, ...] = ()
    was_stopped: bool = False
    problem: BaseException | None = None

    @property
    def run_id(self) -> str:
        """Of the history; empty if the run did not get as far."""
        return "" if self.state is None else str(self.state.context.get("flow_run_id", ""))


class KernelRun:
    """Runs cells.

    Args:
        order: what is to run.
        shell: IPython's.
        sink: gives the place of a cell's output, when its attempt begins.
        kept: versions that the namespace does not hold.
        bound_by: whose version of a name the namespace holds.
        observers: are told of all events, in the engine's thread.
        is_busy: whether a cell is being executed, for a run in the background.

    Attributes:
        picture: what shows it while it goes on.
        followers: show it on pictures that stand already.
        run_id: of the history.
        was_ended: `end` has landed its values.
    """

    def __init__(
        self,
        order: Order,
        *,
        shell: Any,
        sink: Callable[[CellRecord], RecordingSink],
        kept: Mapping[Version, Any],
        bound_by: Callable[[str], str | None],
        observers: Sequence[Observer] = (),
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.order = order
        self.main = MainLane(_running_loop(), is_busy=is_busy)
        self._shell = shell
        self._sink = sink
        self._sinks: dict[str, RecordingSink] = {}
        self._bound_by = bound_by
        self._observers = observers
        self._values = RunValues(order.connections, order.records, kept=kept, bound_by=bound_by)
        self._turns = Turns(self.main)
        names = shell.user_ns.items() if order.is_background else ()
        self._unsettled = frozenset(name for name, value in names if not callable(value) and not ismodule(value))
        self.tasks = {key: self._task(record) for key, record in order.records.items()}
        self.flow = flow_of_cells(order.name, self.tasks, order.connections)
        self._executor = LanesExecutor(
            self.main, self._turns, threads=order.workers, processes=order.workers, on_end=self._attempt_ended
        )
        self._memory = self._memory_of_cells()
        self.picture: LivePicture | None = None
        self.followers: list[Following] = []
        self.run_id = uuid.uuid4().hex
        self._since: dict[str, Any] = {}
        self._state: api.State | None = None
        self._problem: BaseException | None = None
        self.was_ended = False
        self._was_stopped = False
        self._ended_as: dict[str, S] = {}
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None

    # -- made ready ----------------------------------------------------------------------------------------------------

    def _task(self, record: CellRecord) -> KernelCellTask:
        links = self.order.connections.cells[record.key]
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
            lane=lane_of(record, borrows=borrows, executor=self.order.executor),
            shell=self._shell,
            hands_back=links.mutates,
            needed=self.order.connections.read_from(record.key),
            predicted=links.outputs | links.may_outputs | links.deletes,
            unsettled=self._unsettled,
            alone=lambda make: self._turns.alone(record.key, make),
            borrows=borrows,
            strict_shell=self.order.strict_shell,
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
        self._turns.begin(key)
        return self._values.inputs_of(key)

    def _attempt_ended(self, task: Task, outcome: Outcome) -> Outcome:
        assert isinstance(task, KernelCellTask)
        key = task.code.key
        if task.lane is Lane.PROCESSES and key in self._sinks:
            self._sinks[key].end()  # elsewhere its routing does
        self._turns.end(key)
        self._ended_as[key] = outcome.state if IS_FINAL[outcome.state] else S.CANCELLED
        if outcome.state is S.SUCCESS:
            values = task.values_of(outcome.value)
            self._values.made(key, self._with_parameters(key, values))
            return self._kept(key, values, outcome)
        self._executor.end_commands(task)
        if task.has_main_thread:
            self.main.interrupt(key)
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
        if key != self.order.parameters_cell or not self.order.parameters:
            return values
        return replace(values, bound={**values.bound, **self.order.parameters})

    # -- other runs ----------------------------------------------------------------------------------------------------

    def _memory_of_cells(self) -> CellMemory | None:
        if self.order.remembering is None:
            return None
        from notebook_flows.session.cellmemory import CellMemory

        return CellMemory(
            self.order.remembering,
            self.order.records,
            self.order.connections,
            sight=self._sight,
            takes=self._take,
        )

    def _sight(self, key: str) -> Sight:
        from notebook_flows.session.cellresults import sight_of

        links = self.order.connections.cells[key]
        return sight_of(
            self._values.inputs_of(key),
            self._shell.user_ns,
            needed=self.order.connections.read_from(key),
            mutates=links.mutates,
            codes=tuple(step.code for step in self.tasks[key].code.steps),
        )

    def _take(self, key: str, values: CellValues, outputs: Sequence[Mapping[str, Any]]) -> None:
        """What a cell has made is taken from an earlier run, and what it has put out is shown again."""
        from notebook_flows.session.outputs import show_again

        self._ended_as[key] = S.CACHED
        self._values.made(key, values)
        show_again(outputs, self._fresh_sink(self.order.records[key]))

    def _kept(self, key: str, values: CellValues, outcome: Outcome) -> Outcome:
        """The outcome, with what is kept of the cell for other runs."""
        if self._memory is None:
            return outcome
        sink = self._sinks.get(key)
        kept = self._memory.kept(key, values, sink.outputs if sink is not None else ())
        return outcome if kept is None else outcome._replace(details={**(outcome.details or {}), "kept": kept})

    # -- run -----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Let the engine begin, in a thread of its own."""
        if self.order.is_background:
            self._since = snapshot(self._shell.user_ns)
        context = copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._lead,), name="notebook-flows-run", daemon=True)
        self._thread.start()

    def _lead(self) -> None:
        from notebook_flows.engine.clock import SystemClock
        from notebook_flows.workspace import run_once

        try:
            self._state = run_once(
                self.flow,
                dict(self.order.parameters),
                SystemClock(),
                executor=self._executor,
                history=self.order.history,
                observers=self._observers,
                keep_results=False,
                flow_run_id=self.run_id,
                reuse_by=self._memory.reuse if self._memory is not None else None,
            )
        except BaseException as error:  # raised again, or told, on the main thread
            self._problem = error
        finally:
            self._turns.close()
            self._has_ended.set()
            self.main.wake_up()

    @property
    def has_ended(self) -> bool:
        """Whether the engine has ended."""
        return self._has_ended.is_set()

    async def wait(self) -> None:
        """Serve the main lane until the run has ended; a cancel of this coroutine stops the run.

        Raises:
            KeyboardInterrupt: Ctrl-C; until then all is recorded.
        """
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def watch() -> None:
            self._has_ended.wait()
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=watch, name="notebook-flows-end", daemon=True).start()
        try:
            await self.main.serve(ended)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.stop()
            raise KeyboardInterrupt from None

    def wait_blocking(self) -> None:
        """The same where the thread's event loop, if it has one, cannot go on meanwhile."""
        try:
            self.main.serve_blocking(self._has_ended.is_set)
        except KeyboardInterrupt:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the run as Ctrl-C does, and wait until that is recorded, for 2 s at most."""
        self.ask_to_stop()
        self._has_ended.wait(STOPPING_S)

    def ask_to_stop(self) -> None:
        """Stop the run as Ctrl-C does; returns at once."""
        self._was_stopped = True
        self._executor.interrupt()
        self.main.interrupt()
        self._turns.close()

    # -- looked at while it goes on ------------------------------------------------------------------------------------

    def peek_inputs(self, key: str) -> dict[str, Any]:
        """The values that a cell takes from this run, as far as they are made; any thread may look."""
        return self._values.inputs_of(key)

    def peek_outputs(self, key: str) -> dict[str, Any]:
        """What a cell has bound in this run; nothing before it has ended; any thread may look."""
        made = self._values.done.get(key)
        return dict(made.bound) if made is not None else {}

    # -- ended ---------------------------------------------------------------------------------------------------------

    def end(self) -> Report:
        """Land what was made; on the main thread, between two cells."""
        self.was_ended = True
        self.main.close()
        states = {key: self._state_of(key) for key in self.tasks}
        done = {key: values for key, values in self._values.done.items() if states[key] in _MADE}
        landed, replaced, left = self._landed(done)
        for task in self.tasks.values():
            task.forget()
        report = Report(
            flow=self.flow,
            tasks=self.tasks,
            state=self._state,
            states=states,
            values=done,
            landed=landed,
            replaced=replaced,
            left=left,
            still_running=self._executor.still_running,
            was_stopped=self._was_stopped or isinstance(self._problem, KeyboardInterrupt),
            problem=self._problem,
        )
        self._values.forget()
        self._memory = None
        self._state = self._problem = None  # they hold values, and somebody may yet hold this run
        self._since = {}
        return report

    def _state_of(self, key: str) -> S:
        if self._state is not None:
            return api.event_state_of(self._state.result[self.tasks[key]])
        if key in self._values.done:
            return S.CACHED if self._ended_as.get(key) is S.CACHED else S.SUCCESS
        return self._ended_as.get(key, S.NOT_RUN)

    def _landed(
        self, done: Mapping[str, CellValues]
    ) -> tuple[dict[str, frozenset[str]], dict[str, dict[str, str]], frozenset[str]]:
        """Each name gets its last version in document order; one that a later cell has bound already stays."""
        place = {key: number for number, key in enumerate(self.order.connections.cells)}
        replaced: dict[str, dict[str, str]] = {}
        to_land: list[CellValues] = []
        for key, values in done.items():
            names = self._shell.user_ns
            later = {
                name: owner
                for name in (*values.bound, *values.deleted)
                if names.get(name) is not values.bound.get(name, _NOTHING)
                and (owner := self._bound_by(name)) is not None
                and owner not in done
                and place.get(owner, -1) > place[key]
            }
            if later:
                replaced[key] = later
                values = replace(  # noqa: PLW2901 - the same, without them
                    values,
                    bound={name: value for name, value in values.bound.items() if name not in later},
                    deleted=values.deleted - later.keys(),
                )
            to_land.append(values)
        found = land(to_land, self._shell.user_ns, since=self._since if self.order.is_background else None)
        last: dict[str, str] = {}
        for key, values in zip(done, to_land, strict=True):
            last.update(dict.fromkeys((*values.bound, *values.deleted), key))
        landed = {key: frozenset(name for name, owner in last.items() if owner == key) - found.kept for key in done}
        return landed, replaced, found.kept


def lane_of(record: CellRecord, *, borrows: bool, executor: str | None) -> Lane:
    """Where a cell is to run.

    Args:
        record: the cell.
        borrows: it runs in the notebook's own namespace.
        executor: for cells that do not say it themselves.
    """
    if record.facts.has_await:
        return Lane.LOOP
    return Lane.MAIN if borrows else Lane(record.options.executor or executor or Lane.THREADS.value)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
