"""Text that several tasks of one run may have written, past Python: it goes to the run's log, below no task."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from notebook_flows.engine.logs import sink_of
from notebook_flows.notebook.streams import Lines
from notebook_flows.session.routing import unattributed_to

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_THE_RUN = -1
"""In place of a task's number."""
TOO_MUCH = "Tasks that run side by side print more past Python than is kept here."


@contextmanager
def nobodys_text_logged(run_id: str) -> Iterator[None]:
    """Inside, such text is in the run's log, line by line; outside, it goes where it went before us.

    Args:
        run_id: of the run, whose log is open for as long.
    """
    send = sink_of(run_id)
    if send is None:
        yield
        return
    lines, lock = Lines(send, OF_THE_RUN, 0, too_much=TOO_MUCH), threading.Lock()

    def take(name: str, text: str) -> None:
        with lock:
            lines.add(name, text)

    try:
        with unattributed_to(take):
            yield
    finally:
        with lock:
            lines.end()
