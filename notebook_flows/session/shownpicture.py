"""A picture that was asked for, not made by a run: it stands below its cell, and runs that begin later are seen on it."""

from __future__ import annotations

import html
import threading
import uuid
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from notebook_flows.session.page import MOST_LISTED, Page, answer, beside_page, page_at, tell_stale
from notebook_flows.session.picturesource import FlowSource
from notebook_flows.session.renumbering import Renumbering
from notebook_flows.session.standingboard import standing_board, standings_on
from notebook_flows.session.tail import Tail
from notebook_flows.session.takenattached import tell_what_was_taken
from notebook_flows.views.layout import PictureError
from notebook_flows.widget.flowmessage import BEING_LAID_OUT, LATE_S, flow_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger
    from notebook_flows.session.outputs import CellSink
    from notebook_flows.session.picturesource import PictureSource
    from notebook_flows.session.storedrun import StoredRun
    from notebook_flows.views.picture import Picture
    from notebook_flows.widget.board import Board
    from notebook_flows.widget.flowmessage import Surroundings


class ShownPicture:
    """One picture, and the page that shows it.

    Args:
        picture: to be shown.
        sink: below whose cell.
        source: what is known of the flow besides, and what can be done with it.
        keys: of the tasks, by which runs know them; the first is that of task 0. No tasks, which may hold values.
    """

    def __init__(self, picture: Picture, sink: CellSink, source: PictureSource, keys: Sequence[Any]) -> None:
        self.keys = list(keys)
        self._picture = picture
        self._sink = sink
        self._source = source
        self._goes_on = False
        self._name = ""
        self._tail: Tail | None = None
        self.is_open = True
        self._drawing = threading.RLock()
        self._laid_out = threading.Event()
        self._known: Surroundings | None = None
        is_listed = len(self.keys) <= MOST_LISTED
        self._page: Page | None = page_at(sink, self._hear, self._retired, lambda: self._goes_on) if is_listed else None

    def show(self, stored: StoredRun | None = None, stands: Callable[[Board], Board] = lambda board: board) -> bool:
        """Display it; whether that could be.

        Args:
            stored: the run from the history that it shows; it is followed if it goes on.
            stands: what is known besides of how the tasks stand, where it shows no run.
        """
        page = self._page
        if page is None:
            return False
        self._name = name = uuid.uuid4().hex
        threading.Thread(target=self._lay_out, name="notebook-flows-layout", daemon=True).start()
        known = self._source.surroundings()
        self._laid_out.wait(LATE_S)
        with self._drawing:
            page.display()
            self._sink.display(self._bundle(), {}, {"display_id": name})
            self._known = known
            self._tell_flow()
        if stored is not None:
            self._show_run(page, stored)
        elif self._picture.standings is not None:
            board = stands(standing_board(len(self.keys), self._picture.standings))
            page.teller.stand(board, {"id": name, "name": ""})
        self._allow()
        return True

    def _lay_out(self) -> None:
        with suppress(PictureError):  # told in place of the picture
            _ = self._picture.layout
        with self._drawing:
            self._laid_out.set()
            if self._known is not None:  # the cell did not wait for it
                self._tell_flow()
                self._sink.update(self._bundle(), {}, {"display_id": self._name})

    def _tell_flow(self) -> None:
        if self._page is None or self._known is None:
            return
        svg: str | None = None
        reason: str | None = BEING_LAID_OUT
        if self._laid_out.is_set():
            try:
                svg, reason = self._picture.layout, None
            except PictureError as error:
                reason = str(error)
        told = flow_message(self._picture.diagram, svg, self._known, picture_message=reason)
        self._page.teller.show({**told, "still": self._name})

    def _bundle(self) -> dict[str, Any]:
        """What stands below the page; in words as long as it has not been laid out."""
        bundle = dict(self._picture._repr_mimebundle_()) if self._laid_out.is_set() else {}
        text = bundle.get("text/plain") or self._picture.text()
        shown = bundle.get("text/html", f"<pre>{html.escape(text)}</pre>")
        return {**bundle, "text/html": beside_page(shown, self._name), "text/plain": text}

    def _redraw(self, board: Board) -> None:
        """What stands below the page is what a notebook keeps: it is to stand as the page does."""
        with self._drawing:
            self._picture = self._picture.with_standings(standings_on(board))
            self._sink.update(self._bundle(), {}, {"display_id": self._name})

    def _show_run(self, page: Page, stored: StoredRun) -> None:
        if stored.is_over:
            page.teller.stand(stored.board, stored.facts)
            tell_what_was_taken(page)
            return
        page.teller.begin(len(self.keys), stored.facts, events=stored.first)
        self._goes_on = True
        self._tail = Tail(stored, lambda events: self._tell(stored.run, events), self._end)

    def follow(self, keys: Sequence[Any], run_id: str) -> Following | None:
        """A run of these tasks begins: what shows it here; None: it has none of ours, or this is not open any more."""
        place = {key: number for number, key in enumerate(self.keys)}
        numbers = {number: place[key] for number, key in enumerate(keys) if key in place}
        if self._page is None or not numbers:
            return None
        return Following(self, numbers, run_id)

    def _begin(self, run_id: str, bystanders: frozenset[int]) -> None:
        self._leave()
        if self._page is not None:
            before = self._page.teller.board
            facts = {"id": run_id, "flow": self._picture.diagram.name}
            self._page.teller.begin(len(self.keys), facts, before=before, bystanders=bystanders)
            self._goes_on = True
            self._allow()

    def _tell(self, run: Run, events: Sequence[Event]) -> None:
        if self._page is not None and events:
            self._page.teller(run, events)

    def _end(self, numbers: Mapping[int, int] | None = None) -> None:
        """The run that was seen on it has ended: the picture below is that of its end; no run waits for that."""
        self._goes_on = False
        if self._page is None:
            return
        self._page.teller.finish()
        tell_stale(self._page, self._source)
        self._allow()
        tell_what_was_taken(self._page, numbers)
        board = self._page.teller.board
        if board is not None:
            threading.Thread(target=self._redraw, args=(board,), name="notebook-flows-picture", daemon=True).start()

    def _allow(self) -> None:
        if self._page is not None:
            self._page.teller.allow(*self._source.can(is_running=self._goes_on, is_heard=self._page.was_heard))

    def _hear(self, page: Page, message: dict[str, Any]) -> None:
        if message.get("type") in {"ready", "pong"}:
            self._allow()
        else:
            answer(page, message, self._source)

    def _leave(self) -> None:
        """The run of another process is not followed any more."""
        tail, self._tail = self._tail, None
        if tail is not None:
            tail.stop()

    def _retired(self) -> None:
        """There are too many pages: what stands below is the picture from now on."""
        self._leave()
        self._page = None
        self.is_open = False


