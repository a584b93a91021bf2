"""Runs that are asked for by clicks on a picture: one after the other, each when the kernel is free."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.magics.errors import FlowRunFailed, RunStopped
from notebook_flows.magics.here import Here
from notebook_flows.magics.telling import tell_report, warn
from notebook_flows.session.edits import told_edits
from notebook_flows.session.notebookflow import Background
from notebook_flows.session.runorder import RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.outputs import RecordingSink, Sink
    from notebook_flows.session.selection import Wish
    from notebook_flows.session.session import Session

NEXT = "It begins now."
LATER = "It begins when the run that goes on has ended."
ALREADY = "This was asked for already; it begins when the run that goes on has ended."


class Clicks:
    """What was clicked and has not run yet.

    Args:
        session: of the kernel.
        loop: the kernel's, on its main thread.
    """

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop
        self._one_by_one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: list[Wish] = []  # what has not begun
        self._lock = threading.Lock()

    def start(self, wish: Callable[[], Wish], sink: Sink, view: Mapping[str, Any]) -> str:
        """Have it run, once if it is asked for again before it has begun; says when. Any thread may ask.

        Args:
            wish: what is to run.
            sink: below which cell.
            view: how its picture begins.
        """
        asked = wish()
        with self._lock:
            if asked in self._asked:
                return ALREADY
            self._asked.append(asked)
        background = self._session.flow.background
        is_later = self._session.hooks.is_busy or (background is not None and not background.run.has_ended)
        self._loop.call_soon_threadsafe(self._begin, wish, asked, sink, view)
        return LATER if is_later or self._tasks else NEXT

    def _begin(self, wish: Callable[[], Wish], asked: Wish, sink: Sink, view: Mapping[str, Any]) -> None:
        task = self._loop.create_task(self._run(wish, asked, sink, view))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, wish: Callable[[], Wish], asked: Wish, sink: Sink, view: Mapping[str, Any]) -> None:
        async with self._one_by_one:
            try:
                await self._until_free()
            finally:
                with self._lock:
                    self._asked.remove(asked)
            try:
                await self._run_now(wish(), sink, view)
            except (FlowRunFailed, RunStopped, FlowError) as error:  # must not reach the kernel's loop, which would end
                warn(_as_recording(sink), f"{error}\n")
            except Exception as error:  # ours: who has clicked is to see that nothing comes
                logging.getLogger(__name__).exception("A run that was asked for by a click failed.")
                warn(_as_recording(sink), f"notebook_flows itself failed: {error!r}\n")

    async def _until_free(self) -> None:
        """No cell is being executed, and no run goes on: two at once would change the same names."""
        while True:
            await self._session.hooks.between_cells()
            background = self._session.flow.background
            if background is None or background.run.was_ended:
                return
            await asyncio.wait([background.waiting])

    async def _run_now(self, wish: Wish, sink: Sink, view: Mapping[str, Any]) -> None:
        here = Here(session=self._session, is_awaited=True)
        outlook = here.outlook()
        selection = here.flow.selection(outlook, wish)
        place = _as_recording(sink)
        place.clear(wait=True)
        edits = told_edits(self._session.book)
        if edits:
            warn(place, edits)
        began_s = monotonic()
        run = here.flow.begin(
            outlook,
            selection,
            parameters=here.flow.parameters_of(wish),
            options=RunOptions(),
            sink=sink,
            is_background=True,
            view=view,
        )
        waiting = self._loop.create_task(run.wait())
        here.flow.background = Background(run=run, waiting=waiting)
        with suppress(KeyboardInterrupt):
            await waiting
        elapsed_s = monotonic() - began_s
        await self._session.hooks.between_cells()
        tell_report(here.flow.end(run), outlook, place, elapsed_s)


def _as_recording(sink: Sink) -> RecordingSink:
    from notebook_flows.session.outputs import RecordingSink

    assert isinstance(sink, RecordingSink)
    return sink
