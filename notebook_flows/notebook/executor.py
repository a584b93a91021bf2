"""Cells as tasks: an executor whose attempts run in a kernel, one after the other."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from nbclient.client import timestamp

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Outcome
from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook.document import SKIP_TAG, CellEnd
from notebook_flows.notebook.errors import CellError
from notebook_flows.notebook.kernel import SHUTDOWN_S, Kernel, KernelStartError, first_of
from notebook_flows.notebook.outputs import CellOutputs, OutputClient
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
LONGEST_MESSAGE = 500
ALLOWED_TAG = "raises-exception"
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_GROUP = re.compile(r"(?P<name>\w*ExceptionGroup): (?P<value>.*)")
_GOOD_EXITS = frozenset({"", "0", "None"})


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

    Attributes:
        exit_cell: the cell in which the notebook has ended itself, counted from 1; 0 if it has not.
        is_dead: the kernel has died by itself.
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
    ) -> None:
        self.name = f"kernel({kernel})"
        self.exit_cell = 0
        self.is_dead = False
        self.began_us: dict[int, int] = {}
        self.ends: dict[int, CellEnd] = {}
        self._document = document
        self._kernel_name = kernel
        self._cwd = cwd
        self._start_timeout_s = start_timeout_s
        self._client = OutputClient(document, flood_file=flood_file, on_output=on_output, on_idle=self._idle)
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
            return await self._until_end(running, task)
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

    async def _until_end(self, running: _Running, task: CellTask) -> Outcome | None:
        kernel = self._kernel
        assert kernel is not None
        halt = asyncio.create_task(self._halt.wait())
        try:
            await first_of(running.idle, kernel.died, halt, timeout_s=running.call.timeout_s)
            if not running.idle.done() and halt.done():
                return await self._halted(running, task)
            if not running.idle.done() and not kernel.died.done():
                return await self._too_late(running, task)
            if not running.reply.done():
                if not kernel.died.done():
                    await first_of(running.reply, kernel.died, timeout_s=REPLY_S)
                else:
                    await first_of(running.reply, timeout_s=LAST_WORDS_S)
        finally:
            halt.cancel()
        if running.idle.done() and running.reply.done():
            return self._answered(running, task, running.reply.result())
        if kernel.died.done():
            return await self._died(running, task, kernel)
        return self._unanswered(running, task)

    def _idle(self, outputs: CellOutputs) -> None:
        running = self._running
        if running is not None and running.outputs is outputs and not running.idle.done():
            running.idle.set_result(None)

    def _published(self, message: dict[str, Any]) -> None:
        if self._running is not None:
            self._running.heard_s = self._loop.time()
        self._client.take(message)

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
            running.reply.set_result(message["content"])
            self._look_for_silence(running)

    # -- how it ends -----------------------------------------------------------------------------------------------

    def _answered(self, running: _Running, task: CellTask, reply: dict[str, Any]) -> Outcome:
        call, began_us = running.call, running.began_us
        if reply.get("status") == "ok":
            if any(one.get("source") == "ask_exit" for one in reply.get("payload", ())):
                self.exit_cell = task.number
            return self._ended(call, S.SUCCESS, "", began_us)
        name, value = str(reply.get("ename", "Error")), str(reply.get("evalue", ""))
        if reply.get("status") == "aborted":
            return self._ended(call, S.FAILED, f"{task.label} was not run: its kernel aborted it.", began_us)
        if not running.outputs.has_error:
            return self._unanswered(running, task)
        if name == "SystemExit" and value in _GOOD_EXITS:
            self.exit_cell = task.number
            return self._ended(call, S.SUCCESS, "It ended the notebook.", began_us)
        if self._is_allowed(task):
            return self._ended(call, S.SUCCESS, f"It raised {name}, as it may.", began_us)
        traceback = _COLOURS.sub("", "\n".join(map(str, reply.get("traceback", ()))))
        error = CellError(self._document.input_path, task.number, name, _short(value), traceback)
        if running.outputs.lines is not None:
            running.outputs.lines.end()
            running.outputs.lines.say(40, "error", traceback or f"{name}: {value}")
        shown = f"{name}: {_short(value)}" if value else name
        if name == "SystemExit":
            shown = f"sys.exit({_short(value)})"
        details = {"error": name, "traceback": traceback}
        return self._ended(call, S.FAILED, f"{task.label} failed: {shown}", began_us, error, details)

    def _is_allowed(self, task: CellTask) -> bool:
        return ALLOWED_TAG in self._document.notebook.cells[task.place].metadata.tags

    def _unanswered(self, running: _Running, task: CellTask) -> Outcome:
        """It is done, and its kernel has not said how, or has repeated what it said of an earlier cell."""
        told = _GROUP.search(self._stderr_of(running))
        name = told["name"] if told else "UntoldError"
        value = told["value"].strip() if told else "an exception that the kernel could not tell; see the output above"
        if self._is_allowed(task):
            return self._ended(running.call, S.SUCCESS, "It raised an exception, as it may.", running.began_us)
        error = CellError(self._document.input_path, task.number, name, value)
        output = {"output_type": "error", "ename": name, "evalue": value, "traceback": [f"{name}: {value}"]}
        with self._document.lock:
            self._document.notebook.cells[running.outputs.place].outputs.append(_as_node(output))
        message = f"{task.label} failed: {name}: {value}"
        return self._ended(running.call, S.FAILED, message, running.began_us, error, {"error": name})

    def _stderr_of(self, running: _Running) -> str:
        with self._document.lock:
            running.outputs.streams.settle()
            outputs = self._document.notebook.cells[running.outputs.place].outputs
            return "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stderr")

    async def _died(self, running: _Running, task: CellTask, kernel: Kernel) -> Outcome:
        await asyncio.sleep(LAST_WORDS_S)
        self.is_dead = True
        self._broken = f"The kernel died in {task.label[0].lower()}{task.label[1:]}: {kernel.died.result()}."
        words = kernel.last_words().strip()
        details = {"error": "DeadKernelError", **({"traceback": words} if words else {})}
        if words and running.outputs.lines is not None:
            running.outputs.lines.say(40, "kernel", words)
        error = CellError(self._document.input_path, task.number, "DeadKernelError", kernel.died.result())
        return self._ended(running.call, S.CRASHED, self._broken, running.began_us, error, details)

    async def _too_late(self, running: _Running, task: CellTask) -> Outcome:
        timeout_s = running.call.timeout_s
        how = (
            "was interrupted" if await self._interrupted(running) else "ignored the interrupt, so its kernel was killed"
        )
        sentence = f"{task.label} took longer than its timeout of {timeout_s:g} s and {how}."
        return self._ended(running.call, S.TIMED_OUT, sentence, running.began_us, TimeoutError(sentence))

    async def _halted(self, running: _Running, task: CellTask) -> Outcome | None:
        was_interrupted = await self._interrupted(running)
        if self._cancelled != (running.call.ref, running.call.attempt) or self._at_once:
            return None
        self._cancelled = None
        self._halt.clear()
        how = "" if was_interrupted else "; it ignored the interrupt, so its kernel was killed"
        return self._ended(running.call, S.CANCELLED, f"{task.label} was cancelled{how}.", running.began_us)

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


def _short(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."


def _as_node(known: Any) -> Any:
    import nbformat

    return nbformat.from_dict(known)
