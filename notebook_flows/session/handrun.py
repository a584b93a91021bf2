"""A task cell that is executed by hand, as a run of its own in the history."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import uuid
import warnings
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attachments import LOGGER, kept, words_of
from notebook_flows.engine.call import LogLine
from notebook_flows.engine.clock import SystemClock
from notebook_flows.engine.ports import KeptContent, RunInfo
from notebook_flows.engine.wording import named
from notebook_flows.notebook.redaction import Redactor
from notebook_flows.notebook.secrets import values_given
from notebook_flows.settings import settings_from
from notebook_flows.store.rows import BY_HAND
from notebook_flows.workspace import environment
from notebook_flows.workspace.attachments import attachments_for
from notebook_flows.workspace.histories import forget_old_runs, log_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.engine.ports import RunLog
    from notebook_flows.session.record import CellRecord

PATIENCE_S = 2.0
"""How long the end of the kernel waits for what is still to be written."""


class HandRuns:
    """Records task cells that are executed by hand.

    A thread of its own writes, so that no cell waits for a disk. If the history cannot be written, that is told once,
    and the cells run as ever.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._writer_pid = 0
        self._trouble: str | None = None
        self._has_told = False

    def begin(self, flow_name: str, record: CellRecord) -> HandRun | None:
        """The cell begins; None where no history is kept.

        Args:
            flow_name: the notebook's name.
            record: the task cell.
        """
        if settings_from().history == "off":
            return None
        run = HandRun(self, flow_name, record)
        run.begin()
        return run

    def later(self, job: Callable[[], None]) -> None:
        """Have the thread do this, after all that it was given before."""
        if self._writer is None or self._writer_pid != os.getpid():
            if self._writer is None:
                atexit.register(self.wait, PATIENCE_S)
            self._jobs = queue.SimpleQueue()
            self._writer_pid = os.getpid()
            self._writer = threading.Thread(target=self._write, name="notebook_flows hand-runs", daemon=True)
            self._writer.start()
        self._jobs.put(job)

    def wait(self, patience_s: float | None = None) -> None:
        """Return when all that was given is done, or the time is up."""
        done = threading.Event()
        if self._writer is not None and self._writer_pid == os.getpid():
            self._jobs.put(done.set)
            done.wait(patience_s)

    def tell_trouble(self) -> None:
        """Warn, once, if the history could not be written."""
        if self._trouble is not None and not self._has_told:
            self._has_told = True
            with suppress(Warning):  # where warnings are errors, this one still is none of the cell's
                warnings.warn(f"Cells run by hand are not recorded: {self._trouble}", RuntimeWarning, stacklevel=2)

    def _write(self) -> None:
        jobs = self._jobs
        while True:
            job = jobs.get()
            try:
                job()
            except Exception as error:  # whatever is wrong with a history, the cells go on
                self._trouble = self._trouble or f"{error}"


class HandRun:
    """One execution of one task cell."""

    def __init__(self, runs: HandRuns, flow_name: str, record: CellRecord) -> None:
        self.run_id = uuid.uuid4().hex
        self._runs = runs
        self._flow_name = flow_name
        self._task_name = record.name
        self._log: RunLog | None = None
        self._pid = os.getpid()
        self._has_ended = False
        self._last_seq = 0
        self._unnamed: Counter[str] = Counter()

    def begin(self) -> None:
        """It begins now."""
        at_us = time_ns() // 1000
        self._runs.later(lambda: self._write_begin(at_us))

    def attach(self, told: dict[str, Any], content: bytes | None) -> bool:
        """The cell attaches something; False: it has ended."""
        if self._has_ended or os.getpid() != self._pid:
            return False
        at_us = time_ns() // 1000
        self._runs.later(lambda: self._write_attached(at_us, told, content))
        return True

    def end(self, state: S, error: BaseException | None = None) -> None:
        """It has ended.

        Args:
            state: SUCCESS, FAILED or CANCELLED.
            error: what the cell has raised.
        """
        if os.getpid() != self._pid:
            return  # a child that the cell has forked off: the run is its parent's
        self._has_ended = True
        at_us = time_ns() // 1000
        data = _told(error)
        self._runs.later(lambda: self._write_end(at_us, state, data))

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _write_begin(self, at_us: int) -> None:
        name = f"{self._flow_name}-{self.run_id[:6]}"
        edges: dict[str, Any] = {"from": [], "to": [], "keys": [], "flags": {}}
        slugs = [f"{self._task_name}-1"]
        graph = {"names": [self._task_name], "slugs": slugs, "edges": edges}
        info = RunInfo(
            run_id=self.run_id,
            flow_name=self._flow_name,
            run_name=name,
            slugs=slugs,
            executor=BY_HAND,
            graph=graph,
            environment=environment(),
            created_us=at_us,  # what was begun since may be in the history already
        )
        histories = log_for(None)
        forget_old_runs(histories, SystemClock())
        self._log = histories.begin(info)
        first = {"flow": self._flow_name, "name": name, "graph": graph, "parameters": {}}
        self._append(
            [
                Event(1, at_us, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, first),
                Event(2, at_us, Kind.TASK, 0, UNMAPPED, 1, 1, S.RUNNING, None),
            ]
        )

    def _append(self, events: Sequence[Event]) -> None:
        """Add events, which are numbered from 1 on, where the history ends."""
        assert self._log is not None
        self._log.append([event._replace(seq=event.seq + self._last_seq) for event in events])
        self._last_seq += len(events)

    def _write_attached(self, at_us: int, told: dict[str, Any], content: bytes | None) -> None:
        store = attachments_for(log_for(None), Redactor(values_given()))
        if self._log is None or store is None:
            return
        known, inline = kept(told, content, store)
        kind = str(told["kind"])
        if "key" not in known:
            self._unnamed[kind] += 1
            known["key"] = kind if self._unnamed[kind] == 1 else f"{kind}-{self._unnamed[kind]}"
        if inline is not None:
            self._log.keep([KeptContent(sha256(inline).hexdigest(), inline)])
        self._append([Event(1, at_us, Kind.ARTIFACT, 0, UNMAPPED, 1, 1, S.RUNNING, known)])
        self._log.add_log_lines([LogLine(at_us, 20, LOGGER, words_of(known), 0, UNMAPPED, 1)])

    def _write_end(self, at_us: int, state: S, data: dict[str, Any] | None) -> None:
        if self._log is None:
            return  # it could not be begun, which was told
        message = {"message": _MESSAGES[state], "counts": {str(int(state)): 1}}
        try:
            self._append(
                [
                    Event(1, at_us, Kind.TASK, 0, UNMAPPED, 1, 1, state, data),
                    Event(2, at_us, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, state, message),
                ]
            )
        finally:
            self._log.close(PATIENCE_S)


_MESSAGES = {
    S.SUCCESS: "Run by hand.",
    S.FAILED: "Run by hand; it failed.",
    S.CANCELLED: "Run by hand; it was interrupted.",
}


def _told(error: BaseException | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"error": type(error).__name__, "message": named(error)}
