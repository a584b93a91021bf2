"""One notebook's session in its kernel: its cells, what they have bound, and what listens to them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from notebook_flows.session.bindings import Bindings
from notebook_flows.session.cellbook import CellBook
from notebook_flows.session.handrun import HandRuns
from notebook_flows.session.hooks import Hooks
from notebook_flows.session.notebookflow import NotebookFlow
from notebook_flows.session.saved import SavedNotebook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.outputs import Sink
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.saved import Document
    from notebook_flows.session.selection import Wish
    from notebook_flows.session.server import Server

_ATTRIBUTE = "_notebook_flows_session"


class Mode(StrEnum):
    """What happens when a task cell is executed."""

    EAGER = "eager"
    """It runs, as it would without us."""
    LAZY = "lazy"
    """It is only registered; a run of the flow makes it."""
    SERVED = "served"
    """The client that has started the kernel says what runs, and when."""


class Session:
    """What there is once for each shell.

    Args:
        shell: IPython's.

    Attributes:
        saved: the notebook's file.
        book: its cells.
        bindings: who has bound which name.
        mode: what happens when a task cell is executed.
        hand_runs: records task cells that are executed by hand.
        server: obeys the client that has started the kernel; None elsewhere.
        document: the code cells, as a client has told them; else the saved file tells.
        before_cell: called on the main thread before a cell runs, and before its names are looked at: values land here.
        flow: the notebook as a flow: what is stale, and runs of its cells.
        settler: lets ordinary cells wait for the tasks that they need, where these only register; the magics' own.
        start_wish: has what was clicked on a picture run as soon as the kernel is free, below that picture's cell, and says
            when that is; any thread may call it; the magics' own.
        after_cell: called after a cell has run, with whether it went well.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.saved = SavedNotebook(shell.user_ns)
        self.bindings = Bindings()
        self.book = CellBook(self.current_document, on_rename=self.bindings.renamed)
        self.mode = Mode.EAGER
        self.hand_runs = HandRuns()
        self.server: Server | None = None
        self.document: Document | None = None
        self.before_cell: list[Callable[[CellRecord], None]] = []
        self.after_cell: list[Callable[[CellRecord, bool], None]] = []
        self.flow = NotebookFlow(self)
        self.after_cell.append(lambda record, ended_well: self.flow.ran_by_hand(record, has_succeeded=ended_well))
        self.hooks = Hooks(session=self)
        self.settler: object | None = None
        self.start_wish: Callable[[Callable[[], Wish], Sink, Mapping[str, Any]], str] | None = None
        self.is_started = False

    @property
    def is_lazy(self) -> bool:
        """Whether task cells only register."""
        return self.mode is not Mode.EAGER

    def current_document(self) -> Document | None:
        """The code cells of the notebook as they are now, as far as anybody tells."""
        return self.document if self.document is not None else self.saved.read()

    def told_tags(self, cell_id: str | None) -> tuple[str, ...]:
        """A cell's tags, as a client has told them."""
        cells = self.document.cells if self.document is not None and cell_id else ()
        return next((cell.tags for cell in cells if cell.cell_id == cell_id), ())


def session_of(shell: Any) -> Session:
    """The session of a shell; a new one, which does not listen yet, if it has none."""
    found = getattr(shell, _ATTRIBUTE, None)
    if not isinstance(found, Session):
        found = Session(shell)
        setattr(shell, _ATTRIBUTE, found)
    return found


def start(session: Session) -> None:
    """Listen to the shell's cells; done twice, it is done once."""
    if not session.is_started:
        session.is_started = True
        session.hooks.install()


def stop(session: Session) -> None:
    """Listen no longer; what is known stays known, and what is to be written to the history still is."""
    if session.is_started:
        session.is_started = False
        session.hooks.uninstall()
