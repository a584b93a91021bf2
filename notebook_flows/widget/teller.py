"""Tells pages of a flow and of the run that goes on: whenever a batch is due, in a thread that lives as long as the run."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import Kind
from notebook_flows.widget.board import Board
from notebook_flows.widget.detail import short_repr
from notebook_flows.widget.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run

PING_S = 1.0
"""How soon a page is asked whether it is there, if it has said nothing; then ever more seldom."""
BEAT_S = 10.0
"""While a run goes on, a page hears something at least this often: where it hears nothing, it says so."""
PATIENCE_S = 5.0
"""How long the end of a run waits for the thread, which may be in the midst of a batch."""


class Teller:
    """One channel to all pages that look at one flow; an observer of its runs.

    What is told of the flow and of the run's end stays here, for pages that come later.

    Args:
        send: sends one message, as JSON, to all pages; any thread may call it.

    Attributes:
        is_heard: some page has answered; until then it is asked whether it is there, again and again.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._lock = threading.RLock()  # of all that is told: its order is the order in which it is sent
        self._flow: dict[str, Any] | None = None
        self._can: dict[str, Any] = {}
        self._stale: dict[str, Any] = {}
        self._feed: Feed | None = None
        self._batch = 0
        self._next_id = ""
        self._bell = threading.Event()
        self._is_rung = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._told_s = time.monotonic()
        self.is_heard = False

    @property
    def board(self) -> Board | None:
        """Where the latest run stands, up to date; None: there was none."""
        with self._lock:
            if self._feed is None:
                return None
            self._feed.catch_up()
            return self._feed.board

    @property
    def run_id(self) -> str:
        """Of the latest run; empty: there was none."""
        feed = self._feed
        return "" if feed is None else str(feed.facts.get("id", ""))

    # -- the flow ------------------------------------------------------------------------------------------------------

    def show(self, flow: Mapping[str, Any]) -> None:
        """Tell of a flow, instead of the one before."""
        with self._lock:
            self._flow = {**flow, **self._can, **self._stale}
            self._tell(self._flow)

    def allow(self, can: Mapping[str, bool], hint: str | None = None) -> None:
        """Tell what can be clicked, and why the rest cannot."""
        with self._lock:
            told = {"can": dict(can), "hint": hint}
            if told != self._can:
                self._can = told
                if self._flow is not None:
                    self._flow.update(told)
                    self._tell({"type": "can", **told})

    def freshen(self, stale: Sequence[Mapping[str, Any]]) -> None:
        """Tell which tasks are stale now, whatever the flow's message says of that; one may yet be under way."""
        with self._lock:
            self._stale = {"stale": list(stale)}
            if self._flow is not None:
                self._flow.update(self._stale)
                self._tell({"type": "stale", **self._stale})

    def answer(self, message: Mapping[str, Any]) -> None:
        """Tell what was asked for."""
        with self._lock:
            self._tell(message)

    # -- its runs ------------------------------------------------------------------------------------------------------

    def stand(self, board: Board, facts: Mapping[str, Any]) -> None:
        """No run goes on: tell where the tasks stand."""
        self.watch(Feed(board, facts))

    def watch(self, feed: Feed) -> None:
        """Tell what this feed has to tell, each time when `flush` is called."""
        with self._lock:
            feed.batch = self._batch
            self._feed = feed
            self.flush()

    def begin(
        self,
        size: int,
        facts: Mapping[str, Any],
        *,
        before: Board | None = None,
        bystanders: Collection[int] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """A run begins, or is gone on with: from now on it is told of.

        Args:
            size: how many tasks it has.
            facts: ``id``, ``name``, ``flow``... of the run.
            before: how tasks stand before it; pending unless given.
            bystanders: tasks that are shown, and are not in the run.
            events: what has happened in it already.
        """
        told = {**facts, "bystanders": sorted(bystanders)} if bystanders else facts
        with self._lock:
            self._feed = Feed(Board(size, bystanders).after(before), told, batch=self._batch)
            if events:
                self._feed.tell(events)
        self._closing.clear()
        self._ring()
        self._thread = threading.Thread(target=self._work, name="notebook-flows-picture", daemon=True)
        self._thread.start()

    def expect(self, run_id: str) -> None:
        """The next run has this id."""
        self._next_id = run_id
        feed = self._feed
        if feed is not None and not feed.has_begun:
            feed.facts["id"] = run_id

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened; called by the engine, which must not wait."""
        feed = self._feed
        if feed is None:
            return
        first = events[0]
        if first.seq == 1 and feed.has_begun:  # the next run of a schedule
            with self._lock:
                self._feed = feed = Feed(
                    Board(feed.board.size, feed.board.bystanders).after(feed.board),
                    {**feed.facts, "id": self._next_id or uuid.uuid4().hex},
                    batch=self._batch,
                )
        if first.seq == 1 and first.kind is Kind.RUN and first.data:
            feed.facts |= {
                "name": first.data.get("name", ""),
                "parameters": for_people(first.data.get("parameters", {})),
            }
        feed.tell(events)
        if not self._is_rung:
            self._ring()

    def _ring(self) -> None:
        self._is_rung = True
        self._bell.set()

    def _work(self) -> None:
        asked_s, patience_s = time.monotonic(), PING_S
        while not self._closing.is_set():
            self._bell.wait(BEAT_S if self.is_heard else PING_S)
            feed = self._feed
            if feed is None or self._closing.wait(max(0.0, feed.due_s() - time.monotonic())):
                return
            self.flush()
            self.beat()
            if not self.is_heard and time.monotonic() - asked_s >= patience_s:
                asked_s, patience_s = time.monotonic(), min(2 * patience_s, 30 * PING_S)
                self.answer({"type": "ping"})

    def flush(self) -> None:
        """Tell now what has not been told."""
        with self._lock:
            feed = self._feed
            if feed is None:
                return
            self._bell.clear()
            self._is_rung = False
            began_s = time.thread_time()
            message = feed.take(time.monotonic(), time.time_ns() // 1000)
            if message is not None:
                self._batch = feed.batch
                self._tell(message)
                feed.cost(time.thread_time() - began_s)

    def beat(self) -> None:
        """The run goes on: tell it to pages that have heard nothing for a while, and which batch was the last one."""
        with self._lock:
            if time.monotonic() - self._told_s >= BEAT_S:
                self._tell({"type": "beat", "batch": self._batch})

    def finish(self) -> None:
        """The run has ended: its end is told before this returns."""
        self._closing.set()
        self._bell.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(PATIENCE_S)
        self.flush()

    def attach(self, run_id: str, titles: Mapping[tuple[int, int], Mapping[str, str]]) -> None:
        """Tell of artifacts of which no event tells, unless another run has begun meanwhile.

        Args:
            run_id: of the run in which they are seen.
            titles: {(task, index): {an artifact's key: its title, or the key}}.
        """
        with self._lock:
            board = self.board
            if board is None or self.run_id != run_id:
                return
            for place, known in titles.items():
                number = board.number_of(*place)
                if number is not None:
                    board.attached.setdefault(number, {}).update(known)
            self.resync()

    # -- what pages ask for --------------------------------------------------------------------------------------------

    def tell_all(self) -> None:
        """A page has come: it is told of the flow and of where the run stands."""
        with self._lock:
            if self._flow is not None:
                self._tell(self._flow)
            self.resync()

    def resync(self) -> None:
        """A page has lost something: where the run stands is told at once."""
        with self._lock:
            if self._feed is not None:
                self._feed.resync()
                self.flush()

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._told_s = time.monotonic()
        try:
            self._send(json.dumps(message, separators=(",", ":"), default=str).encode())
        except Exception:  # the run is what counts; a page that sees nothing of it asks again, or is looked at later
            logging.getLogger(__name__).warning("A page could not be told of the run.", exc_info=True)


def for_people(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Values as short texts: not all that is JSON to Python is to a page."""
    return {str(name): short_repr(value) for name, value in parameters.items()}