class Following:
    """Shows on a picture how a run of some of its tasks goes; an observer.

    Args:
        shown: the picture.
        numbers: {task's number in the run: its number in the picture}.
        run_id: of the run.
    """

    def __init__(self, shown: ShownPicture, numbers: Mapping[int, int], run_id: str) -> None:
        self._shown = shown
        self._numbers = numbers
        self._renumbering = Renumbering(numbers)
        shown._begin(run_id, frozenset(range(len(shown.keys))) - set(numbers.values()))

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        self._shown._tell(run, self._renumbering.events(events))

    def attend(self, run_id: str, ledger: Ledger) -> None:
        """A run begins."""
        self._shown._source.begun(run_id, ledger)
        if self._shown._page is not None:
            self._shown._page.teller.expect(run_id)

    def finish(self, state: State | None = None) -> None:
        """The run has ended like this."""
        self._shown._source.ended(state)
        self._shown._end(self._numbers)


# -- pictures of flows -------------------------------------------------------------------------------------------------

_OF_FLOWS: weakref.WeakKeyDictionary[Flow, list[ShownPicture]] = weakref.WeakKeyDictionary()


def show_flow_picture(picture: Picture, flow: Flow) -> bool:
    """Show what `flow.visualize()` has drawn, live if somebody looks; whether it was."""
    from notebook_flows.session.shownflow import sink_below_cell

    sink = sink_below_cell()
    if sink is None:
        return False
    shown = ShownPicture(picture, sink, FlowSource(flow), list(flow.slugs.values()))
    if not shown.show():
        return False
    _OF_FLOWS.setdefault(flow, []).append(shown)
    return True


def followers_of(flow: Flow, run_id: str) -> list[Following]:
    """What shows a run of this flow that begins, on pictures that stand already."""
    shown = [one for one in _OF_FLOWS.get(flow, ()) if one.is_open]
    if not shown:
        return []
    _OF_FLOWS[flow] = shown
    keys = list(flow.slugs.values())
    found = [one.follow(keys, run_id) for one in shown if one.keys == keys]
    return [one for one in found if one is not None]
