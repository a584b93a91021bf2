"""One attempt of one cell, from the request that starts it to the outcome for the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING, Any

from nbclient.client import timestamp

from notebook_flows.core.lifecycle import IS_FAILED, S
from notebook_flows.engine.call import LogLine, Outcome
from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook import endings
from notebook_flows.notebook.attached import attach, is_large
from notebook_flows.notebook.document import CellEnd
from notebook_flows.notebook.ears import first_of
from notebook_flows.notebook.endings import Ending, Judged
from notebook_flows.notebook.retries import retried
from notebook_flows.notebook.serving import asking, cancelling
from notebook_flows.notebook.streams import Lines
from notebook_flows.notebook.timelimit import TimeLimit
from notebook_flows.notebook.turns import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.engine.call import Call
    from notebook_flows.notebook.cells import CellTask
    from notebook_flows.notebook.kernel import Kernel
    from notebook_flows.notebook.memory import CellMemory
    from notebook_flows.notebook.room import Room

INTERRUPT_S = 1.0
"""How long a cell may go on after an interrupt, before its kernel is killed, while somebody waits for the prompt."""
PATIENCE_S = 4.0
"""How much longer it may where nobody does, but its time is up: a kernel that is killed takes all values with it."""
REPLY_S = 3.0
"""How long after a cell's end its kernel may take to answer: some never do."""
LAST_WORDS_S = 0.2
"""How long what a dead kernel has said may still be on its way."""
SILENCE_S = 10.0
"""After its answer, how long a kernel may publish nothing, not even that it is done."""
ASK_EVERY_S = 30.0
"""How long nothing may be said of a task cell's end before the session is asked whether it goes on."""
LATE_S = 5.0
"""How long its end may still be on its way after the session has said that it does not."""
ALLOWED_TAG = "raises-exception"
TOLD = "notebook_flows_task"
"""The type of the message by which a kernel tells that a task cell has ended."""
WAITING, RUNNING = "waiting", "running"
"""What such a message says of a cell that waits for others, and of one that has waited; all else is an end."""
TEXT = "notebook_flows_text"
"""The type of the message with text that several task cells may have written, past Python."""


