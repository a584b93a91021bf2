"""Runs of this process, as seen from outside of their engines: any thread may stop one, and hears when one stops."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_lock = threading.Lock()
_hear: dict[str, list[Callable[[str], None]]] = {}
_reached: dict[str, tuple[Callable[[str], None], Callable[[int], bool]]] = {}


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


@contextmanager
def reached_by(run_id: str, cancel: Callable[[str], None], retry: Callable[[int], bool]) -> Iterator[None]:
    """Inside, `cancel_run` and `retry_run` find this run.

    Args:
        run_id: of the run.
        cancel: has it end, for a reason; any thread may call it.
        retry: has what failed in it tried again, as a request with this number wants, or one without a number (0); any
            thread may call it. False: the run is about to end.
    """
    _reached[run_id] = cancel, retry
    try:
        yield
    finally:
        _reached.pop(run_id, None)


def cancel_run(run_id: str, reason: str) -> bool:
    """Have a run of this process end as cancelled, as a request from outside does; any thread may ask, and does not wait.

    A task that holds the main thread is interrupted; `flow.run()` returns the state then, and raises nothing.

    Args:
        run_id: of the run.
        reason: what the history says of it.
    Returns:
        Whether such a run goes on here.
    """
    found = _reached.get(run_id)
    if found is not None:
        found[0](reason)
    return found is not None


def retry_run(run_id: str, request: int = 0) -> bool:
    """Have tried again what has failed by now in a run of this process, while it goes on; any thread may ask.

    A task that holds the engine's thread is waited for.

    Args:
        run_id: of the run.
        request: its number, if it stands in the run's history: the run may have read it there itself.
    Returns:
        Whether such a run goes on here.
    """
    found = _reached.get(run_id)
    return found is not None and found[1](request)
