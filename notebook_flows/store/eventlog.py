"""A history that lies in a file or a database: writing, sweeping, pruning and reading are the same for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from notebook_flows.errors import StoreError
from notebook_flows.store import pruning, sweeping
from notebook_flows.store.checking import rebuild
from notebook_flows.store.encoding import clean_text, to_json
from notebook_flows.store.filesystem import make_private_folder
from notebook_flows.store.kept import mark_used
from notebook_flows.store.locks import lock_of_run, this_process
from notebook_flows.store.reader import find_run
from notebook_flows.store.runlog import StoredRunLog
from notebook_flows.store.spool import Spooled, read_spools
from notebook_flows.store.writer import Writer, writer_of
from notebook_flows.store.writing import forget_unbegun, insert_request, insert_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from notebook_flows.core.events import Event
    from notebook_flows.core.lifecycle import S
    from notebook_flows.engine.ports import Clock, RunInfo
    from notebook_flows.store.kept import KeptReader
    from notebook_flows.store.place import Connection, Place
    from notebook_flows.store.reader import Reader
    from notebook_flows.store.rows import ArtifactRow, LogRow, RunRow, TaskRunRow

T = TypeVar("T")


class StoredEventLog:
    """Fits `engine.ports.EventLog`, and answers what views ask. Any thread may use it.

    The history is made when the first run begins. At the first use in a process, dead runs are told crashed.

    Attributes:
        name: where it lies, for people; without a password.
        new_reader: makes a reader that shares nothing with this log's own.

    Args:
        place: where it lies.
        reader: makes one that reads it.
        clock: the time.
        rest: how to wait between two tries while the history cannot be written; for tests.
    """

    def __init__(
        self, place: Place, reader: Callable[[], Reader], clock: Clock, rest: Callable[[float], None] | None
    ) -> None:
        self.path = place.path
        self.name = place.name
        self.place = place
        self.new_reader = reader
        self._clock = clock
        self._rest = rest
        self._reader = reader()
        self._swept = False

    @property
    def _writer(self) -> Writer:
        return writer_of(self.place, self._clock, self._rest)

    # Writing

    def begin(self, info: RunInfo) -> StoredRunLog:
        """Open a new run, owned by this process until its log is closed.

        Raises:
            StoreError: the history cannot be written; nothing must start then.
        """
        self._sweep_once(must=True)
        writer = self._writer
        lock = lock_of_run(self.path, info.run_id)
        try:
            make_private_folder(self.path.parent)
            if not lock.acquire():
                raise StoreError(f"Run {info.run_id} is under way already.")
        except OSError as error:
            raise self.place.told(error) from error
        log = StoredRunLog(
            run_id=info.run_id,
            owner_epoch=1,
            lock=lock,
            writer=writer,
            reader=self.new_reader(),
            clock=self._clock,
        )
        now_us = self._clock.now_us() if info.created_us is None else info.created_us
        log.insert = lambda connection: insert_run(connection, info, this_process(), now_us)
        writer.adopt(log)
        try:
            self.place.check_before_begin()
            log.run_no = writer.call(
                lambda connection: self._insert(connection, info, now_us),
                is_durable=False,  # nothing has run yet, and the first commit of events takes it along
            )
        except BaseException as error:
            self.place.disown(info.run_id)
            writer.abandon(log)
            lock.release()  # its file stays: if the row was written all the same, the next sweep finds it dead
            if not isinstance(error, Exception):  # Ctrl-C: the row may be on its way, for a run that never begins
                writer.later(lambda connection: forget_unbegun(connection, info.run_id))
            raise
        return log

    def _insert(self, connection: Connection, info: RunInfo, now_us: int) -> int:
        run_no = insert_run(connection, info, this_process(), now_us)
        self.place.own(connection, info.run_id)
        return run_no

    def request(self, run_id: str, verb: str, payload: Mapping[str, Any] | None = None) -> int:
        """Ask something of a run, whichever process it is in; returns the request's number.

        Raises:
            NoSuchRun: no run has this id or prefix.
        """
        now_us = self._clock.now_us()
        values = (now_us, clean_text(verb), to_json(payload or {}))
        return self._call(run_id, lambda connection: insert_request(connection, find_run(connection, run_id), values))

    def known_results(self) -> KeptReader:
        """What is known of results of earlier runs; for one thread, that closes it."""
        raise NotImplementedError

    def used(self, keys: Sequence[str]) -> None:
        """These results were of use just now."""
        now_us = self._clock.now_us()
        self._writer.later(lambda connection: mark_used(connection, keys, now_us))

    def _call(self, run_id: str, function: Callable[[Connection], T]) -> T:
        self._reader.run_no(run_id)  # raises for an unknown run, before a history is made for it
        return self._writer.call(function)

    def sweep(self) -> list[str]:
        """Tell `crashed` every run whose process is gone; a live one never is, even stopped or hung.

        Returns:
            The ids of the runs that were found dead. Costs one look at an index if none is open.
        """
        if not self.place.is_begun():
            return []
        self._swept = True
        try:
            return sweeping.sweep(self.place, self._writer, self._clock)
        except OSError as error:
            raise self.place.told(error) from error

    def _sweep_once(self, *, must: bool = False) -> None:
        if self._swept or (not must and not self.place.may_write()):
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
        if not self.place.is_begun():
            return []
        return pruning.prune(self._writer, self._clock, keep_days=keep_days, keep_runs=keep_runs)

    def spools(self) -> list[Spooled]:
        """What waits on this machine to be added to the history, at the next start."""
        return read_spools(self.path)

    def describe(self) -> str:
        """What it is and how large, in a few words.

        Raises:
            StoreError: it cannot be looked at.
        """
        raise NotImplementedError

    def check(self) -> list[str]:
        """What is wrong with the history: one sentence for each problem, none if all is well.

        Reads everything: seconds for a large history.
        """
        raise NotImplementedError

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
        """All attempts of all task runs that have begun, or ended with the run, by node, index, loop and attempt."""
        self._sweep_once()
        return self._reader.task_runs(run_id)

    def artifacts(self, run_id: str, task: str | None = None, *, all_versions: bool = False) -> list[ArtifactRow]:
        """What the tasks of a run, or one (by slug) of them, have attached, in the order in which they did.

        Args:
            run_id: an id, or a prefix that no other run has.
            task: a task's slug.
            all_versions: also those in whose place another one stands, of the same task run under the same key.
        """
        return self._reader.artifacts(run_id, task=task, all_versions=all_versions)

    def log_lines(self, run_id: str, task: str | None = None, after: int = 0, limit: int | None = None) -> list[LogRow]:
        """What a run, or one task (by slug) of it, has logged, from the line after number ``after`` on."""
        return self._reader.log_lines(run_id, task=task, after=after, limit=limit)
