"""What all attempts of one run share: the notebook, its kernel, who is in it now, and whether it can still be used."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from notebook_flows.notebook.ears import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notebook_flows.notebook.attempts import CellAttempt
    from notebook_flows.notebook.document import CellEnd, Document
    from notebook_flows.notebook.kernel import Kernel
    from notebook_flows.notebook.memory import CellMemory
    from notebook_flows.notebook.outputs import OutputClient
    from notebook_flows.notebook.redaction import Redactor
    from notebook_flows.notebook.turns import Turns


@dataclass(kw_only=True)
class Room:
    """One run's kernel and those in it.

    Attributes:
        turns: lets them in.
        halt: set when the run is being stopped.
        redactor: takes secrets out of what is kept.
        memory: of earlier runs; None: nothing is taken from them, and nothing is kept.
        is_ending_at_once: the run is over: what is stopped brings no outcome any more.
        kernel: None until it starts.
        broken: why nothing can run here any more; empty while it can.
        exit_cell: the cell in which the notebook has ended itself, counted from 1; 0 if it has not.
        strays: attempts that were given up and go on in their threads.
        at_death: the numbers of the cells that ran when the kernel died.
        inside: those that run, by the id of the message that they were asked with.
        began_us: {place: when the cell began}.
        ends: {place: how the cell has ended}.
    """

    document: Document
    client: OutputClient
    turns: Turns
    halt: asyncio.Event
    redactor: Redactor
    memory: CellMemory | None = None
    is_ending_at_once: bool = False
    kernel: Kernel | None = None
    broken: str = ""
    exit_cell: int = 0
    strays: int = 0
    at_death: list[int] = field(default_factory=list)
    inside: dict[str, CellAttempt] = field(default_factory=dict)
    began_us: dict[int, int] = field(default_factory=dict)
    ends: dict[int, CellEnd] = field(default_factory=dict)
    _last_acts: set[asyncio.Task[None]] = field(default_factory=set)

    def others(self, one: CellAttempt) -> list[CellAttempt]:
        """Who else is inside."""
        return [other for other in self.inside.values() if other is not one]

    def numbers_inside(self) -> list[int]:
        """The numbers of the cells that run, in the notebook's order."""
        return sorted(one.number for one in self.inside.values())

    def kill_when_alone(self, one: CellAttempt) -> None:
        """A cell holds the kernel's main thread for ever: nobody else can begin; those inside may end by themselves."""
        self.turns.close()
        act = asyncio.create_task(self._kill_after(self.others(one)))
        self._last_acts.add(act)
        act.add_done_callback(self._last_acts.discard)

    async def _kill_after(self, others: list[CellAttempt]) -> None:
        assert self.kernel is not None
        halted = asyncio.create_task(self.halt.wait())
        ended = asyncio.create_task(_all(other.has_ended for other in others))
        await first_of(ended, halted, self.kernel.died)
        for waiting in (ended, halted):
            waiting.cancel()
        await self.kernel.kill()
        self.broken = "The kernel was killed."
        self.turns.open()

    async def settle(self) -> None:
        """Wait until what was begun here is done."""
        if self._last_acts:
            await asyncio.gather(*self._last_acts, return_exceptions=True)


async def _all(ends: Iterable[asyncio.Future[None]]) -> None:
    for end in ends:
        await asyncio.shield(end)
