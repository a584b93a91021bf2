"""What happens when a cell is executed by hand: it is registered, and its changes are noted; it runs as ever."""

from __future__ import annotations

import ast
import asyncio
import logging
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.artifacts.outlets import outlets
from notebook_flows.core.lifecycle import S
from notebook_flows.session.bindings import Change, Namespace
from notebook_flows.session.childtasks import unwatch
from notebook_flows.session.saved import words
from notebook_flows.session.taskline import task, task_line
from notebook_flows.session.transformers import Transformers
from notebook_flows.session.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from notebook_flows.session.handrun import HandRun
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.session import Session


@dataclass(kw_only=True)
class Execution:
    """One cell that is being executed.

    Attributes:
        info: what IPython says of it.
        message_id: of the request.
        before: the names as they were.
        number: 1, 2, 3... in this session.
        is_held: its own code does not run now.
        is_emptied: IPython has been given other code in its place.
    """

    info: Any
    message_id: str | None
    before: Namespace
    number: int
    record: CellRecord
    hand_run: HandRun | None = None
    is_held: bool = False
    is_emptied: bool = False


@dataclass(kw_only=True)
class Hooks:
    """The session's ears in IPython.

    An error of ours never makes the user's cell fail: it is shown once, as a warning, and logged.
    """

    session: Session
    _running: dict[int, Execution] = field(default_factory=dict)
    _is_first: bool = True
    _warned: set[str] = field(default_factory=set)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._holding = _HeldBack(self)
        self._wakeup = Wakeup()
        self.transformers = Transformers(self.session.shell)

    # -- coming and going ----------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Listen; done twice, it is done once."""
        shell = self.session.shell
        shell.events.register("pre_run_cell", self.pre_run_cell)
        shell.events.register("post_run_cell", self.post_run_cell)
        self.transformers.add("input_transformers_cleanup", task_line)
        self.transformers.add("ast_transformers", self._holding)
        self._is_first = True
        shell.register_magic_function(task, "cell", "task")
        if self.attach not in outlets:
            outlets.insert(0, self.attach)
        with self.guarded():
            self._begin_wakeup()
            self._catch_up()

    def uninstall(self) -> None:
        """Listen no longer."""
        shell = self.session.shell
        self._wakeup.end()
        unwatch()
        if self.attach in outlets:
            outlets.remove(self.attach)
        for event, function in (("pre_run_cell", self.pre_run_cell), ("post_run_cell", self.post_run_cell)):
            with suppress(ValueError):  # somebody has taken it away before
                shell.events.unregister(event, function)
        self.transformers.remove("input_transformers_cleanup", task_line)
        self.transformers.remove("ast_transformers", self._holding)
        shell.magics_manager.magics["cell"].pop("task", None)

    def attach(self, told: dict[str, Any], content: bytes | None) -> bool:
        """A cell that is executed by hand attaches something; False: none is, or it is no task cell."""
        running = tuple(self._running.values())  # a thread that the cell has started has no execution of its own
        execution = self._running.get(threading.get_ident()) or (running[0] if len(running) == 1 else None)
        run = None if execution is None else execution.hand_run
        return run is not None and run.attach(told, content)

    def _begin_wakeup(self) -> None:
        if hasattr(self.session.shell, "kernel"):
            self._wakeup.begin()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Inside, an error of ours is told, and goes no further."""
        try:
            yield
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        logging.getLogger(__name__).info("The session could not follow a cell.", exc_info=error)
        sentence = (
            f"notebook_flows could not follow this cell: {type(error).__name__}: {error}. The cell is not affected."
        )
        if sentence not in self._warned:
            self._warned.add(sentence)
            with suppress(Warning):  # where warnings are errors, this one still is none of the cell's
                warnings.warn(sentence, RuntimeWarning, stacklevel=4)

    def _catch_up(self) -> None:
        """Cells that were executed before the session began: their ids are not known, their texts are."""
        shell, session = self.session.shell, self.session
        if not session.book.is_empty:
            return  # it has listened before
        history = getattr(shell.history_manager, "input_hist_raw", [])
        last = shell.last_execution_result
        is_idle = last is not None and last.execution_count == len(history) - 1
        for number, source in enumerate(history if is_idle else history[:-1]):
            if source.strip():
                record = session.book.register(source, execution_count=number)
                session.book.ended(record.key, has_succeeded=record.facts.opaque != ("syntax",))
                names = frozenset(name for name in record.facts.binds if name in shell.user_ns)
                session.bindings.landed(record.key, names)

    # -- a cell begins -------------------------------------------------------------------------------------------------

    def pre_run_cell(self, info: Any) -> None:
        """A cell begins: register it."""
        self._is_first = False
        self._begin_wakeup()  # the extension may have been loaded before there was a loop
        if not info.store_history:
            return
        with self.guarded():
            self._begin(info)

    def _begin(self, info: Any) -> None:
        thread = threading.get_ident()
        parent = _parent_of(self.session.shell)
        message_id = (parent or {}).get("header", {}).get("msg_id")
        open_one = self._running.get(thread)
        if open_one is not None and open_one.message_id == message_id:
            return  # a cell that another one runs: it is no cell of the notebook
        record, order = self._registered(info, parent)
        session = self.session
        for function in tuple(session.before_cell):
            function(record)
        self.transformers.restore()
        execution = Execution(
            info=info,
            message_id=message_id,
            before=Namespace(session.shell.user_ns, session.shell.user_ns_hidden),
            number=session.bindings.begin(),
            record=record,
        )
        self._running[thread] = execution
        self._start(execution, order)

    @property
    def now(self) -> CellRecord | None:
        """The cell that this thread executes."""
        execution = self._running.get(threading.get_ident())
        return execution.record if execution is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether a cell is being executed: its code runs, or awaits."""
        return bool(self._running)

    async def between_cells(self) -> None:
        """Wait until no cell is being executed, so that the names change under nobody's hands."""
        while self._running:
            free = asyncio.get_running_loop().create_future()
            self._waiting.append(free)
            await free

    def _let_go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for free in waiting:
            if not free.done():
                free.set_result(None)

    def landed(self, names: Collection[str]) -> None:
        """Values of tasks have landed while a cell, as that with `%flow run`, is being executed: they are not its own."""
        for execution in tuple(self._running.values()):
            execution.before.follow(names, self.session.shell.user_ns)

    def _registered(self, info: Any, parent: Any) -> tuple[CellRecord, Any]:
        session = self.session
        metadata = getattr(info, "cell_meta", None) or (parent or {}).get("metadata") or {}
        session.book.removed(words(metadata.get("deletedCells")))
        cell_id = getattr(info, "cell_id", None) or metadata.get("cellId")
        record = session.book.register(
            info.raw_cell,
            cell_id=cell_id,
            tags=words(metadata.get("tags")) or session.told_tags(cell_id),
            parent=parent,
            execution_count=session.shell.execution_count - 1,
            at_us=time_ns() // 1000,
        )
        return record, metadata.get("notebook_flows")

    def _start(self, execution: Execution, order: Any) -> None:
        session, record = self.session, execution.record
        if session.server is not None and isinstance(order, dict):
            execution.is_held = session.server.start(record, order)
        elif record.is_task and session.is_lazy:
            execution.is_held = True
            print(f"Task {record.name!r} is registered; `%flow run` runs it.")
        elif record.is_task:
            execution.hand_run = session.hand_runs.begin(session.saved.name, record)

    # -- and ends ------------------------------------------------------------------------------------------------------

    def post_run_cell(self, result: Any) -> None:
        """A cell has ended: note what it has changed."""
        is_first, self._is_first = self._is_first, False
        with self.guarded():
            self.transformers.restore()
            thread = threading.get_ident()
            execution = self._running.get(thread)
            if execution is None:
                if is_first and result is not None and result.info.store_history and result.info.raw_cell.strip():
                    self._end_the_first(result)
                return
            if result is None or _is_the_same(result.info, execution.info):
                del self._running[thread]
                try:
                    self._end(execution, result)
                finally:
                    self._let_go()

    def _end_the_first(self, result: Any) -> None:
        """The cell that has loaded the extension, and whose beginning was not heard."""
        session = self.session
        record, _ = self._registered(result.info, _parent_of(session.shell))
        names = frozenset(name for name in record.facts.binds if name in session.shell.user_ns)
        session.book.ended(record.key, has_succeeded=result.success)
        session.bindings.landed(record.key, names)

    def _end(self, execution: Execution, result: Any) -> None:
        session, key = self.session, execution.record.key
        error = None if result is None else result.error_before_exec or result.error_in_exec
        has_succeeded = result is not None and result.success
        if execution.is_held:
            return
        bound, deleted = execution.before.compared(session.shell.user_ns)
        session.book.ended(key, has_succeeded=has_succeeded)
        session.bindings.changed(
            Change(key, execution.number, execution.record.body, bound, deleted, has_succeeded=has_succeeded)
        )
        if execution.hand_run is not None:
            was_stopped = result is None or isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
            state = S.SUCCESS if has_succeeded else S.CANCELLED if was_stopped else S.FAILED
            execution.hand_run.end(state, error)
            session.hand_runs.tell_trouble()
        for function in tuple(session.after_cell):
            function(execution.record, has_succeeded)

    # -- cells whose own code does not run now -------------------------------------------------------------------------

    def held(self) -> Execution | None:
        """The execution of this thread, if its own code is not to run; told once, for a cell has pieces of code in it."""
        execution = self._running.get(threading.get_ident())
        if execution is None or not execution.is_held or execution.is_emptied:
            return None
        execution.is_emptied = True
        return execution


class _HeldBack(ast.NodeTransformer):
    """Takes away the code of a cell that only registers; IPython asks it for each piece of code that it compiles."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def visit(self, node: ast.AST) -> Any:
        """The tree to run in place of this one."""
        execution = self._hooks.held()
        if execution is None or not isinstance(node, ast.Module):
            return node
        server = self._hooks.session.server
        code = server.instead(execution.record) if server is not None else ""
        return ast.parse(code)


def _parent_of(shell: Any) -> Any:
    """The request that is being answered; None where there is no kernel."""
    kernel = getattr(shell, "kernel", None)
    return kernel.get_parent("shell") if kernel is not None else None


def _is_the_same(one: Any, other: Any) -> bool:
    """Whether it is the same execution: after an interrupt IPython tells of it in another object."""
    return one is other or (one.raw_cell == other.raw_cell and one.store_history == other.store_history)
