"""Notes: what a task tells the process of its run while it runs in a worker process, before its outcome."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = count(1)


class Listener(Protocol):
    """Who hears the notes of one attempt, in the process of the run."""

    def hear(self, note: bytes) -> None:
        """A note has arrived. Called by the thread that serves all workers, so it has to be quick."""


_listeners: WeakValueDictionary[int, Listener] = WeakValueDictionary()
_send: Callable[[int, bytes], None] | None = None


def listen(listener: Listener) -> int:
    """The number by which a task reaches this listener; it holds as long as somebody holds the listener."""
    number = next(_numbers)
    _listeners[number] = listener
    return number


def heard(number: int, note: bytes) -> None:
    """A worker has told this; if the listener is gone, nobody wants to know."""
    listener = _listeners.get(number)
    if listener is None:
        return
    try:
        listener.hear(note)
    except Exception:  # what shows a task must not end the workers of all
        logging.getLogger(__name__).exception("What a task has told from its process could not be shown.")


def tell_by(send: Callable[[int, bytes], None]) -> None:
    """In a worker: notes go this way."""
    global _send
    _send = send


def tell(number: int, note: bytes) -> None:
    """In a worker: tell the listener with this number; any thread may.

    Raises:
        RuntimeError: this is no worker process.
    """
    if _send is None:
        raise RuntimeError("Notes are told by tasks in worker processes only.")
    _send(number, note)
