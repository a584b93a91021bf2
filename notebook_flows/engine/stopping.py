"""Tells what runs inside a task, such as a whole notebook, that the run around it is being stopped."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_lock = threading.Lock()
_hear: dict[str, list[Callable[[str], None]]] = {}


@contextmanager
def when_stopping(run_id: str | None, hear: Callable[[str], None]) -> Iterator[None]:
    """Inside, ``hear(reason)`` is called, in the engine's thread, when the run begins to stop before its time.

    It has to be quick, and only says what is to end; the engine does not wait for that.

    Args:
        run_id: of the run around; None: there is none.
        hear: gets the reason, a sentence.
    """
    if run_id is None:
        yield
        return
    with _lock:
        _hear.setdefault(run_id, []).append(hear)
    try:
        yield
    finally:
        with _lock:
            _hear[run_id].remove(hear)
            if not _hear[run_id]:
                del _hear[run_id]


def tell_stopping(run_id: str, reason: str) -> None:
    """The run is being stopped."""
    with _lock:
        told = tuple(_hear.get(run_id, ()))
    for hear in told:
        hear(reason)
