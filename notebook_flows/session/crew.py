"""Threads that run one function after another: a new one begins only where all are busy.

A kernel keeps a socket for each thread that has sent something, for seconds after its end: thousands of short tasks, each
in a thread of its own, would use up all sockets that a process may have.
"""

from __future__ import annotations

import contextvars
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Crew:
    """Daemon threads; one whose function never ends is lost to the others, and holds up nothing."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[tuple[Callable[[], None], str, contextvars.Context]]] = []

    def run(self, function: Callable[[], None], *, name: str) -> None:
        """Run a function in a thread that bears this name meanwhile; it must not raise. Never blocks."""
        try:
            jobs = self._idle.pop()  # a list's pop is one step: nobody else gets the same
        except IndexError:
            jobs = SimpleQueue()
            threading.Thread(target=self._work, args=(jobs,), name=name, daemon=True).start()
        jobs.put((function, name, contextvars.copy_context()))

    def _work(self, jobs: SimpleQueue[tuple[Callable[[], None], str, contextvars.Context]]) -> None:
        me = threading.current_thread()
        while True:
            function, me.name, context = jobs.get()
            context.run(function)
            del function, context  # an idle thread holds no values
            me.name = "notebook_flows idle"
            self._idle.append(jobs)
