"""What a client that runs a notebook headlessly says to the kernel; its code is sent as silent requests.

The client begins with `serve`. Then it sends each cell as an ordinary request; that of a task cell says in its metadata,
below ``notebook_flows``: ``task``, ``attempt`` and ``executor``. How a task has ended the kernel tells on IOPub, in a
message of the type ``notebook_flows_task`` with the request as its parent; see `served`.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.session import routing
from notebook_flows.session.saved import Document, DocumentCell, words
from notebook_flows.session.servedmemory import ServedMemory
from notebook_flows.session.server import Server
from notebook_flows.session.session import Mode, session_of

if TYPE_CHECKING:
    from notebook_flows.session.session import Session

VERSION = 1
"""Of what client and kernel say to each other."""
ORIGIN = "the runner"
_PACKAGE = "notebook_flows"  # by its name: what it loads stands above this floor


class ProtocolError(FlowError):
    """The client and the kernel have versions of notebook_flows that do not understand each other."""

    def __init__(self, version: Any) -> None:
        super().__init__(version)
        self.version = version

    def __str__(self) -> str:
        return (
            f"The runner speaks version {self.version!r} of the protocol, and the notebook's kernel version {VERSION}: "
            "install the same notebook_flows in both environments."
        )


def serve(told: str) -> None:
    """Begin: from now on the client says what runs, and when.

    Args:
        told: JSON with ``version``; ``cells``, the notebook's code cells in order, each with ``id``, ``source`` and
            ``tags``; ``workers``, ``strict_shell``, and ``name``, that of the notebook; ``memory``, where results are kept,
            as `ServedMemory` gets it.
    """
    wish = json.loads(told)
    if wish.get("version") != VERSION:
        raise ProtocolError(wish.get("version"))
    shell = _shell()
    import_module(_PACKAGE).load_ipython_extension(shell)
    session = session_of(shell)
    session.document = Document(
        cells=tuple(
            DocumentCell(source=cell["source"], cell_id=cell["id"], tags=words(cell.get("tags")))
            for cell in wish["cells"]
            if cell["source"].strip()
        ),
        written_us=0,
        origin=ORIGIN,
        is_whole=True,
    )
    session.saved.told_name = str(wish.get("name") or "")
    session.mode = Mode.SERVED
    if session.server is not None:
        session.server.close()
    routing.install(shell)
    workers = int(wish.get("workers") or 1)
    memory = wish.get("memory")
    session.server = Server(
        session,
        workers=workers,
        strict_shell=bool(wish.get("strict_shell")),
        memory=None if memory is None else ServedMemory(memory),
    )


class NoSuchAttemptError(FlowError):
    """The client asks after an attempt that does not go on here: its end was told, or it has never begun."""

    def __init__(self, task: str, attempt: int) -> None:
        super().__init__(task, attempt)
        self.task = task
        self.attempt = attempt

    def __str__(self) -> str:
        return f"Attempt {self.attempt} of the task cell {self.task!r} does not go on here, or has ended."


def ask(task: str, attempt: int) -> None:
    """The client has not heard of this attempt for long.

    Raises:
        NoSuchAttemptError: it does not go on: of its end nothing more will be said.
    """
    server = _session().server
    if server is None or not server.runs(task, attempt):
        raise NoSuchAttemptError(task, attempt)


def cancel(task: str, attempt: int) -> None:
    """Nobody waits for this attempt any more."""
    server = _session().server
    if server is not None:
        server.cancel(task, attempt)


def land() -> None:
    """Put what tasks have made into the namespace now."""
    server = _session().server
    if server is not None:
        server.land()


def run_held() -> None:
    """Run the task of this request; the kernel itself asks for it."""
    server = _session().server
    if server is not None:
        server.run_held()


async def await_held() -> None:
    """Run the task of this request, which awaits; the kernel itself asks for it."""
    server = _session().server
    if server is not None:
        await server.await_held()


def _session() -> Session:
    return session_of(_shell())


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError("This runs in the kernel of a notebook.")
    return shell
