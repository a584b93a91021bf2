"""What the server knows of a run, and how it asks something of it. Each function reads the history, so it may take a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import facts_of
from notebook_flows.errors import FlowError, NoSuchRun
from notebook_flows.widget.feed import events_message
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from notebook_flows.server.wish import Wish
    from notebook_flows.store.eventlog import StoredEventLog
    from notebook_flows.store.memory import MemoryEventLog
    from notebook_flows.store.rows import RunRow

SHORT_ID = 12


class UnseenRunError(FlowError, LookupError):
    """The server's history does not have this run: the kernel's settings name another one, or none."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return (
            f"This Jupyter server does not see run {self.run_id!r}: the kernel keeps its history somewhere else, or keeps "
            "none. Use Interrupt (■)."
        )


class RunOverError(FlowError):
    """Nothing can be asked of a run that no process is running.

    Attributes:
        told: how it stands.
    """

    def __init__(self, flow: str, run_id: str, told: str) -> None:
        super().__init__(flow, run_id, told)
        self.flow, self.run_id, self.told = flow, run_id, told

    def __str__(self) -> str:
        return f"Run {self.run_id[:SHORT_ID]} of {self.flow!r} does not go on any more: it is {self.told}."


def known(run_id: str) -> dict[str, Any]:
    """How a run stands.

    Raises:
        UnseenRunError: the history does not have it.
        FlowError: the history cannot be read.
    """
    row = _row(event_log(), run_id)
    return {"run_id": row.run_id, "flow": row.flow, "state": facts_of(row.state).word, "goes_on": row.goes_on}


def ask(run_id: str, wish: Wish) -> int:
    """Ask something of a run, whichever process is running it; the number of the request.

    Raises:
        UnseenRunError: the history does not have it.
        RunOverError: no process is running it.
        FlowError: the history cannot be read or written.
    """
    log = event_log()
    log.sweep()  # a run whose process is gone is told crashed first: nobody would hear
    row = _row(log, run_id)
    if not row.goes_on:
        raise RunOverError(row.flow, row.run_id, facts_of(row.state).word)
    return log.request(row.run_id, wish.kind, wish.payload)


def events(run_id: str, *, after: int, limit: int) -> dict[str, Any]:
    """A page of the events of a run, as pages are told of them; ``next`` is where the next one begins.

    Raises:
        UnseenRunError: the history does not have it.
        FlowError: the history cannot be read.
    """
    log = event_log()
    row = _row(log, run_id)
    found = log.read(row.run_id, after, limit)
    told = events_message(found, batch=0, now_us=time.time_ns() // 1000)
    del told["batch"]  # of a channel; here events are asked for by their numbers
    return {**told, "run_id": row.run_id, "next": found[-1].seq if found else after, "goes_on": row.goes_on}


def _row(log: StoredEventLog | MemoryEventLog, run_id: str) -> RunRow:
    try:
        row = log.run(run_id)
    except NoSuchRun as error:
        raise UnseenRunError(run_id) from error
    if row.run_id != run_id:  # the beginning of an id is for people; who asks here knows the whole
        raise UnseenRunError(run_id)
    return row
