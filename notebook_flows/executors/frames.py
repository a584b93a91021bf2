"""Frames: what the two ends of a worker's socket say to one another.

A frame is a kind, a head (marshal: plain builtins only, so that reading it runs no code) and a body (any bytes).
"""

from __future__ import annotations

import marshal
import os
from io import BytesIO
from struct import Struct
from typing import Any, NamedTuple

# from the parent
THING = 1
"""Head: a number. Body: a pickle that later frames refer to by that number."""
FORGET = 2
"""Head: numbers of things that will not be referred to again."""
CALL = 3
"""Head: how many calls follow at once, ref, attempt, name of the task. Body: the pickled links of the segment."""

# from the worker
READY = 10
"""Head: the worker's process id. It is up."""
TAKEN = 15
"""The calls have arrived; the first one is taken up."""
BEGUN = 11
"""Head: ref, attempt of a call with a timeout, which begins now."""
OUTCOME = 12
"""Head: a `Report`. Body: the pickled value or exception."""
BACK = 13
"""Head: [(ref, attempt), ...] of calls that the worker gives back, not begun."""
LINES = 14
"""Head: log lines, as tuples."""

NOTE = 16
"""Head: the number of a listener. Body: what a running task tells it."""

# on the control socket, to the worker
CONTROL = Struct("<cqq")
GIVE_BACK = b"B"
"""Give back all calls that have not begun."""
DROP = b"D"
"""Do not begin the link with this ref and attempt."""

# to the nursery, and back
REQUEST = Struct("<cq")
FORK = b"F"
"""Fork a worker. With it come two file descriptors: data and control."""
REAP = b"R"
"""Answer with the exit code of the worker with this process id, which has ended."""

BIG = 64 * 1024
"""From this many bytes on, a body travels, and is kept, on its own."""

_HEADER = Struct("<BIQ")
_CHUNK = 256 * 1024


class Frame(NamedTuple):
    """One frame, read."""

    kind: int
    head: Any
    body: bytes


class Report(NamedTuple):
    """How a worker tells an outcome.

    Attributes:
        is_error: the body is a pickled exception; if it is empty, ``error`` tells the exception in words.
        error: (class, sentence, traceback text) of an exception; None for a value.
        goes_on: the next link of the segment begins at once.
    """

    ref: int
    attempt: int
    state: int
    message: str
    started_us: int
    ended_us: int
    details: Any
    is_error: bool
    error: tuple[str, str, str] | None
    goes_on: bool


def packed(kind: int, head: Any, body: bytes = b"") -> list[bytes]:
    """The buffers to send, in order: one where the body is small, else two, so that no big body is copied."""
    told = marshal.dumps(head)
    start = _HEADER.pack(kind, len(told), len(body)) + told
    return [start + body] if len(body) < BIG else [start, body]


class FrameReader:
    """Cuts what comes out of a socket into frames."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()
        self._big: tuple[int, Any, BytesIO] | None = None
        self._missing = 0

    def receive(self) -> list[Frame]:
        """The frames that are complete after one look at the socket; blocks if the socket does.

        Raises:
            EOFError: the other end has gone.
            BlockingIOError: there is nothing at the moment.
        """
        if self._big is not None:
            return self._receive_big(*self._big)
        data = os.read(self._fd, _CHUNK)
        if not data:
            raise EOFError
        self._buffer += data
        return self._cut()

    def _receive_big(self, kind: int, head: Any, into: BytesIO) -> list[Frame]:
        with into.getbuffer() as whole, whole[-self._missing :] as rest:
            count = os.readv(self._fd, [rest])
        if not count:
            raise EOFError
        self._missing -= count
        if self._missing:
            return []
        self._big = None
        return [Frame(kind, head, into.getvalue())]  # shares the buffer: no copy

    def _cut(self) -> list[Frame]:
        buffer, at, frames = self._buffer, 0, []
        while len(buffer) - at >= _HEADER.size:
            kind, head_size, body_size = _HEADER.unpack_from(buffer, at)
            body_at = at + _HEADER.size + head_size
            if len(buffer) < body_at:
                break
            is_here = len(buffer) >= body_at + body_size
            if not is_here and body_size < BIG:
                break
            head = marshal.loads(bytes(buffer[at + _HEADER.size : body_at]))  # noqa: S302 - from our own child or parent
            if not is_here:
                self._begin_big(kind, head, body_size, buffer[body_at:])
                at = len(buffer)
                break
            frames.append(Frame(kind, head, bytes(buffer[body_at : body_at + body_size])))
            at = body_at + body_size
        del buffer[:at]
        return frames

    def _begin_big(self, kind: int, head: Any, size: int, begun: bytearray) -> None:
        into = BytesIO()
        into.write(begun)
        into.seek(size - 1)
        into.write(b"\0")
        self._missing = size - len(begun)
        self._big = (kind, head, into)
