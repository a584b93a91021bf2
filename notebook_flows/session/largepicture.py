"""The picture of a run of very many tasks: groups and counts while it goes on, and all of it when that costs the run nothing."""

from __future__ import annotations

import html
import threading
import uuid
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S
from notebook_flows.session.livepicture import LivePicture
from notebook_flows.session.page import MOST_LISTED, answer, beside_page, has_page, page_at
from notebook_flows.session.picturesource import FlowSource, surroundings_of
from notebook_flows.session.standingboard import standing_board
from notebook_flows.session.storedrun import StoredRun, run_called
from notebook_flows.session.tail import Tail
from notebook_flows.session.textpicture import TextPicture, shows_text_only
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.picture import MOST_NODES, Picture
from notebook_flows.views.standing import Standing, standings_of_run
from notebook_flows.views.table import counts_of, told_counts
from notebook_flows.widget.flowmessage import flow_message
from notebook_flows.widget.groupfeed import EVERY_S, GroupFeed, grouped, groups_message
from notebook_flows.widget.teller import PING_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger
    from notebook_flows.session.outputs import CellSink, Sink
    from notebook_flows.session.page import Page
    from notebook_flows.session.picturesource import PictureSource

LISTING_S = 25e-6
"""What it costs to tell of one task by itself, in CPU seconds; while the run goes on, that is one part in 50 of the time."""
SHARE = 50
LARGE = MOST_NODES
"""Flows of more tasks have no picture by Graphviz, and are shown like this."""


