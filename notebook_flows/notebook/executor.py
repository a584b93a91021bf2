"""Cells as tasks: an executor whose attempts run in a kernel, one after the other."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from nbclient.client import timestamp

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome
from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook import endings
from notebook_flows.notebook.document import SKIP_TAG, CellEnd
from notebook_flows.notebook.ears import first_of
from notebook_flows.notebook.endings import Ending, Judged
from notebook_flows.notebook.kernel import SHUTDOWN_S, Kernel, KernelStartError
from notebook_flows.notebook.outputs import CellOutputs, OutputClient
from notebook_flows.notebook.redaction import Redactor
from notebook_flows.notebook.streams import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox
    from notebook_flows.notebook.cells import CellTask
    from notebook_flows.notebook.document import Document

START_TIMEOUT_S = 60.0
STARTS = 2
INTERRUPT_S = 1.0
"""How long a cell may go on after an interrupt, before its kernel is killed."""
STOP_S = 1.9
"""How long `stop` waits for the thread; together with the last kill less than 2 s."""
REPLY_S = 3.0
"""How long after a cell's end its kernel may take to answer: some never do."""
LAST_WORDS_S = 0.2
"""How long what a dead kernel has said may still be on its way."""
SILENCE_S = 10.0
"""After its answer, how long a kernel may publish nothing, not even that it is done."""
ALLOWED_TAG = "raises-exception"


