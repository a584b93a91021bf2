"""The history in one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from notebook_flows.engine.clock import SystemClock
from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store import pruning, sweeping
from notebook_flows.store.checking import problems_of, rebuild
from notebook_flows.store.connection import as_store_error, is_writable, refuse_special
from notebook_flows.store.encoding import clean_text, to_json
from notebook_flows.store.filesystem import is_special, make_private_folder, make_reserve, reserve_of
from notebook_flows.store.locks import lock_of_run, this_process
from notebook_flows.store.reader import Reader, find_run
from notebook_flows.store.runlog import SqliteRunLog
from notebook_flows.store.writer import Writer, writer_of
from notebook_flows.store.writing import forget_unbegun, insert_run

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from notebook_flows.core.events import Event
    from notebook_flows.core.lifecycle import S
    from notebook_flows.engine.ports import Clock, RunInfo
    from notebook_flows.store.rows import LogRow, RunRow, TaskRunRow

T = TypeVar("T")


class SqliteEventLog:
    """Fits `engine.ports.EventLog`, and answers what views ask. Any thread may use it.

    The file is made when the first run begins. At the first use in a process, dead runs are told crashed.

    Args:
        path: the file; its folder and what lies beside it is made for its owner only.
        clock: the time; the machine's own if not given.
        rest: how to wait between two tries while the history cannot be written; for tests.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Clock | None = None, rest: Callable[[float], None] | None = None
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._clock = clock or SystemClock()
        self._rest = rest
        self._reader = Reader(self.path)
        self._swept = False

    @property
    def _writer(self) -> Writer:
        return writer_of(self.path, self._clock, self._rest)

    # Writing

    def begin(self, info: RunInfo) -> SqliteRunLog:
        """Open a new run, owned by this process until its log is closed.

        Raises:
            StoreError: the history cannot be written; nothing must start then.
        """
        refuse_special(self.path, doing="written")
        self._sweep_once(must=True)
        writer = self._writer
        lock = lock_of_run(self.path, info.run_id)
        try:
            make_private_folder(self.path.parent)
            if not lock.acquire():
                raise StoreError(f"Run {info.run_id} is under way already.")
        except OSError as error:
            raise as_store_error(error, self.path, doing="written") from error
        log = SqliteRunLog(run_id=info.run_id, owner_epoch=1, lock=lock, writer=writer, clock=self._clock)
        writer.adopt(log)
        try:
            if not make_reserve(self.path):
                if is_special(reserve_of(self.path)):
                    raise StoreUnavailable(
                        f"{reserve_of(self.path)} is not a regular file, and in the way of one that is needed there: "
                        "move it aside and start the run again."
                    )
                raise StoreUnavailable(
                    f"The disk with the history {self.path} is full: free some space and start the run again."
                )
            now_us = self._clock.now_us()
            log.run_no = writer.call(
                lambda connection: insert_run(connection, info, this_process(), now_us),
                is_durable=False,  # nothing has run yet, and the first commit of events takes it along
            )
        except BaseException as error:
            writer.abandon(log)
            lock.release()  # its file stays: if the row was written all the same, the next sweep finds it dead
            if not isinstance(error, Exception):  # Ctrl-C: the row may be on its way, for a run that never begins
                writer.later(lambda connection: forget_unbegun(connection, info.run_id))
            raise
        return log

    def request(self, run_id: str, verb: str, payload: Mapping[str, Any] | None = None) -> int:
        """Ask something of a run, whichever process it is in; returns the request's number.

        Raises:
            NoSuchRun: no run has this id or prefix.
        """
        now_us = self._clock.now_us()
        return self._call(
            run_id,
            lambda connection: int(
                connection.execute(
                    "INSERT INTO request (run_no, at_us, verb, payload) VALUES (?, ?, ?, ?)",
                    (find_run(connection, run_id), now_us, clean_text(verb), to_json(payload or {})),
                ).lastrowid
                or 0
            ),
        )

    def _call(self, run_id: str, function: Callable[[sqlite3.Connection], T]) -> T:
        self._reader.run_no(run_id)  # raises for an unknown run, before a history is made for it
        return self._writer.call(function)

    def sweep(self) -> list[str]:
        """Tell `crashed` every run whose process is gone; a live one never is, even stopped or hung.

        Returns:
            The ids of the runs that were found dead. Costs one look at an index if none is open.
        """
        refuse_special(self.path, doing="written")
        if not self.path.exists():
            return []
        self._swept = True
        try:
            return sweeping.sweep(self.path, self._writer, self._clock)
        except OSError as error:
            raise as_store_error(error, self.path, doing="written") from error

    def _sweep_once(self, *, must: bool = False) -> None:
        if self._swept or (not must and not is_writable(self.path)):
            return
        try:
            self.sweep()
        except StoreError:
            if must:
                raise  # else reading may still work, and tells what is wrong if it does not

    def prune(self, *, keep_days: float | None = None, keep_runs: int | None = None) -> list[str]:
        """Forget old runs that have ended; those under way, or paused, stay.

        Args:
            keep_days: forget what ended longer ago than this.
            keep_runs: forget all but this many of the newest.

        Returns:
            The ids of the runs that were forgotten, oldest first.
        """
        refuse_special(self.path, doing="written")
        if not self.path.exists():
            return []
        return pruning.prune(self._writer, self._clock, keep_days=keep_days, keep_runs=keep_runs)

    def rebuild_projections(self, run_id: str) -> None:
        """Derive the run's row and its task runs from its events anew."""
        self._call(run_id, lambda connection: rebuild(connection, find_run(connection, run_id)))

    def close(self) -> None:
        """Close what this process has open; a later use opens it again."""
        self._writer.close()
        self._reader.close()

    # Reading

    def read(self, run_id: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """The run's events with a seq above ``after``, in order, at most ``limit``."""
        return self._reader.events(run_id, after, limit)

    def runs(
        self,
        *,
        flow: str | None = None,
        state: S | None = None,
        since: datetime | None = None,
        limit: int | None = 50,
        parent: str | None = None,
    ) -> list[RunRow]:
        """Runs, newest first.

        Args:
            flow: only runs of the flow with this name.
            state: only runs that are in this state.
            since: aware; only runs that were created then or later.
            limit: at most so many; None for all.
            parent: only runs that a task of the run with this whole id has begun.
        """
        self._sweep_once()
        since_us = None if since is None else int(since.timestamp() * 1_000_000)
        return self._reader.runs(flow=flow, state=state, since_us=since_us, limit=limit, parent=parent)

    def run(self, run_id: str) -> RunRow:
        """One run, by its id or a prefix that no other run has.

        Raises:
            NoSuchRun: there is none, or several; says what may have been meant.
        """
        self._sweep_once()
        return self._reader.run(run_id)

    def task_runs(self, run_id: str) -> list[TaskRunRow]:
        """All attempts of all task runs that have an event, by node, index, loop and attempt."""
        self._sweep_once()
        return self._reader.task_runs(run_id)

    def log_lines(self, run_id: str, task: str | None = None, after: int = 0, limit: int | None = None) -> list[LogRow]:
        """What a run, or one task (by slug) of it, has logged, from the line after number ``after`` on."""
        return self._reader.log_lines(run_id, task=task, after=after, limit=limit)

    def check(self) -> list[str]:
        """What is wrong with the history: one sentence for each problem, none if all is well.

        Reads everything: seconds for a large history.
        """
        return self._reader.problems(problems_of)