class LargePicture:
    """Shows a run; it hears of no event, but looks where the run stands. All it has to do takes its own thread.

    Args:
        flow: what runs.
        sink: where it is shown.
        source: what is known of the flow besides, and what can be done with it.
        run_id: of the run, where it is known beforehand.

    Attributes:
        only_attends: it need not be told of events.
    """

    only_attends = True

    def __init__(self, flow: Flow, sink: CellSink, *, source: PictureSource, run_id: str) -> None:
        self._flow: Flow | None = flow
        self._size = len(flow._into)
        self._name = flow.name
        self._sink = sink
        self._source = source
        self._still = uuid.uuid4().hex
        groups = grouped([task.name for task in flow._into])
        self._message = groups_message(flow.name, groups)
        self._feed = GroupFeed(list(groups.values()), {"id": run_id, "flow": flow.name})
        self._is_listed = False
        self._goes_on = False
        self._run_id = run_id
        self._run: Run | None = None
        self._tail: Tail | None = None
        self._stored: StoredRun | None = None
        self._end = threading.Event()
        self._page: Page | None = page_at(sink, self._hear, self._retired, lambda: self._goes_on)

    def begin(self) -> None:
        """Show the groups before anything has run."""
        if self._page is None:
            return
        self._goes_on = True
        self._allow()
        self._page.teller.show({**self._message, "still": self._still})
        self._page.teller.watch(self._feed)
        self._page.display()
        self._sink.display(self._in_words({}), {}, {"display_id": self._still})
        threading.Thread(target=self._show, name="notebook-flows-picture", daemon=True).start()

    def attend(self, run_id: str, ledger: Ledger) -> None:
        """The next run begins."""
        self._source.begun(run_id, ledger)
        self._run_id, self._run = run_id, ledger.run
        self._feed.expect(ledger.run, run_id)

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """Somebody tells of events all the same."""

    def finish(self, state: State | None) -> None:
        """It has ended like this: that is told at once, and what else there is to show comes when it is made."""
        self._goes_on = False
        self._source.ended(state)
        if self._page is not None and self._run is not None:
            self._sink.update(self._in_words(counts_of(self._run.state)), {}, {"display_id": self._still})
        self._end.set()

    def _in_words(self, counts: Mapping[S, int]) -> dict[str, str]:
        """What stands below the page as long as there is no more."""
        told = ", ".join([f"Flow {self._name!r}: {self._size:,} tasks", *([told_counts(counts)] if counts else [])])
        return {"text/html": beside_page(f"<pre>{html.escape(told)}</pre>", self._still), "text/plain": told}

    # -- in its thread -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        began_s = asked_s = monotonic()
        patience_s = PING_S
        while not self._end.wait(EVERY_S):
            page = self._page
            if page is None:
                break
            now_s = monotonic()
            if not page.was_heard and now_s - asked_s >= patience_s:
                asked_s, patience_s = now_s, min(2 * patience_s, 30 * PING_S)
                page.teller.answer({"type": "ping"})
            if self._tail is not None:
                continue
            if now_s - began_s >= self._size * LISTING_S * SHARE and self._size <= MOST_LISTED:
                self._go_on_by_history(page)
            else:
                page.teller.flush()
                page.teller.beat()
        self._end.wait()
        self._show_end()

    def _go_on_by_history(self, page: Page) -> None:
        """It takes long enough: from now on each task is told, as the history has it."""
        stored = run_called(self._run_id) if self._run is not None and self._flow is not None else None
        if stored is None or self._flow is None:
            page.teller.flush()
            return
        self._list(page, Picture(diagram_of(self._flow), {}))
        page.teller.begin(self._size, {**self._feed.facts, **stored.facts}, events=stored.first)
        self._stored = stored
        self._tail = Tail(stored, lambda events: page.teller(stored.run, events), lambda: None)

    def _show_end(self) -> None:
        flow, self._flow = self._flow, None
        run, self._run = self._run, None
        if self._tail is not None:
            self._tail.stop()
        page = self._page
        if page is not None and self._tail is None:
            page.teller.flush()
        if flow is None:
            return
        pending = {(number, UNMAPPED): Standing(S.PENDING) for number in range(self._size)}
        picture = Picture(diagram_of(flow), pending if run is None else standings_of_run(run))
        if page is not None:
            if self._size <= MOST_LISTED:
                self._tell_end(page, picture)
            self._allow()
        bundle = dict(picture._repr_mimebundle_())
        self._sink.update(
            {**bundle, "text/html": beside_page(bundle["text/html"], self._still)}, {}, {"display_id": self._still}
        )

    def _tell_end(self, page: Page, picture: Picture) -> None:
        """Each task, with its times, as far as the history has them."""
        if not self._is_listed:
            self._list(page, picture)
        if self._tail is not None and self._stored is not None:
            events = self._stored.new_events()
            if events:
                page.teller(self._stored.run, events)
            page.teller.finish()
            return
        stored = run_called(self._run_id)
        if stored is not None and stored.is_over:
            page.teller.stand(stored.board, {**self._feed.facts, **stored.facts})
        else:
            board = standing_board(self._size, picture.standings or {})
            if self._feed.run is not None:
                board.run_state = self._feed.run.run_state
            page.teller.stand(board, self._feed.facts)

    def _list(self, page: Page, picture: Picture) -> None:
        from notebook_flows.views.layout import PictureError

        try:
            _ = picture.layout
        except PictureError as error:
            reason = str(error)
        else:
            reason = ""
        self._is_listed = True
        flow = self._flow
        known = surroundings_of(self._source, flow) if flow is not None else self._source.surroundings()
        told = flow_message(picture.diagram, None, known, picture_message=reason)
        page.teller.show({**told, "still": self._still})

    # -- its page ------------------------------------------------------------------------------------------------------

    def _retired(self) -> None:
        """There are too many pages: what stands below is the picture from now on."""
        self._page = None

    def _allow(self) -> None:
        if self._page is not None:
            can = self._source.can(is_running=self._goes_on, is_heard=self._page.was_heard)
            self._page.teller.allow(*can)

    def _hear(self, page: Page, message: dict[str, Any]) -> None:
        if message.get("type") in {"ready", "pong"}:
            self._allow()
            return
        if message.get("type") == "detail" and not self._is_listed:
            group, index = message.get("node"), message.get("index")
            is_place = isinstance(group, int) and isinstance(index, int)
            number = self._feed.place_of(group, index) if is_place else None  # type: ignore[arg-type] # as said
            message = {**message, "node": -1 if number is None else number, "index": UNMAPPED}
        answer(page, message, self._source)


def picture_of_run(flow: Flow, sink: Sink, *, run_id: str | None = None) -> LivePicture | LargePicture | TextPicture:
    """What shows a run of a flow that a cell has made; it fits `engine.ports.Observer`.

    Args:
        flow: what runs.
        sink: where it is shown.
        run_id: of the run, where it is known beforehand.
    """
    if shows_text_only(sink):
        return TextPicture(flow, sink)
    source = FlowSource(flow)
    if len(flow._into) > LARGE and has_page(sink):
        return LargePicture(flow, sink, source=source, run_id=run_id or uuid.uuid4().hex)
    return LivePicture(flow, sink, source=source, run_id=run_id)
