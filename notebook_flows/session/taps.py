"""Text that does not come through Python's streams: two pipes of a task's own, for children, forks and native code."""

from __future__ import annotations

import array
import codecs
import contextvars
import ctypes
import fcntl
import os
import select
import termios
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STREAMS = ("stdout", "stderr")


class Tap:
    """A pipe for stdout and one for stderr, read for as long as anybody can write to them.

    Args:
        take: gets (``stdout`` or ``stderr``, text); from any thread, one at a time.
    """

    def __init__(self, take: Callable[[str, str], None]) -> None:
        self._take = take
        self._lock = threading.RLock()
        self._readers: dict[str, int] = {}
        self._writers: dict[str, int] = {}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in STREAMS}
        for name in STREAMS:
            self._readers[name], self._writers[name] = os.pipe()
        thread = threading.Thread(target=self._read, name="notebook_flows tap", daemon=True)
        contextvars.Context().run(thread.start)  # what it does is no task's doing

    def writer(self, name: str) -> int | None:
        """The file descriptor to write to; None: it is closed."""
        return self._writers.get(name)

    def drain(self) -> None:
        """What has been written so far is taken."""
        with self._lock:
            for name, reader in self._readers.items():
                size = _unread(reader)
                if size:
                    self._hand_over(name, os.read(reader, size))

    def give_to(self, take: Callable[[str, str], None]) -> None:
        """What has been written so far is taken by the one who took it until now; what comes later by another."""
        with self._lock:
            self.drain()
            self._take = take

    def close(self) -> None:
        """We write no more; others, such as a child that goes on, may."""
        with self._lock:
            writers, self._writers = self._writers, {}
        for writer in writers.values():
            os.close(writer)

    def _hand_over(self, name: str, raw: bytes, *, final: bool = False) -> None:
        text = self._decoders[name].decode(raw, final)
        if text:
            self._take(name, text)

    def _read(self) -> None:
        poller = select.poll()
        names = {reader: name for name, reader in self._readers.items()}
        for reader in names:
            poller.register(reader, select.POLLIN)
        while names:
            for reader, event in poller.poll():
                with self._lock:
                    self.drain()
                    if event & select.POLLIN or _unread(reader):
                        continue
                    self._hand_over(names[reader], b"", final=True)
                    del self._readers[names.pop(reader)]
                poller.unregister(reader)
                os.close(reader)


class Descriptors:
    """Where the file descriptors 1 and 2 of this process lead to."""

    def __init__(self) -> None:
        self._saved: dict[int, int] = {}
        self._lock = threading.RLock()

    def lead_to(self, tap: Tap | None) -> None:
        """To this tap; None: where they led at first."""
        with self._lock:
            for number, name in enumerate(STREAMS, 1):
                self._lead(number, tap.writer(name) if tap is not None else None)

    def _lead(self, number: int, writer: int | None) -> None:
        if writer is not None:
            if number not in self._saved:
                self._saved[number] = os.dup(number)
            os.dup2(writer, number)
        elif number in self._saved:
            saved = self._saved.pop(number)
            os.dup2(saved, number)
            os.close(saved)

    def write_home(self, name: str, text: str) -> None:
        """Write there where they led at first."""
        number = 1 + STREAMS.index(name)
        raw = text.encode("utf-8", "replace")
        with self._lock, suppress(OSError):  # nobody reads there any more
            while raw:
                raw = raw[os.write(self._saved.get(number, number), raw) :]


def flush_native() -> None:
    """Has the C library write what it holds back of its stdout."""
    library = ctypes.CDLL(None)
    with suppress(ValueError):  # a C library that names it otherwise: native text may come late there
        library.fflush(ctypes.c_void_p.in_dll(library, "stdout"))


def _unread(reader: int) -> int:
    size = array.array("i", [0])
    fcntl.ioctl(reader, termios.FIONREAD, size)
    return size[0]
