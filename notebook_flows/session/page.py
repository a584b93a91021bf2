"""The way between a picture below a cell and the pages that show it: one widget, and messages on the kernel's IOPub."""

from __future__ import annotations

import logging
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeGuard

from notebook_flows.session.outputs import CellSink
from notebook_flows.session.publishing import SENDING
from notebook_flows.settings import settings_from
from notebook_flows.widget.detail import answered, place_of, standing
from notebook_flows.widget.teller import Teller
from notebook_flows.widget.viewstate import checked_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.picturesource import PictureSource
    from notebook_flows.widget.widget import FlowWidget

MOST_LISTED = 20_000
"""Of flows of more tasks no page gets a list: it could do nothing with it."""
MOST_PAGES = 20
"""Pictures of more runs than this stay as they are: the oldest are pictures only, and take no more memory."""


def has_page(sink: Sink) -> TypeGuard[CellSink]:
    """Whether somebody may look at what is shown there in a page that can talk to the kernel.

    A client without a person, such as nbclient, cannot be asked for input: it would only save the widget's state.
    """
    if not isinstance(sink, CellSink):
        return False
    content = sink.parent.get("content") or {}
    if not content.get("allow_stdin") or settings_from().live_picture != "on":
        return False
    from notebook_flows.widget import is_built

    return is_built() and find_spec("anywidget") is not None


_NO_ERROR = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .nbflow-still):not(:has(.nbflow-view))"
    "{display:none}</style>"
)
"""JupyterLab never falls back to another form of an output whose widget is gone with its kernel: it says that there is
no such widget. That is hidden, so that what stands below is seen alone."""


def beside_page(picture: str, name: str) -> str:
    """A picture for the output below that of a page: seen wherever the page is not. The page hides it by its name."""
    return f'<div class="nbflow-still" data-nbflow="{name}">{_NO_ERROR}{picture}</div>'


class Page:
    """One widget.

    Args:
        sink: below whose cell it is.
        hear: called with each message of a page; any thread.
        retire: called when it is closed because there are too many, before that.
        goes_on: whether it shows a run that goes on; such a page is closed last.

    Attributes:
        teller: tells what happens.
        view_id: the name of the output that shows it.
        was_heard: a page has answered.
    """

    def __init__(
        self,
        sink: CellSink,
        hear: Callable[[Page, dict[str, Any]], None],
        retire: Callable[[], None],
        goes_on: Callable[[], bool],
    ) -> None:
        from notebook_flows.widget.widget import FlowWidget

        self.was_heard = False
        self.teller = Teller(self._send)
        self.view_id = uuid.uuid4().hex
        self._sink = sink
        self._hear = hear
        self._retire = retire
        self._goes_on = goes_on
        self._widget: FlowWidget | None = FlowWidget(self._heard)
        _OPEN.append(self)
        while len(_OPEN) > MOST_PAGES:
            others = _OPEN[:-1]
            next((one for one in others if not one._goes_on()), others[0]).close()

    def display(self) -> None:
        """Show it below its cell; nothing once it is closed."""
        from notebook_flows.widget.widget import VIEW

        if self._widget is not None:
            self._sink.display({VIEW: self._widget.view}, {}, {"display_id": self.view_id})

    def close(self) -> None:
        """It is a picture only from now on."""
        widget, self._widget = self._widget, None
        if self in _OPEN:
            _OPEN.remove(self)
        if widget is not None:
            self._retire()
            self._sink.update({"text/plain": ""}, {}, {"display_id": self.view_id})  # else it says that it has gone
            widget.close()

    def _heard(self, message: dict[str, Any]) -> None:
        self.was_heard = self.teller.is_heard = True
        match message.get("type"):
            case "ready":
                self._hear(self, message)
                self.teller.tell_all()
            case "pong":
                self._hear(self, message)
            case "resync":
                self.teller.resync()
            case _:
                self._hear(self, message)

    def _send(self, content: bytes) -> None:
        """One message to all pages. Not by the comm: it would take the thread's cell for ours, and clean what is clean."""
        widget = self._widget
        if widget is None or widget.comm is None:
            return
        comm_id = widget.comm.comm_id
        packed = b'{"comm_id":"%s","data":{"method":"custom","content":%s}}' % (comm_id.encode(), content)
        kernel = self._sink.kernel
        with SENDING:
            kernel.session.send(
                kernel.iopub_socket, "comm_msg", packed, parent=self._sink.parent, ident=f"comm-{comm_id}".encode()
            )


_OPEN: list[Page] = []


def page_at(
    sink: Sink,
    hear: Callable[[Page, dict[str, Any]], None],
    retire: Callable[[], None],
    goes_on: Callable[[], bool],
) -> Page | None:
    """A page below a cell, if somebody looks there, and the kernel can have one; see `Page`."""
    if not has_page(sink):
        return None
    try:
        return Page(sink, hear, retire, goes_on)
    except Exception:  # a kernel with other libraries than we know: the run and its still picture are what counts
        logging.getLogger(__name__).warning("The picture cannot be live here.", exc_info=True)
        return None


def tell_stale(page: Page, source: PictureSource | None) -> None:
    """A run has ended: tell a page which tasks are stale by now."""
    if source is None:
        return
    try:
        stale = source.stale_now()
    except Exception:  # the run is what counts, and has ended; `%flow status` says what is the matter
        logging.getLogger(__name__).warning("What is stale could not be told.", exc_info=True)
        return
    page.teller.freshen([{"task": task, "why": why} for task, why in stale.items()])


def _detail(source: PictureSource, place: tuple[int, int]) -> dict[str, Any]:
    try:
        return source.detail(*place)
    except Exception as error:  # the user's own values: whoever has clicked is to see that nothing more comes
        logging.getLogger(__name__).warning("The details of a task could not be told.", exc_info=True)
        return {"error": f"Its details could not be told: {type(error).__name__}: {error}"[:2_000]}


def answer(page: Page, message: Mapping[str, Any], source: PictureSource | None) -> None:
    """Answer a page that wants to know more of a task run, or to have something done; any thread."""
    request, place = message.get("request"), place_of(message)
    if message.get("type") == "detail":
        board = page.teller.board
        stands, known = {}, {}
        if place is not None:
            stands = standing(board, *place) if board is not None else {}
            known = _detail(source, place) if source is not None else {}
        page.teller.answer(answered(request, *(place or (None, None)), stands, known))
    elif message.get("type") == "action":
        is_ok, said = (False, "Nothing can be done with this picture.")
        if source is not None:
            node = place[0] if place is not None else None
            is_ok, said = source.act(str(message.get("action")), node, checked_view(message.get("view")))
        page.teller.answer({"type": "done", "request": request, "ok": is_ok, "message": said})
