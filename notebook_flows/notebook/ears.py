"""Hearing what arrives on a ZeroMQ socket, on an asyncio loop."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES_AT_ONCE = 100
DELIMITER = b"<IDS|MSG>"
"""Between the names of those who are meant, and the message."""


class Ear:
    """Hears one channel on the running loop.

    A ZeroMQ socket tells only once that it has something; whoever sends on it may take that sign away. So all there is
    is read each time, and after each send as well.
    """

    def __init__(self, channel: Any, hear: Callable[[dict[str, Any]], None]) -> None:
        import zmq

        self._socket = channel.socket
        self._session = channel.session
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._nothing = zmq.Again
        self._at_once = zmq.NOBLOCK
        self._handle = self._socket.getsockopt(zmq.FD)
        self._is_due = False
        self._loop.add_reader(self._handle, self.listen)

    def listen_soon(self) -> None:
        """Look whether something has come, as soon as what runs now is done."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.listen)

    def listen(self) -> None:
        """Take what has come."""
        self._is_due = False
        for _ in range(MESSAGES_AT_ONCE):
            if self._socket.closed:
                return
            try:
                frames = self._socket.recv_multipart(self._at_once)
            except self._nothing:
                return
            try:
                message = message_from(frames, self._session)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a wrong signature, broken JSON: no message of Jupyter's
            self._hear(message)
        self.listen_soon()

    def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._handle)


def message_from(frames: list[bytes], session: Any) -> dict[str, Any]:
    """The message in these frames, with its own time as a time.

    As the session's own ``deserialize``, which looks for times in every text of a message, and so takes most of the time
    of a notebook of many short cells.

    Raises:
        ValueError: they are no message, or one with a wrong signature, or one that was heard before.
        KeyError: its header lacks something.
    """
    first = frames.index(DELIMITER) + 1
    signature, parts = frames[first], frames[first + 1 : first + 5]
    if session.auth is not None:
        if signature in session.digest_history or not compare_digest(signature, session.sign(parts)):
            raise ValueError("the signature is wrong")
        session._add_digest(signature)
    header, parent, metadata, content = map(json.loads, parts)
    header["date"] = datetime.fromisoformat(header["date"])
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": header["msg_type"],
        "parent_header": parent,
        "metadata": metadata,
        "content": content,
        "buffers": frames[first + 5 :],
    }


async def first_of(*futures: asyncio.Future[Any], timeout_s: float | None = None) -> None:
    """Wait until one of them is done, or the time is up."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
