"""A bell that a signal handler may ring while the same thread waits for it."""

from __future__ import annotations

import threading


class Bell:
    """What `threading.Event` is, of one lock: an Event's own lock can be held by the very thread that the handler stops.

    Waiting takes the ring away.
    """

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def set(self) -> None:
        """Ring it; once is as good as twice."""
        try:
            self._silence.release()
        except RuntimeError:
            return  # it rings already

    def is_set(self) -> bool:
        """Whether it rings."""
        return not self._silence.locked()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it rings, or the time is up; whether it has rung."""
        return self._silence.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))

    def clear(self) -> None:
        """Take a ring away that nobody has waited for."""
        self._silence.acquire(blocking=False)