class CellAttempt:
    """A cell that runs.

    Its end is what its request comes to: the answer, and that the kernel is idle. A task cell's request only starts it,
    unless it runs in the kernel's main thread; how it has ended comes in a message of its own.

    Attributes:
        number: of the cell, 1 for the first that runs.
        has_ended: done when it holds nothing in the kernel any more.
        cancelled: set when this attempt alone is to be stopped.
    """

    def __init__(self, call: Call, room: Room, kernel: Kernel) -> None:
        task: Any = call.task
        self._loop = asyncio.get_running_loop()
        self.call = call
        self.task: CellTask = task
        self.number: int = task.number
        self.has_ended: asyncio.Future[None] = self._loop.create_future()
        self.cancelled = asyncio.Event()
        self._room = room
        self._kernel = kernel
        self._began_us = time_ns() // 1000
        self._heard_s = 0.0
        self._idle: asyncio.Future[None] = self._loop.create_future()
        self._reply: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._told: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._message_id = ""
        self._keeping: list[asyncio.Future[None]] = []
        self._limit = TimeLimit(call.timeout_s)
        cell = room.document.notebook.cells[task.place]
        self._judged = Judged(
            number=task.number, path=room.document.input_path, may_raise=ALLOWED_TAG in cell.metadata.tags
        )

    async def run(self) -> Outcome | None:
        """Run it; None: the run is being stopped, and the engine knows better than we why."""
        self._begin()
        try:
            outcome = await self._until_end()
            if self._keeping:
                await asyncio.gather(*self._keeping)
            return outcome
        finally:
            self._room.inside.pop(self._message_id, None)
            self._room.client.end(self._outputs)
            self.has_ended.set_result(None)

    def _begin(self) -> None:
        room, task, call = self._room, self.task, self.call
        cell = room.document.notebook.cells[task.place]
        room.began_us[task.place] = self._began_us
        room.document.cell_began(task.place, self._began_us)
        sink = sink_of(call.facts.run_id)
        lines = Lines(sink, call.task_key, call.attempt) if sink is not None else None
        with room.document.lock:
            self._outputs = room.client.begin(task.place, lines)
        self._message_id = self._kernel.execute(
            cell.source,
            cell_id=str(cell.get("id", "")),
            stop_on_error=not task.is_task and not self._judged.may_raise,
            more=self._order(),
        )
        room.inside[self._message_id] = self
        room.client.expect(self._outputs, self._message_id)

    def _order(self) -> dict[str, Any] | None:
        """What the session in the kernel has to know of a task."""
        if not self.task.is_task:
            return None
        order = {
            "task": self.task.key,
            "attempt": self.call.attempt,
            "executor": self.task.lane.value,
            "timeout_s": self.call.timeout_s,
        }
        memory = self._room.memory
        return {"notebook_flows": {**order, "memory": memory.order(self.task, self.call.attempt)} if memory else order}

    # -- what the kernel says --------------------------------------------------------------------------------------

    def heard(self) -> None:
        """It has published something of this cell."""
        self._heard_s = self._loop.time()

    def attach(self, carried: Mapping[str, Any]) -> None:
        """The cell has attached something; the attempt ends when that is kept."""
        redactor = self._room.redactor
        if is_large(carried):
            self._keeping.append(self._loop.run_in_executor(None, attach, self.call, carried, redactor))
        else:
            attach(self.call, carried, redactor)

    def become_idle(self) -> None:
        """The kernel is done with the request."""
        if not self._idle.done():
            self._idle.set_result(None)
        if self.task.is_task and not self._told.done():
            self._outputs.is_idle = False  # the request is over, the task is not

    def replied(self, message: dict[str, Any]) -> None:
        """The kernel has answered the request."""
        if self._reply.done():
            return
        with self._room.document.lock:
            self._room.client.replied(self._outputs, timestamp(message))
        content, redactor = message["content"], self._room.redactor
        shown = {key: redactor.value(content[key]) for key in ("ename", "evalue", "traceback") if key in content}
        self._reply.set_result({**content, **shown})
        self._look_for_silence()

    def told(self, message: dict[str, Any]) -> None:
        """The session in the kernel tells that a task has ended, or that it waits: this one, if it names this attempt."""
        content = message["content"]
        if content.get("task") != self.task.key or content.get("attempt") != self.call.attempt or self._told.done():
            return
        if content.get("state") == WAITING:
            self._limit.stop()
            return
        if content.get("state") == RUNNING:
            self._limit.go_on()
            return
        with self._room.document.lock:
            self._room.client.told(self._outputs, timestamp(message), content.get("execution_count"))
        self._told.set_result(content)

    def _look_for_silence(self) -> None:
        """The kernel has answered: when it also publishes nothing more, the request is over, whatever got lost."""
        quiet_s = self._loop.time() - self._heard_s
        if self._idle.done():
            return
        if quiet_s >= SILENCE_S:
            self._idle.set_result(None)
        else:
            self._loop.call_later(SILENCE_S - quiet_s, self._look_for_silence)

    # -- until it ends ---------------------------------------------------------------------------------------------

    async def _until_end(self) -> Outcome | None:
        kernel = self._kernel
        over = asyncio.create_task(self._over())
        halt = asyncio.create_task(self._room.halt.wait())
        cancelled = asyncio.create_task(self.cancelled.wait())
        self._limit.go_on()
        try:
            await first_of(over, kernel.died, halt, cancelled, self._limit.is_up)
            if not over.done() and kernel.died.done():
                await asyncio.wait({over}, timeout=LAST_WORDS_S)
            if over.done():
                return self._ended(over.result())
            if kernel.died.done():
                return self._ended(self._died())
            if halt.done():
                await self._stopped(halt, cancelled)
                return None
            was_interrupted = await self._stopped(halt, cancelled)
            if cancelled.done():
                return self._ended(endings.cancelled(self._judged, was_stopped=was_interrupted))
            ending = endings.too_late(self._judged, self.call.timeout_s or 0, was_stopped=was_interrupted)
            return self._ended(ending)
        finally:
            self._limit.stop()
            for waiting in (over, halt, cancelled):
                waiting.cancel()

    async def _over(self) -> Ending:
        """How it ended by itself."""
        kernel = self._kernel
        if self.task.is_task:
            await first_of(self._told, self._reply, self._idle)
            if not self._told.done():
                await first_of(self._told, self._reply, timeout_s=REPLY_S)
            if not self._told.done() and self._reply.done() and self._reply.result().get("status") == "ok":
                return await self._until_told()
            if self._told.done():
                return endings.told(self._judged, self._told.result())
        else:
            await self._idle
            if not self._reply.done():
                await first_of(self._reply, kernel.died, timeout_s=REPLY_S)
        if self._reply.done():
            return endings.answered(
                self._judged, self._reply.result(), has_error=self._outputs.has_error, stderr=self._stderr()
            )
        if kernel.died.done():
            return self._died()
        return endings.unanswered(self._judged, self._stderr())

    async def _until_told(self) -> Ending:
        """The cell goes on in the kernel for as long as it likes; a lost message must not keep the run waiting for ever."""
        asked = asking(self.task.key, self.call.attempt)
        while True:
            await first_of(self._told, timeout_s=ASK_EVERY_S)
            if not self._told.done() and await self._kernel.refuses(asked, unless=self._told):
                await first_of(self._told, timeout_s=LATE_S)
                if not self._told.done():
                    return endings.lost(self._judged)
            if self._told.done():
                return endings.told(self._judged, self._told.result())
            if self._kernel.died.done():
                return self._died()

    def _died(self) -> Ending:
        room = self._room
        last_words = room.redactor.text(self._kernel.last_words().strip())
        room.at_death = room.at_death or room.numbers_inside()
        ending = endings.died(self._judged, self._kernel.died.result(), last_words, room.at_death)
        room.broken = room.broken or ending.message
        return ending

    def _stderr(self) -> str:
        with self._room.document.lock:
            self._outputs.streams.settle()
            outputs = self._room.document.notebook.cells[self._outputs.place].outputs
            return "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stderr")

    # -- stopping it -----------------------------------------------------------------------------------------------

    async def _stopped(self, *asked: asyncio.Future[Any]) -> endings.Stopped:
        """Stop it as far as that can be done; the sooner if somebody has asked for it."""
        if self.task.lane in {Lane.ALONE, Lane.MAIN}:
            return await self._interrupted(*asked)
        self._kernel.execute_silently(cancelling(self.task.key, self.call.attempt))  # a thread's children, a process
        if self.task.lane is Lane.PROCESSES:
            return endings.Stopped.KILLED_PROCESS
        self._room.strays += 1
        return endings.Stopped.LEFT_ALONE

    async def _interrupted(self, *asked: asyncio.Future[Any]) -> endings.Stopped:
        kernel, others = self._kernel, self._room.others(self)
        await kernel.interrupt(only_itself=bool(others))
        await first_of(self._idle, kernel.died, *asked, timeout_s=PATIENCE_S)
        await first_of(self._idle, kernel.died, timeout_s=INTERRUPT_S)
        if self._idle.done():
            return endings.Stopped.INTERRUPTED
        if others:
            self._room.kill_when_alone(self)
        else:
            await kernel.kill()
            self._room.broken = "The kernel was killed."
        return endings.Stopped.KILLED_KERNEL

    # -- how it ends -----------------------------------------------------------------------------------------------

    def _ended(self, ending: Ending) -> Outcome:
        """The outcome for the engine, once the log and the outputs have what they lack."""
        room, call = self._room, self.call
        if room.memory is not None and ending.state in {S.SUCCESS, S.CACHED}:
            ending = self._remembered(ending, room.memory)
        if ending.ends_notebook:
            room.exit_cell = self.number
        lines = self._outputs.lines
        if ending.log and lines is not None:
            lines.end()
            lines.say(40, "error", ending.log)
        if ending.adds_error is not None and not self._outputs.has_error:
            self._add_error(*ending.adds_error)
        if IS_FAILED[ending.state] and ending.state in {S.FAILED, S.TIMED_OUT, S.CRASHED} and not room.broken:
            ending = retried(call, ending)
        now_us = time_ns() // 1000
        if ending.state is not S.RETRYING:
            room.document.cell_ended(self.task.place, ending.state, self._began_us, now_us)
            room.ends[self.task.place] = CellEnd(
                state=ending.state, began_us=self._began_us, ended_us=now_us, message=ending.message
            )
        return Outcome(
            call.ref,
            call.attempt,
            ending.state,
            ending.error,
            ending.message,
            self._began_us,
            now_us,
            dict(ending.details) or None,
        )

    def _remembered(self, ending: Ending, memory: CellMemory) -> Ending:
        """The same end, with what is kept of the cell, or from where it was taken."""
        if not self.task.is_task:
            with self._room.document.lock:
                self._outputs.streams.settle()
                outputs = [dict(one) for one in self._room.document.notebook.cells[self._outputs.place].outputs]
            return replace(ending, details={**ending.details, **memory.ordinary(self.task, outputs)})
        told = self._told.result() if self._told.done() else {}
        sink = sink_of(self.call.facts.run_id)
        if sink is not None:
            at_us = time_ns() // 1000
            place = (self.call.task_key, self.call.index, self.call.attempt)
            sink([LogLine(at_us, level, "notebook_flows.cache", text, *place) for level, text in memory.remarks(told)])
        if ending.state is S.CACHED:
            taken = memory.taken(self.task, told)
            self._room.document.mark_cached(self.task.place, taken.details["cached"])
            return replace(ending, message=taken.message, details=taken.details)
        return replace(ending, details={**ending.details, **memory.kept(self.task, told)})

    def _add_error(self, name: str, value: str) -> None:
        import nbformat

        output = nbformat.v4.new_output("error", ename=name, evalue=value, traceback=[f"{name}: {value}"])
        with self._room.document.lock:
            self._room.document.notebook.cells[self._outputs.place].outputs.append(output)