@dataclass(kw_only=True)
class _Running:
    """The cell that runs.

    Attributes:
        call: what was asked for.
        outputs: of the cell.
        began_us: microseconds since 1970, UTC.
        idle: done when the kernel is done with it.
        reply: done when the kernel has answered.
    """

    call: Call
    outputs: CellOutputs
    began_us: int
    message_id: str = ""
    idle: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    reply: asyncio.Future[dict[str, Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    heard_s: float = 0.0


class KernelExecutor:
    """Runs the cells of one notebook in one kernel, for one run.

    Args:
        document: whose cells run; their outputs and states go there.
        kernel: the name of an installed kernel.
        cwd: the folder in which they run.
        flood_file: gives the file for what a cell prints beyond all measure, by its place; or None.
        on_output: called with (place, ``stdout``, ``stderr`` or ``result``, text), in the executor's thread.
        start_timeout_s: how long the kernel may take to start.
        prologue: code that runs in silence before the first cell.
        redactor: takes the values of secrets out of all that the kernel says.

    Attributes:
        exit_cell: the cell in which the notebook has ended itself, counted from 1; 0 if it has not.
        began_us: {place: when the cell began}.
        ends: {place: how the cell has ended}.
    """

    workers = 1
    works_here = False
    is_remote = False
    takes_segments = False

    def __init__(
        self,
        document: Document,
        *,
        kernel: str,
        cwd: Path,
        flood_file: Callable[[int], Path | None] = lambda _: None,
        on_output: Callable[[int, str, str], None] | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        prologue: Sequence[str] = (),
        redactor: Redactor | None = None,
    ) -> None:
        self.name = f"kernel({kernel})"
        self.exit_cell = 0
        self.began_us: dict[int, int] = {}
        self.ends: dict[int, CellEnd] = {}
        self._document = document
        self._kernel_name = kernel
        self._cwd = cwd
        self._start_timeout_s = start_timeout_s
        self._prologue = prologue
        self._redactor = redactor or Redactor(())
        self._given_up = ""
        self._client = OutputClient(
            document, flood_file=flood_file, on_output=on_output, on_idle=self._idle, redactor=self._redactor
        )
        self._inbox: Inbox | None = None
        self._facts: RunFacts | None = None
        self._loop = asyncio.SelectorEventLoop()  # on Windows too: ZeroMQ's sockets want it
        self._calls: asyncio.Queue[Call | None] = asyncio.Queue()
        self._halt = asyncio.Event()
        self._cancelled: tuple[int, int] | None = None
        self._at_once = False
        self._kernel: Kernel | None = None
        self._running: _Running | None = None
        self._broken = ""
        self._thread = threading.Thread(target=self._work, name="notebook-flows-kernel", daemon=True)
        self._guard = threading.Lock()
        self._has_begun = False
        self._has_ended = False

    # -- what the engine calls -------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Begin to start the kernel, before there is a run."""
        with self._guard:
            if not self._has_begun:
                self._has_begun = True
                self._thread.start()

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._inbox, self._facts = inbox, facts
        self.prepare()

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._tell(self._calls.put_nowait, call)

    def work(self) -> bool:
        """Nothing runs in the calling thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """Interrupt the cell if it runs; CANCELLED will come."""
        running = self._running
        if running is None or (running.call.ref, running.call.attempt) != (ref, attempt):
            return False
        self._cancelled = (ref, attempt)
        self._tell(self._halt.set)
        return True

    def give_up(self, reason: str) -> None:
        """Interrupt what runs, and run nothing more: all of it is cancelled. Any thread may ask for it."""
        self._given_up = reason
        self._tell(self._halt.set)

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End: within 2 s where something runs; else the kernel may take 5 s for what it does at exit.

        A cell that is stopped brings no outcome: the engine knows better than we why it was.
        """
        if not self._has_begun or self._has_ended:
            return ()
        if cancel_running:
            self._at_once = True
            self._tell(self._halt.set)
        self._tell(self._calls.put_nowait, None)
        self._thread.join(STOP_S if cancel_running else 2 * SHUTDOWN_S)
        if self._thread.is_alive() and self._kernel is not None:
            self._kernel.kill_now()
            self._thread.join(0.1)
        return ()

    def _tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        with suppress(RuntimeError):  # its loop is closed: it has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    # -- its thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._has_ended = True
            self._loop.close()

    async def _main(self) -> None:
        starting = asyncio.create_task(self._start())
        try:
            while (call := await self._calls.get()) is not None:
                await self._until_started(starting)
                outcome = await self._outcome_of(call)
                if outcome is not None:
                    assert self._inbox is not None
                    self._inbox.put(outcome)
        finally:
            if not starting.done():
                starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            if self._kernel is not None:
                await self._kernel.close(at_once=self._at_once or bool(self._broken))

    async def _until_started(self, starting: asyncio.Task[None]) -> None:
        halt = asyncio.create_task(self._halt.wait())
        await first_of(starting, halt)
        halt.cancel()
        if starting.done() and not starting.cancelled() and starting.exception() is not None:
            self._broken = self._broken or f"The kernel could not be started: {starting.exception()!r}"

    async def _start(self) -> None:
        for attempt in range(1, STARTS + 1):
            self._kernel = Kernel(self._kernel_name, cwd=self._cwd, on_message=self._published, on_reply=self._replied)
            try:
                info = await self._kernel.start(self._start_timeout_s)
            except KernelStartError as error:
                await self._kernel.close(at_once=True)
                if attempt == STARTS:
                    self._broken = str(error)
            else:
                for code in self._prologue:
                    self._kernel.execute_silently(code)
                self._client.kc = self._kernel.client
                with self._document.lock:
                    self._document.notebook.metadata["language_info"] = _as_node(info.get("language_info", {}))
                return

    async def _outcome_of(self, call: Call) -> Outcome | None:
        try:
            return await self._perform(call)
        except Exception as error:  # ours, not the cell's: the run must not wait for ever
            return self._ended(call, S.CRASHED, f"notebook_flows itself failed: {error!r}", time_ns() // 1000)

    # -- one cell --------------------------------------------------------------------------------------------------

    async def _perform(self, call: Call) -> Outcome | None:
        task: Any = call.task
        cell = self._document.notebook.cells[task.place]
        now_us = time_ns() // 1000
        if self._given_up:
            return self._ended(call, S.CANCELLED, self._given_up, now_us)
        if self._halt.is_set():
            return None
        if self._broken:
            self._document.cell_began(task.place, now_us)
            return self._ended(call, S.CRASHED, self._broken, now_us)
        if self.exit_cell:
            return self._ended(call, S.SKIPPED, f"The notebook ended itself in cell {self.exit_cell}.", now_us)
        if SKIP_TAG in cell.metadata.tags:
            return self._ended(call, S.SKIPPED, f"It is tagged {SKIP_TAG!r}.", now_us)
        running = self._begin(call, task, cell, now_us)
        try:
            return await self._until_end(running)
        finally:
            self._running = None
            self._client.end(running.outputs)

    def _begin(self, call: Call, task: CellTask, cell: Any, now_us: int) -> _Running:
        assert self._kernel is not None
        self.began_us[task.place] = now_us
        self._document.cell_began(task.place, now_us)
        sink = sink_of(call.facts.run_id)
        lines = Lines(sink, call.task_key, call.attempt) if sink is not None else None
        with self._document.lock:
            running = _Running(call=call, outputs=self._client.begin(task.place, lines), began_us=now_us)
        self._running = running
        running.message_id = self._kernel.execute(
            cell.source, cell_id=str(cell.get("id", "")), stop_on_error=ALLOWED_TAG not in cell.metadata.tags
        )
        self._client.expect(running.outputs, running.message_id)
        return running

    async def _until_end(self, running: _Running) -> Outcome | None:
        kernel = self._kernel
        assert kernel is not None
        judged = self._judged(running)
        halt = asyncio.create_task(self._halt.wait())
        try:
            await first_of(running.idle, kernel.died, halt, timeout_s=running.call.timeout_s)
        finally:
            halt.cancel()
        if not running.idle.done() and halt.done() and not halt.cancelled():
            return await self._halted(running, judged)
        if not running.idle.done() and not kernel.died.done():
            was_interrupted = await self._interrupted(running)
            ending = endings.too_late(judged, running.call.timeout_s or 0, was_interrupted=was_interrupted)
            return self._told(running, ending)
        if kernel.died.done():
            await asyncio.sleep(LAST_WORDS_S)
        elif not running.reply.done():
            await first_of(running.reply, kernel.died, timeout_s=REPLY_S)
        if running.idle.done() and running.reply.done():
            has_error, stderr = running.outputs.has_error, self._stderr_of(running)
            return self._told(
                running, endings.answered(judged, running.reply.result(), has_error=has_error, stderr=stderr)
            )
        if kernel.died.done():
            ending = endings.died(judged, kernel.died.result(), self._redactor.text(kernel.last_words().strip()))
            self._broken = ending.message
            return self._told(running, ending)
        return self._told(running, endings.unanswered(judged, self._stderr_of(running)))

    async def _halted(self, running: _Running, judged: Judged) -> Outcome | None:
        """The run is being stopped, or this cell alone is cancelled."""
        was_interrupted = await self._interrupted(running)
        if self._given_up and not self._at_once:
            return self._told(running, endings.cancelled(judged, was_interrupted=was_interrupted))
        if self._cancelled != (running.call.ref, running.call.attempt) or self._at_once:
            return None
        self._cancelled = None
        self._halt.clear()
        return self._told(running, endings.cancelled(judged, was_interrupted=was_interrupted))

    def _idle(self, outputs: CellOutputs) -> None:
        running = self._running
        if running is not None and running.outputs is outputs and not running.idle.done():
            running.idle.set_result(None)

    def _published(self, message: dict[str, Any]) -> None:
        if self._running is not None:
            self._running.heard_s = self._loop.time()
        self._client.take(message if not self._redactor else self._redacted(message))

    def _redacted(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message without the values of secrets; printed text is left to the cell, for it comes in pieces."""
        if message["msg_type"] in {"stream", "status"}:
            return message
        return {**message, "content": self._redactor.value(message["content"])}

    def _look_for_silence(self, running: _Running) -> None:
        """The kernel has answered: when it also publishes nothing more, the cell has ended, whatever got lost."""
        quiet_s = self._loop.time() - running.heard_s
        if running.idle.done():
            return
        if quiet_s >= SILENCE_S:
            running.idle.set_result(None)
        else:
            self._loop.call_later(SILENCE_S - quiet_s, self._look_for_silence, running)

    def _replied(self, message: dict[str, Any]) -> None:
        running = self._running
        if (
            running is not None
            and message["parent_header"].get("msg_id") == running.message_id
            and not running.reply.done()
        ):
            with self._document.lock:
                self._client.replied(running.outputs, timestamp(message))
            content = message["content"]
            told = {
                key: self._redactor.value(content[key]) for key in ("ename", "evalue", "traceback") if key in content
            }
            running.reply.set_result({**content, **told})
            self._look_for_silence(running)

    # -- how it ends -----------------------------------------------------------------------------------------------

    def _judged(self, running: _Running) -> Judged:
        task: Any = running.call.task
        cell = self._document.notebook.cells[task.place]
        return Judged(number=task.number, path=self._document.input_path, may_raise=ALLOWED_TAG in cell.metadata.tags)

    def _stderr_of(self, running: _Running) -> str:
        with self._document.lock:
            running.outputs.streams.settle()
            outputs = self._document.notebook.cells[running.outputs.place].outputs
            return "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stderr")

    def _told(self, running: _Running, ending: Ending) -> Outcome:
        """The outcome for the engine, once the log and the outputs have what they lack."""
        if ending.ends_notebook:
            self.exit_cell = self._judged(running).number
        lines = running.outputs.lines
        if ending.log and lines is not None:
            lines.end()
            lines.say(40, "error", ending.log)
        if ending.adds_error is not None:
            name, value = ending.adds_error
            output = {"output_type": "error", "ename": name, "evalue": value, "traceback": [f"{name}: {value}"]}
            with self._document.lock:
                self._document.notebook.cells[running.outputs.place].outputs.append(_as_node(output))
        return self._ended(
            running.call, ending.state, ending.message, running.began_us, ending.error, dict(ending.details) or None
        )

    async def _interrupted(self, running: _Running) -> bool:
        """Interrupt the cell; False: that was not enough, and its kernel was killed."""
        kernel = self._kernel
        assert kernel is not None
        await kernel.interrupt()
        await first_of(running.idle, kernel.died, timeout_s=INTERRUPT_S)
        if running.idle.done():
            return True
        await kernel.kill()
        self._broken = "The kernel was killed."
        return False

    def _ended(
        self,
        call: Call,
        state: S,
        message: str,
        began_us: int,
        value: Any = None,
        details: dict[str, Any] | None = None,
    ) -> Outcome:
        task: Any = call.task
        now_us = time_ns() // 1000
        self._document.cell_ended(task.place, state, began_us, now_us)
        self.ends[task.place] = CellEnd(state=state, began_us=began_us, ended_us=now_us, message=message)
        return Outcome(call.ref, call.attempt, state, value, message, began_us, now_us, details)

    def finish_widgets(self) -> None:
        """Write the state of the widgets into the notebook."""
        with self._document.lock:
            self._client.set_widgets_metadata()


def _as_node(known: Any) -> Any:
    import nbformat

    return nbformat.from_dict(known)
