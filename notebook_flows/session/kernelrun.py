"""One run of cells in this kernel: made ready on the main thread, led by the engine in another, ended on the main thread."""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.stopping import cancel_run
from notebook_flows.session.cellflow import flow_of_cells
from notebook_flows.session.landing import snapshot
from notebook_flows.session.mainlane import MainLane
from notebook_flows.session.runcells import RunCells
from notebook_flows.session.runlanding import land_run
from notebook_flows.session.runorder import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core import state as api
    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run
    from notebook_flows.engine.ports import Observer
    from notebook_flows.session.livepicture import LivePicture
    from notebook_flows.session.outputs import RecordingSink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import Order
    from notebook_flows.session.runvalues import Version
    from notebook_flows.session.shownpicture import Following
    from notebook_flows.session.tail import LateFollowing
    from notebook_flows.session.terminalpicture import TerminalPicture
    from notebook_flows.session.textpicture import TextPicture

STOPPING_S = 2.0
_MADE = frozenset({S.SUCCESS, S.CACHED})


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
        self._bound_by = bound_by
        self._observers = observers
        self._recorded: Run | None = None
        self._cells = RunCells(order, shell=shell, sink=sink, kept=kept, bound_by=bound_by, main=self.main)
        self.tasks = self._cells.tasks
        self.flow = flow_of_cells(order.name, self.tasks, order.connections)
        self.picture: LivePicture | TerminalPicture | TextPicture | None = None
        self.followers: list[Following | LateFollowing] = []
        self.run_id = uuid.uuid4().hex
        self._since: dict[str, Any] = {}
        self._state: api.State | None = None
        self._problem: BaseException | None = None
        self.was_ended = False
        self._was_stopped = False
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None

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
                executor=self._cells.executor,
                history=self.order.history,
                observers=[self._hear, *self._observers],
                keep_results=False,
                flow_run_id=self.run_id,
                reuse_by=self._cells.memory.reuse if self._cells.memory is not None else None,
            )
        except BaseException as error:  # raised again, or told, on the main thread
            self._problem = error
        finally:
            self._cells.turns.close()
            self._has_ended.set()
            self.main.wake_up()

    def _hear(self, run: Run, events: Sequence[Event]) -> None:
        """The engine's first events: what it records from now on is seen here."""
        del events
        self._recorded = run

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

    def ask_to_stop(self, reason: str = "") -> None:
        """Stop the run as Ctrl-C does; returns at once.

        Args:
            reason: what the history says of it; nothing: it was Ctrl-C.
        """
        self._was_stopped = True
        if reason:
            cancel_run(self.run_id, reason)
        self._cells.executor.interrupt()
        self.main.interrupt()
        self._cells.turns.close()

    # -- looked at while it goes on ------------------------------------------------------------------------------------

    def peek_inputs(self, key: str) -> dict[str, Any]:
        """The values that a cell takes from this run, as far as they are made; any thread may look."""
        return self._cells.values.inputs_of(key)

    def peek_outputs(self, key: str) -> dict[str, Any]:
        """What a cell has bound in this run; nothing before it has ended; any thread may look."""
        made = self._cells.values.done.get(key)
        return dict(made.bound) if made is not None else {}

    # -- ended ---------------------------------------------------------------------------------------------------------

    def end(self) -> Report:
        """Land what was made; on the main thread, between two cells."""
        self.was_ended = True
        self.main.close()
        recorded = {} if self._recorded is None else dict(zip(self.keys, self._recorded.state, strict=True))
        states = {key: self._cells.state_of(key, self._state, recorded.get(key)) for key in self.tasks}
        done = {key: values for key, values in self._cells.values.done.items() if states[key] in _MADE}
        found = land_run(
            done,
            self.order,
            self._shell.user_ns,
            bound_by=self._bound_by,
            since=self._since if self.order.is_background else None,
        )
        report = Report(
            run_id=self.run_id if self._recorded is not None else "",
            flow=self.flow,
            tasks=self.tasks,
            state=self._state,
            states=states,
            values=done,
            landed=found.landed,
            replaced=found.replaced,
            left=found.left,
            still_running=self._cells.executor.still_running,
            was_stopped=self._was_stopped or isinstance(self._problem, KeyboardInterrupt),
            problem=self._problem,
        )
        self._cells.forget()
        self._state = self._problem = self._recorded = None  # they hold values, and somebody may yet hold this run
        self._since = {}
        return report

    @property
    def keys(self) -> list[str]:
        """Of the cells, in the order of the flow's tasks."""
        return [key for key in self.order.connections.cells if key in self.tasks]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
