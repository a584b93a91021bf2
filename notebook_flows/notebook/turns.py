"""Whose turn it is in a kernel: ordinary cells run alone; tasks side by side, one of them at most in its main thread."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AFTER_YOU_S = 0.01
"""How long a task that will hold up all others waits, so that those which became ready with it can begin."""


class Lane(Enum):
    """Where a cell runs in its kernel."""

    ALONE = "alone"
    """An ordinary cell, in the real namespace."""
    THREADS = "threads"
    PROCESSES = "processes"
    MAIN = "main"
    """A task that needs the kernel's main thread. Until it ends, the kernel hears no request: nothing else can begin."""


class Turns:
    """Lets cells in as there is room for them, in the order in which they came.

    Args:
        workers: how many tasks may run side by side.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._waiting: list[tuple[Lane, asyncio.Future[None]]] = []
        self._inside: list[Lane] = []
        self._is_closed = False

    @asynccontextmanager
    async def turn(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for one's turn, and have it while the block runs."""
        if lane is Lane.MAIN:
            await asyncio.sleep(AFTER_YOU_S)
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lane, ticket))
        self._admit()
        try:
            await ticket
        except asyncio.CancelledError:
            self._forget(lane, ticket)
            raise
        try:
            yield
        finally:
            self._inside.remove(lane)
            self._admit()

    def _forget(self, lane: Lane, ticket: asyncio.Future[None]) -> None:
        if (lane, ticket) in self._waiting:
            self._waiting.remove((lane, ticket))
        else:  # it was let in, and had no time to hear of it
            self._inside.remove(lane)
        self._admit()

    def close(self) -> None:
        """Let nobody in for the time being."""
        self._is_closed = True

    def open(self) -> None:
        """Let them in again."""
        self._is_closed = False
        self._admit()

    def _admit(self) -> None:
        last = Lane.MAIN  # once it has begun nothing else can, so whoever needs less goes first
        for lane, ticket in sorted(self._waiting, key=lambda one: one[0] is last):
            if self._has_room(lane):
                self._waiting.remove((lane, ticket))
                self._inside.append(lane)
                ticket.set_result(None)

    def _has_room(self, lane: Lane) -> bool:
        if self._is_closed or Lane.ALONE in self._inside or Lane.MAIN in self._inside:
            return False
        return not self._inside if lane is Lane.ALONE else len(self._inside) < self._workers
