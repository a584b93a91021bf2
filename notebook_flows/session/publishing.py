"""Messages on the kernel's IOPub under one parent: printed text in few of them, and never further ahead than the kernel can send."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL_S = 0.1
"""How long printed text may wait for more."""
CHUNK = 65_536
"""Characters that are sent without waiting for more ..."""
BIG_CHUNK = 1_000_000
"""... and once a task has printed a lot: what is slow to be read drops messages when there are too many."""
A_LOT = 4_000_000
AHEAD = 4_000_000
"""Characters that may wait for the kernel's sending thread."""
PATIENCE_S = 10.0
"""How long a task waits for it."""

SENDING = threading.RLock()
"""Whoever sends holds it: the session counts its messages, and counts wrong when two threads send."""


class Flushed(Protocol):
    """What has printed text to send."""

    def flush(self) -> None:
        """Send it."""


class Publisher:
    """Sends under one parent; its owner sees to it that one thread at a time is here.

    Args:
        parent: the request that runs the cell: the message, or its header.
        kernel: whose IOPub; None: this process's.

    Attributes:
        parent: the request as a message.
        kernel: whose IOPub it is.
        latest_count: the number of the cell that the kernel has run last.
    """

    def __init__(self, parent: Mapping[str, Any], kernel: Any) -> None:
        kernel = kernel if kernel is not None else _this_kernel()
        self.parent = dict(parent) if "header" in parent else {"header": dict(parent)}
        self.latest_count: int = kernel.shell.execution_count - 1
        self.kernel = kernel
        self._session = kernel.session
        self._socket = kernel.iopub_socket
        self._thread = kernel.iopub_thread
        self._topics = {kind: kernel._topic(kind) for kind in ("execute_result", "error")}
        self._waiting: list[tuple[str, str]] = []
        self._waiting_size = 0
        self._sent = 0
        self._ahead = 0
        self._flushed_at = 0.0

    def print(self, name: str, text: str) -> bool:
        """Sends the text with what comes soon.

        Returns:
            Whether somebody has to see to it that it is flushed.
        """
        self._waiting.append((name, text))
        self._waiting_size += len(text)
        if self._waiting_size >= (BIG_CHUNK if self._sent > A_LOT else CHUNK):
            self.flush()
        return len(self._waiting) == 1

    def flush(self) -> None:
        """Sends the text that waits."""
        waiting, self._waiting, self._waiting_size = self._waiting, [], 0
        self._flushed_at = time.monotonic()
        for name, text in joined(waiting):
            self.send("stream", {"name": name, "text": text})
            self._sent += len(text)
            self._ahead += len(text)

    def hurry(self) -> None:
        """Sends the text that waits, unless other text was sent a moment ago."""
        if time.monotonic() - self._flushed_at > INTERVAL_S:
            self.flush()

    def flush_soon(self, owner: Flushed) -> None:
        """Has the owner flush in a moment."""
        _FLUSHER.add(owner)

    def send(self, kind: str, content: dict[str, Any]) -> None:
        """One message, now."""
        topic = f"stream.{content['name']}".encode() if kind == "stream" else self._topics.get(kind, b"display_data")
        with SENDING:
            try:
                self._session.send(self._socket, kind, content, parent=self.parent, ident=topic)
            except UnicodeEncodeError:  # half of a character, which no message can carry; it must not be lost whole
                self._session.send(self._socket, kind, _sendable(content), parent=self.parent, ident=topic)

    def wait_if_far_ahead(self) -> None:
        """Not under the owner's lock: gives the sending thread time, so that memory stays bounded."""
        if self._ahead > AHEAD:
            self._ahead = 0
            arrived = threading.Event()
            self._thread.schedule(arrived.set)
            arrived.wait(PATIENCE_S)


class _Flusher:
    """One thread for all sinks, which sleeps while nothing waits."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._dirty: list[Flushed] = []
        self._thread: threading.Thread | None = None

    def add(self, owner: Flushed) -> None:
        with self._condition:
            self._dirty.append(owner)
            if self._thread is None or not self._thread.is_alive():  # the first, or this is a fork
                self._thread = threading.Thread(target=self._run, name="notebook_flows flusher", daemon=True)
                contextvars.Context().run(self._thread.start)  # what it does is no task's doing
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._dirty:
                    self._condition.wait()
            time.sleep(INTERVAL_S)  # what others print meanwhile goes out with it
            with self._condition:
                dirty, self._dirty = self._dirty, []
            for owner in dirty:
                owner.flush()
            del dirty


_FLUSHER = _Flusher()


def flush_soon(owner: Flushed) -> None:
    """Have somebody flush what it holds back, in a moment."""
    _FLUSHER.add(owner)


def joined(texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The texts in order, neighbours of one name as one."""
    found: list[tuple[str, list[str]]] = []
    for name, text in texts:
        if not found or found[-1][0] != name:
            found.append((name, []))
        found[-1][1].append(text)
    return [(name, "".join(parts)) for name, parts in found]


def _sendable(value: Any) -> Any:
    """The same with a mark in place of each half of a character (a lone surrogate)."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sendable(key): _sendable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(one) for one in value]
    return value


def _this_kernel() -> Any:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        reason = "A CellSink publishes on a kernel's IOPub, and this process is no kernel. Use a RecordingSink."
        raise RuntimeError(reason)
    return kernel
