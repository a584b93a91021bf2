"""Cells as tasks: an executor whose attempts run in one kernel, ordinary cells alone, task cells side by side."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import LogLine, Outcome
from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook.attached import carried_in
from notebook_flows.notebook.attempts import TEXT, TOLD, CellAttempt
from notebook_flows.notebook.document import SKIP_TAG, CellEnd
from notebook_flows.notebook.ears import first_of
from notebook_flows.notebook.kernel import SHUTDOWN_S, Kernel, KernelStartError
from notebook_flows.notebook.outputs import CellOutputs, OutputClient
from notebook_flows.notebook.redaction import Redactor, StreamRedactor
from notebook_flows.notebook.room import Room
from notebook_flows.notebook.streams import Lines
from notebook_flows.notebook.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.memory import CellMemory
    from notebook_flows.notebook.pool import KernelPool

START_TIMEOUT_S = 60.0
STARTS = 2
STOP_S = 1.9
"""How long `stop` waits for the thread; together with the last kill less than 2 s."""
FEWEST_WORKERS = 4
"""How many task cells may run side by side at least: many of them wait for disks and networks."""
STRAY_S = 1.0
"""How long a kernel may take to end while threads go on in it that nobody can stop."""
TOO_MUCH = "Tasks that run side by side print more past Python than is kept here."
NOT_CHOSEN = "Not chosen for this run."


def workers_here() -> int:
    """How many task cells run side by side, unless said otherwise."""
    return max(FEWEST_WORKERS, os.cpu_count() or 1)


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
        left_out: the places of cells that are not to run.
        session: code that makes the kernel ready for task cells; None where the notebook has none.
        workers: how many task cells may run side by side.
        note: a sentence for the run's log, about how it is run; empty: none.
        pool: where the kernel comes from; None: it is started from nothing.
        memory: of earlier runs; None: nothing is taken from them, and nothing is kept.

    Attributes:
        began_us: {place: when the cell began}.
        ends: {place: how the cell has ended}.
    """

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
        left_out: Collection[int] = (),
        session: str | None = None,
        workers: int = 1,
        note: str = "",
        pool: KernelPool | None = None,
        memory: CellMemory | None = None,
    ) -> None:
        self.name = f"kernel({kernel})"
        self.workers = workers
        self._document = document
        self._kernel_name = kernel
        self._cwd = cwd
        self._start_timeout_s = start_timeout_s
        self._prologue = prologue
        self._left_out = left_out
        self._redactor = redactor or Redactor(())
        self._session = session
        self._note = note
        self._pool = pool
        self._given_up = ""
        self._client = OutputClient(
            document, flood_file=flood_file, on_output=on_output, on_idle=self._idle, redactor=self._redactor
        )
        self._nobodys: Lines | None = None
        self._nobodys_redactor = StreamRedactor(self._redactor)
        self._inbox: Inbox | None = None
        self._facts: RunFacts | None = None
        self._loop = asyncio.SelectorEventLoop()  # on Windows too: ZeroMQ's sockets want it
        self._calls: asyncio.Queue[Call | None] = asyncio.Queue()
        self._room = Room(
            document=document,
            client=self._client,
            turns=Turns(workers),
            halt=asyncio.Event(),
            redactor=self._redactor,
            memory=memory,
        )
        self.began_us = self._room.began_us
        self.ends = self._room.ends
        self._thread = threading.Thread(target=self._work, name="notebook-flows-kernel", daemon=True)
        self._guard = threading.Lock()
        self._has_begun = False
        self._has_ended = False

    @property
    def exit_cell(self) -> int:
        """The cell in which the notebook has ended itself, counted from 1; 0 if it has not."""
        return self._room.exit_cell

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
        sink = sink_of(facts.run_id)
        if sink is not None:
            self._nobodys = Lines(sink, -1, 0, too_much=TOO_MUCH)
        if self._note and sink is not None:
            sink([LogLine(time_ns() // 1000, 20, "notebook_flows", self._note, -1, -1, 0)])
        self.prepare()

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        self._tell(self._calls.put_nowait, call)

    def work(self) -> bool:
        """Nothing runs in the calling thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """Stop the cell if it runs; CANCELLED will come."""
        for one in tuple(self._room.inside.values()):
            if (one.call.ref, one.call.attempt) == (ref, attempt):
                self._tell(one.cancelled.set)
                return True
        return False

    def give_up(self, reason: str) -> None:
        """Interrupt what runs, and run nothing more: all of it is cancelled. Any thread may ask for it."""
        self._given_up = reason
        self._tell(self._cancel_all)

    def _cancel_all(self) -> None:
        for one in self._room.inside.values():
            one.cancelled.set()

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End: within 2 s where something runs; else the kernel may take 5 s for what it does at exit.

        A cell that is stopped brings no outcome: the engine knows better than we why it was.
        """
        if not self._has_begun or self._has_ended:
            return ()
        if cancel_running:
            self._room.is_ending_at_once = True
            self._tell(self._room.halt.set)
        self._tell(self._calls.put_nowait, None)
        self._thread.join(STOP_S if cancel_running else 2 * SHUTDOWN_S)
        kernel = self._room.kernel
        if self._thread.is_alive() and kernel is not None:
            kernel.kill_now()
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
        room = self._room
        starting = asyncio.create_task(self._start())
        under_way: set[asyncio.Task[None]] = set()
        try:
            while (call := await self._calls.get()) is not None:
                one = asyncio.create_task(self._serve(call, starting))
                under_way.add(one)
                one.add_done_callback(under_way.discard)
            if under_way:
                await asyncio.gather(*under_way)
            await room.settle()
        finally:
            if not starting.done():
                starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            if room.kernel is not None:
                at_once = room.is_ending_at_once or bool(room.broken)
                await room.kernel.close(at_once=at_once, patience_s=STRAY_S if room.strays else SHUTDOWN_S)
            self._end_nobodys_text()

    async def _serve(self, call: Call, starting: asyncio.Task[None]) -> None:
        await self._until_started(starting)
        outcome = await self._outcome_of(call)
        if outcome is not None:
            assert self._inbox is not None
            self._inbox.put(outcome)

    async def _until_started(self, starting: asyncio.Task[None]) -> None:
        if starting.done():
            return
        halt = asyncio.create_task(self._room.halt.wait())
        await first_of(starting, halt)
        halt.cancel()
        if starting.done() and not starting.cancelled() and starting.exception() is not None:
            self._room.broken = self._room.broken or f"The kernel could not be started: {starting.exception()!r}"

    async def _start(self) -> None:
        for attempt in range(1, STARTS + 1):
            kernel = Kernel(
                self._kernel_name,
                cwd=self._cwd,
                on_message=self._published,
                on_reply=self._replied,
                pool=self._pool if attempt == 1 else None,
            )
            self._room.kernel = kernel
            try:
                info = await kernel.start(self._start_timeout_s)
                if self._session is not None:
                    await self._load_session(kernel, self._session)
            except KernelStartError as error:
                await kernel.close(at_once=True)
                if attempt == STARTS:
                    self._room.broken = str(error)
            else:
                for code in self._prologue:
                    kernel.execute_silently(code)
                self._client.kc = kernel.client
                with self._document.lock:
                    self._document.notebook.metadata["language_info"] = _as_node(info.get("language_info", {}))
                return

    async def _load_session(self, kernel: Kernel, code: str) -> None:
        answer = await kernel.ask(code, self._start_timeout_s)
        if answer.get("status") != "ok":
            error = f"{answer.get('ename', 'Error')}: {answer.get('evalue', '')}"
            self._room.broken = (
                f"The kernel {self._kernel_name!r} cannot run task cells: {error}. They need notebook_flows in the "
                "kernel's own environment: install it there, or choose another kernel."
            )

    async def _outcome_of(self, call: Call) -> Outcome | None:
        task: Any = call.task
        try:
            async with self._room.turns.turn(task.lane):
                return await self._perform(call)
        except Exception as error:  # ours, not the cell's: the run must not wait for ever
            return self._unbegun(call, S.CRASHED, f"notebook_flows itself failed: {error!r}")

    async def _perform(self, call: Call) -> Outcome | None:
        task: Any = call.task
        room = self._room
        if self._given_up:
            return self._unbegun(call, S.CANCELLED, self._given_up)
        if room.halt.is_set():
            return None
        if room.broken:
            self._document.cell_began(task.place, time_ns() // 1000)
            return self._unbegun(call, S.CRASHED, room.broken)
        if room.exit_cell:
            return self._unbegun(call, S.SKIPPED, f"The notebook ended itself in cell {room.exit_cell}.")
        if task.place in self._left_out:
            return self._unbegun(call, S.SKIPPED, NOT_CHOSEN)
        if SKIP_TAG in self._document.notebook.cells[task.place].metadata.tags:
            return self._unbegun(call, S.SKIPPED, f"It is tagged {SKIP_TAG!r}.")
        if room.memory is not None and (taken := room.memory.instead(task)) is not None:
            self._document.mark_cached(task.place, taken.details["cached"], taken.outputs)
            return self._unbegun(call, S.CACHED, taken.message, taken.details)
        assert room.kernel is not None
        return await CellAttempt(call, room, room.kernel).run()

    def _unbegun(self, call: Call, state: S, message: str, details: Mapping[str, Any] | None = None) -> Outcome:
        """The outcome of a cell that does not get as far as the kernel."""
        task: Any = call.task
        now_us = time_ns() // 1000
        self._document.cell_ended(task.place, state, now_us, now_us)
        self.ends[task.place] = CellEnd(state=state, began_us=now_us, ended_us=now_us, message=message)
        return Outcome(call.ref, call.attempt, state, None, message, now_us, now_us, details)

    # -- what the kernel says --------------------------------------------------------------------------------------

    def _idle(self, outputs: CellOutputs) -> None:
        one = self._room.inside.get(outputs.message_id)
        if one is not None:
            one.become_idle()

    def _published(self, message: dict[str, Any]) -> None:
        one = self._room.inside.get(message["parent_header"].get("msg_id", ""))
        if one is not None:
            one.heard()
        carried = carried_in(message)
        if carried is not None:
            if one is not None:
                one.attach(carried)
            return
        if message["msg_type"] == TEXT:
            self._take_nobodys_text(message["content"]["name"], message["content"]["text"])
            return
        if self._redactor:
            message = self._redacted(message)
        if message["msg_type"] != TOLD:
            self._client.take(message)
        elif one is not None:  # else it was given up: its end comes too late
            one.told(message)

    def _take_nobodys_text(self, name: str, text: str) -> None:
        """Several task cells may have written it: it is in the run's log, below none of them."""
        if self._nobodys is not None:
            self._nobodys.add(name, self._nobodys_redactor.feed(name, text))

    def _end_nobodys_text(self) -> None:
        if self._nobodys is not None:
            for name, text in self._nobodys_redactor.end().items():
                self._nobodys.add(name, text)
            self._nobodys.end()

    def _redacted(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message without the values of secrets; printed text is left to the cell, for it comes in pieces."""
        if message["msg_type"] in {"stream", "status"}:
            return message
        return {**message, "content": self._redactor.value(message["content"])}

    def _replied(self, message: dict[str, Any]) -> None:
        one = self._room.inside.get(message["parent_header"].get("msg_id", ""))
        if one is not None:
            one.replied(message)

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish_widgets(self) -> None:
        """Write the state of the widgets into the notebook."""
        with self._document.lock:
            self._client.set_widgets_metadata()


def _as_node(known: Any) -> Any:
    import nbformat

    return nbformat.from_dict(known)
