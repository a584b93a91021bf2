"""A signal wakes the kernel's event loop: else Ctrl-C reaches a cell that awaits only when its loop wakes by itself."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import suppress

CHUNK_BYTES = 4096


class Wakeup:
    """While it is on, Python writes a byte into a socket for each signal, and the loop listens at the other end.

    ipykernel handles Ctrl-C by a callback on a loop that may sleep until the next timer, in `asyncio.sleep(600)` for
    ten minutes. A loop that has signal handlers of its own is woken already; it is left alone.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def begin(self) -> None:
        """Let signals wake the running loop; done twice, it is done once. Nothing where the calling thread runs none."""
        if self._loop is not None or threading.current_thread() is not threading.main_thread():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a terminal: there Ctrl-C raises
            return
        ear, mouth = socket.socketpair()
        ear.setblocking(False)
        mouth.setblocking(False)
        try:
            loop.add_reader(ear, _drain, ear)
        except NotImplementedError:  # Windows: its loop looks up by itself
            ear.close()
            mouth.close()
            return
        self._loop, self._ends = loop, (ear, mouth)
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)
            self._let_go()

    def end(self) -> None:
        """Signals wake nobody any more."""
        if self._ends is None or threading.current_thread() is not threading.main_thread():
            return
        before = signal.set_wakeup_fd(-1)
        if before != self._ends[1].fileno():  # somebody else has taken it over
            signal.set_wakeup_fd(before)
        self._let_go()
        self._loop = None

    def _let_go(self) -> None:
        assert self._loop is not None
        assert self._ends is not None
        ends, self._ends = self._ends, None
        if not self._loop.is_closed():
            self._loop.remove_reader(ends[0])
        for one in ends:
            one.close()


def _drain(ear: socket.socket) -> None:
    with suppress(BlockingIOError):
        while ear.recv(CHUNK_BYTES):
            pass
