"""Hearing what arrives on a ZeroMQ socket, on an asyncio loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES_AT_ONCE = 100


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
                message = self._session.deserialize(self._session.feed_identities(frames)[1])
            except (ValueError, TypeError, KeyError, IndexError):
                continue  # a wrong signature, broken JSON: no message of Jupyter's
            self._hear(message)
        self.listen_soon()

    def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._handle)


async def first_of(*futures: asyncio.Future[Any], timeout_s: float | None = None) -> None:
    """Wait until one of them is done, or the time is up."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
