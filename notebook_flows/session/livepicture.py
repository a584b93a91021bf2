"""The picture of a run while it goes on, below the line that has started it: laid out once, then only coloured."""

from __future__ import annotations

import asyncio
import html
import logging
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.session.page import Page, answer, beside_page, page_at, tell_stale
from notebook_flows.session.renumbering import Renumbering
from notebook_flows.session.standingboard import standing_board
from notebook_flows.session.takenattached import tell_what_was_taken
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.layout import PictureError
from notebook_flows.views.picture import MOST_NODES, Picture
from notebook_flows.views.standing import Standing, standings_of, standings_of_run
from notebook_flows.widget.flowmessage import BEING_LAID_OUT, LATE_S, Surroundings, flow_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger
    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.picturesource import PictureSource
    from notebook_flows.views.standing import Standings

EVERY_S = 0.5
"""How often it is drawn anew at most, where no page is told what has changed; the end is drawn at once."""
STILL_EVERY_S = 30.0
"""How often the still picture below a page is drawn anew: whoever opens a notebook that was saved in the midst of a run that
was lost then sees how far it had come, give or take that."""
SOON_S = 0.05
"""How long after an event it is drawn at the earliest, so that what happens together is drawn together."""
UNHEARD_S = 10.0
"""No page has answered for so long, though the kernel could have heard it: nothing here shows widgets."""
QUICK_NODES = 150
"""Larger flows are told before they are laid out, and no run waits for that: the table can be looked at meanwhile."""
LAYOUT_S = 0.2
"""How long the beginning of a run waits for the layout of a small one."""


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is drawn of a run's surroundings.

    Attributes:
        flow: all that is drawn.
        numbers: {task's number in the run: its number there}.
        before: how its other tasks stand; those of the run are left out.
    """

    flow: Flow
    numbers: Mapping[int, int]
    before: Standings

    @property
    def bystanders(self) -> frozenset[int]:
        """The tasks that are drawn, and do not run."""
        return frozenset(range(len(self.flow._into))) - set(self.numbers.values())


class LivePicture:
    """Shows a flow's run; an observer of it.

    Where a page may look at it, the page is told what changes; elsewhere the picture itself is drawn anew.

    Args:
        flow: what runs.
        sink: where it is shown.
        source: what is known of what is drawn besides, and what can be done with it.
        run_id: of the run, where it is known beforehand.
        around: what is drawn, where that is more than what runs.
        view: what its page begins with, of what was chosen in the one whose place it takes.
    """

    def __init__(
        self,
        flow: Flow,
        sink: Sink,
        *,
        source: PictureSource | None = None,
        run_id: str | None = None,
        around: Around | None = None,
        view: Mapping[str, Any] | None = None,
    ) -> None:
        self._sink = sink
        self._flow: Flow | None = flow
        self._source = source
        self._run_id = run_id or uuid.uuid4().hex
        self._display_id = uuid.uuid4().hex
        drawn = flow if around is None else around.flow
        self._around = around
        self._view = {"view": dict(view)} if view else {}
        self._drawn: Flow | None = drawn
        self._renumbering = None if around is None else Renumbering(around.numbers)
        pending = {(number, UNMAPPED): Standing(S.PENDING) for number in range(len(drawn._into))}
        self._picture = Picture(diagram_of(drawn), {**pending, **({} if around is None else around.before)})
        self._drawn_s = 0.0
        self._last: Any = None
        self._drawing = threading.RLock()
        self._run: Run | None = None
        self._timer: threading.Timer | None = None
        self._page: Page | None = page_at(sink, self._hear, self._retired, lambda: self._goes_on)
        self._had_page = self._page is not None
        self._draws = self._page is None
        self._goes_on = False
        self._layouter: threading.Thread | None = None
        self._laid_out = threading.Event()
        self._is_introduced = False

    def begin(self) -> None:
        """Show the flow before anything has run. It is laid out meanwhile: no run waits for Graphviz."""
        self._layouter = threading.Thread(target=self._lay_out, name="notebook-flows-layout", daemon=True)
        self._layouter.start()
        if len(self._picture.diagram.nodes) <= QUICK_NODES:
            self._laid_out.wait(LAYOUT_S)
        if self._page is None:
            self._sink.display(self._bundle(), {}, {"display_id": self._display_id})
            return
        facts = {"id": self._run_id, "flow": self._picture.diagram.name}
        size, around = len(self._picture.diagram.names), self._around
        if around is None:
            self._page.teller.begin(size, facts)
        else:
            before = standing_board(size, around.before)
            self._page.teller.begin(size, facts, before=before, bystanders=around.bystanders)
        self._goes_on = True
        self._drawn_s = monotonic()
        self._allow()
        self._page.display()
        self._sink.display(self._bundle(), {}, {"display_id": self._display_id})
        self._see_whether_it_is_heard(UNHEARD_S)

    def _lay_out(self) -> None:
        """Have the flow laid out, and tell the page of it; in a thread of its own, for Graphviz may take a while."""
        try:
            if self._had_page:
                self._introduce()
            else:
                with suppress(PictureError):  # told in place of the picture
                    _ = self._picture.layout
        finally:
            with self._drawing:
                self._laid_out.set()
                if self._last is not None:  # the run did not wait for it
                    self._draw(self._last)

    def _introduce(self) -> None:
        from notebook_flows.session.picturesource import surroundings_of

        flow, self._drawn = self._drawn, None
        known = surroundings_of(self._source, flow) if flow is not None else Surroundings()
        is_quick = not QUICK_NODES < len(self._picture.diagram.nodes) <= MOST_NODES
        early = threading.Timer(LATE_S if is_quick else 0.0, self._tell_flow, (None, known, BEING_LAID_OUT))
        early.daemon = True
        early.start()
        try:
            svg, reason = self._picture.layout, None
        except PictureError as error:
            svg, reason = None, str(error)
        early.cancel()
        self._tell_flow(svg, known, reason)

    def _tell_flow(self, svg: str | None, known: Surroundings, reason: str | None) -> None:
        with self._drawing:
            if self._is_introduced or self._page is None:
                return
            self._is_introduced = reason is not BEING_LAID_OUT
            told = flow_message(self._picture.diagram, svg, known, picture_message=reason)
            self._page.teller.show({**told, "still": self._display_id, **self._view})

    def attend(self, run_id: str, ledger: Ledger) -> None:
        """The next run begins; of a flow with a schedule several come one after the other."""
        if self._source is not None:
            self._source.begun(run_id, ledger)
        if self._page is not None:
            self._page.teller.expect(run_id)

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened: they are told, or drawn, soon, by another thread."""
        if self._page is not None:
            told = events if self._renumbering is None else self._renumbering.events(events)
            if told:
                self._page.teller(run, told)
        if IS_FINAL[run.run_state]:
            self._run = run
            return  # the end is drawn by `finish`
        self._run = run
        if self._timer is None and self._drawing.acquire(blocking=self._draws):  # else it is drawn just now
            try:
                self._draw_soon()
            finally:
                self._drawing.release()

    def _draw_soon(self) -> None:
        if self._timer is None and self._run is not None:
            every_s = EVERY_S if self._draws else STILL_EVERY_S
            wait_s = max(SOON_S, self._drawn_s + every_s - monotonic())
            self._timer = threading.Timer(wait_s, self._draw_newest)
            self._timer.daemon = True
            self._timer.start()

    def finish(self, state: State | None) -> None:
        """Show how it ended; None: it was stopped, and what was told last is how it ended."""
        self._goes_on = False
        if self._page is not None:
            if self._source is not None:
                self._source.ended(state)
            self._page.teller.finish()
            tell_stale(self._page, self._source)
            self._allow()
            tell_what_was_taken(self._page, None if self._around is None else self._around.numbers)
        self._wait_for_layout()
        with self._drawing:
            run, self._run = self._run, None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            # The picture stays longer than the flow may, which may hold large values.
            flow, self._flow = self._flow, None
            standings = None if run is None else standings_of_run(run)
            if state is not None and flow is not None:
                standings = standings_of(flow, state)
            if standings is not None:
                self._last = self._whole(standings)
                self._draw(self._last)

    def _wait_for_layout(self) -> None:
        """Whoever saves the notebook now is to have the picture; where there is a page, it may come later all the same."""
        if self._layouter is None:
            return  # it was stopped before it had begun
        if not self._had_page:
            self._layouter.join()  # Graphviz has a time limit
        elif len(self._picture.diagram.nodes) <= QUICK_NODES:
            self._laid_out.wait(LATE_S)

    @property
    def text(self) -> str:
        """The flow as a tree of its tasks, as they stand."""
        return self._picture.text()

    def _draw_newest(self) -> None:
        with self._drawing:
            self._timer = None
            if self._run is not None:
                self._drawn_s = monotonic()
                self._draw(self._whole(standings_of_run(self._run)))

    def _whole(self, standings: Standings) -> Standings:
        """How all that is drawn stands, with what is not in the run."""
        if self._around is None or self._renumbering is None:
            return standings
        return {**self._around.before, **self._renumbering.standings(standings)}

    def _draw(self, standings: Any) -> None:
        try:
            self._picture = self._picture.with_standings(standings)
            self._sink.update(self._bundle(), {}, {"display_id": self._display_id})
        except Exception:  # the run is what counts; its picture is not worth its failure
            logging.getLogger(__name__).warning("The picture of the run could not be drawn.", exc_info=True)

    def _bundle(self) -> dict[str, Any]:
        """The picture as it is now; in words as long as it has not been laid out."""
        if self._laid_out.is_set():
            bundle = dict(self._picture._repr_mimebundle_())
        else:
            text = self._picture.text()
            bundle = {"text/html": f"<pre>{html.escape(text)}</pre>", "text/plain": text}
        return {**bundle, "text/html": beside_page(bundle["text/html"], self._display_id)} if self._had_page else bundle

    # -- its page ------------------------------------------------------------------------------------------------------

    def _see_whether_it_is_heard(self, after_s: float) -> None:
        """Where nothing shows widgets, the picture is drawn again and again, as where there is no page."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return

        def look(*, for_good: bool = False) -> None:
            page = self._page
            if page is None or page.was_heard or not self._goes_on:
                return
            if not for_good:  # the loop was busy until now: what a page has sent meanwhile comes first
                loop.call_later(1.0, lambda: look(for_good=True))
                return
            self._page = None
            page.teller.finish()
            self._draw_often()

        loop.call_later(after_s, look)

    def _retired(self) -> None:
        """There are too many pages: this one is the picture of its end, and no more."""
        self._page = None
        with self._drawing:
            if self._last is not None:
                self._draw(self._last)
            elif self._goes_on:
                self._draw_often()

    def _draw_often(self) -> None:
        """No page shows it any more: the still picture is what is seen."""
        with self._drawing:
            self._draws = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._draw_soon()

    def _allow(self) -> None:
        if self._page is not None:
            can, hint = (
                ({}, None)
                if self._source is None
                else self._source.can(is_running=self._goes_on, is_heard=self._page.was_heard)
            )
            self._page.teller.allow(can, hint)

    def _hear(self, page: Page, message: dict[str, Any]) -> None:
        """A page asks; in whichever thread the kernel has for it."""
        if message.get("type") in {"ready", "pong"}:  # it is heard: now it can be asked for something
            self._allow()
            return
        answer(page, message, self._source)
