"""Reading a history: events from where one left off, runs, task runs, log lines, requests."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.ports import Request
from notebook_flows.errors import NoSuchRun, did_you_mean
from notebook_flows.store import attached
from notebook_flows.store.checking import pieces
from notebook_flows.store.connection import as_store_error, can_be_shared, open_for_reading
from notebook_flows.store.encoding import decode, from_json, state_of
from notebook_flows.store.rows import ArtifactRow, LogRow, Owner, RunRow, TaskRunRow
from notebook_flows.store.unreached import RunEnd, with_unreached
from notebook_flows.store.writing import COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from notebook_flows.core.events import Event
    from notebook_flows.store.place import Connection

_RUN = """
SELECT run_no, run_id, flow, name, parent_run_id, state, message, created_us, started_us, ended_us, scheduled_us,
       executor, parameters, environment, last_seq, owner_host, owner_boot_id, owner_pid, owner_started, owner_epoch,
       task_count, counts
FROM run
"""
_END = "SELECT state, message, ended_us, last_seq, task_count, counts FROM run WHERE run_no = ?"
_LINES = """
SELECT number, at_us, level, logger, message, node, map_index, attempt FROM log
WHERE run_no = ? AND number > ? ORDER BY number LIMIT ?
"""
_LINES_OF_TASK = _LINES.replace("ORDER", "AND node = ? ORDER")
_ALL = 1 << 62
"""A limit that is none, in every SQL."""


class Reader:
    """One connection for reading, used by one thread at a time; also where the folder is read-only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = os.getpid()

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        with self._guard:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection | None]:
        """A connection that sees one moment of the history; None while there is no history."""
        if self._pid != os.getpid():
            self._adopt_in_child()
        with self._guard:
            try:
                if self._connection is None:
                    self._connection = open_for_reading(self._path)
                connection = self._connection
                if connection is None:
                    yield None
                    return
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                if not can_be_shared(self._path):
                    self._disconnect()  # it would not see what others write
            except sqlite3.Error as error:
                self._disconnect()
                raise as_store_error(error, self._path, doing="read") from error

    def _adopt_in_child(self) -> None:
        """After a fork the connection and the lock are the parent's: leave them alone, and keep them from being closed."""
        _parked.append(self._connection)
        self._connection = None
        self._guard = threading.Lock()
        self._pid = os.getpid()

    def events(self, run_id: str, after: int, limit: int | None) -> list[Event]:
        """The run's events with a seq above ``after``, in order."""
        with self._snapshot() as connection:
            run_no = self._run_no(connection, run_id)
            assert connection is not None
            rows = connection.execute(
                "SELECT seq, body FROM event WHERE run_no = ? AND seq > ? ORDER BY seq LIMIT ?",
                (run_no, after, _ALL if limit is None else limit),
            ).fetchall()
        return decode(rows)

    def runs(
        self,
        *,
        flow: str | None,
        state: S | None,
        since_us: int | None,
        limit: int | None,
        parent: str | None = None,
    ) -> list[RunRow]:
        """Runs, newest first."""
        asked: list[tuple[str, Any]] = [
            ("flow = ?", flow),
            ("state = ?", state),
            ("created_us >= ?", since_us),
            ("parent_run_id = ?", parent),
        ]
        wanted = [(clause, value) for clause, value in asked if value is not None]
        where = f"WHERE {' AND '.join(clause for clause, _ in wanted)}" if wanted else ""
        values = [int(value) if not isinstance(value, str) else value for _, value in wanted]
        with self._snapshot() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                f"{_RUN} {where} ORDER BY created_us DESC, run_no DESC LIMIT ?",
                (*values, _ALL if limit is None else limit),
            ).fetchall()
            return [_run_row(connection, row) for row in rows]

    def run(self, run_id: str) -> RunRow:
        """One run by its id, or by a prefix that no other run has."""
        with self._snapshot() as connection:
            run_no = self._run_no(connection, run_id)
            assert connection is not None
            row = connection.execute(f"{_RUN} WHERE run_no = ?", (run_no,)).fetchone()
            return _run_row(connection, row, slugs=_slugs(connection, run_no))

    def task_runs(self, run_id: str) -> list[TaskRunRow]:
        """All attempts of all task runs that have begun, or ended with the run, by node, index, loop and attempt."""
        with self._snapshot() as connection:
            run_no = self._run_no(connection, run_id)
            assert connection is not None
            slugs, rows = self._task_rows(connection, run_no)
            end = _run_end(connection, run_no)
            if end is None:
                return rows
            return with_unreached(rows, slugs, end, lambda: chain.from_iterable(pieces(connection, run_no)))

    def _task_rows(self, connection: Connection, run_no: int) -> tuple[list[str], list[TaskRunRow]]:
        slugs = _slugs(connection, run_no)
        rows = connection.execute(
            "SELECT node, map_index, attempt, loop, state, started_us, ended_us, message, result, seq "
            "FROM task_run WHERE run_no = ? ORDER BY node, map_index, loop, attempt",
            (run_no,),
        ).fetchall()
        return slugs, [
            TaskRunRow(
                slug=_slug(slugs, node) or f"#{node}",
                node=node,
                index=index,
                attempt=attempt,
                loop=loop,
                state=state_of(state),
                started_us=started_us,
                ended_us=ended_us,
                message=message or "",
                result=None if result is None else from_json(result, "a result"),
                seq=seq,
            )
            for node, index, attempt, loop, state, started_us, ended_us, message, result, seq in rows
        ]

    def log_lines(self, run_id: str, *, task: str | None, after: int, limit: int | None) -> list[LogRow]:
        """The run's captured log lines with a number above ``after``."""
        with self._snapshot() as connection:
            run_no = self._run_no(connection, run_id)
            assert connection is not None
            slugs = _slugs(connection, run_no)
            node = None if task is None else _node_of(slugs, task, run_id)
            asked = (run_no, after) if node is None else (run_no, after, node)
            rows = connection.execute(
                _LINES if node is None else _LINES_OF_TASK, (*asked, _ALL if limit is None else limit)
            ).fetchall()
        return [
            LogRow(
                number=number,
                at_us=at_us,
                level=level,
                logger=logger,
                message=message,
                slug=_slug(slugs, node),
                node=node,
                index=index,
                attempt=attempt,
            )
            for number, at_us, level, logger, message, node, index, attempt in rows
        ]

    def artifacts(self, run_id: str, *, task: str | None, all_versions: bool) -> list[ArtifactRow]:
        """What the tasks of a run have attached."""
        with self._snapshot() as connection:
            run_no = self._run_no(connection, run_id)
            assert connection is not None
            slugs = _slugs(connection, run_no)
            events = attached.events_of(connection, run_no)
        node = None if task is None else _node_of(slugs, task, run_id)
        rows = attached.artifact_rows(events, slugs, all_versions=all_versions)
        return [row for row in rows if node is None or row.node == node]

    def requests(self, run_no: int, *, after: int) -> list[Request]:
        """What was asked of a run since request ``after``."""
        with self._snapshot() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                "SELECT number, verb, payload FROM request WHERE run_no = ? AND number > ? ORDER BY number",
                (run_no, after),
            ).fetchall()
        return [
            Request(number=number, verb=verb, payload=from_json(payload, f"request {number}"))
            for number, verb, payload in rows
        ]

    def problems(self, look: Callable[[sqlite3.Connection], Iterable[str]]) -> list[str]:
        """Let ``look`` examine a copy of the history, where it may write."""
        try:
            source = open_for_reading(self._path)
            if source is None:
                return []
            copy = sqlite3.connect("", isolation_level=None)  # a file that SQLite forgets by itself
            try:
                source.backup(copy)
                return list(look(copy))
            finally:
                copy.close()
                source.close()
        except sqlite3.Error as error:
            return [str(as_store_error(error, self._path, doing="read"))]

    def run_no(self, run_id: str) -> int:
        """The number of the run with this id or unique prefix."""
        with self._snapshot() as connection:
            return self._run_no(connection, run_id)

    def _run_no(self, connection: Connection | None, run_id: str) -> int:
        if connection is None:
            raise NoSuchRun(f"There is no run {run_id!r}: the history {self.name} has not been begun.")
        return find_run(connection, run_id)


_parked: list[object] = []


def find_run(connection: Connection, run_id: str) -> int:
    """The number of the run with this id or unique prefix.

    Raises:
        NoSuchRun: there is none, or the prefix has several; says what may have been meant.
    """
    row = connection.execute("SELECT run_no FROM run WHERE run_id = ?", (run_id,)).fetchone()
    if row is not None:
        return int(row[0])
    rows = connection.execute(
        "SELECT run_no, run_id, flow FROM run WHERE run_id >= ? AND run_id < ? ORDER BY created_us DESC LIMIT 6",
        (run_id.lower(), f"{run_id.lower()}g"),
    ).fetchall()
    if run_id and len(rows) == 1:
        return int(rows[0][0])
    if run_id and rows:
        listed = ", ".join(f"{found[:12]} ({flow})" for _, found, flow in rows[:5])
        more = ", ..." if len(rows) > 5 else ""
        raise NoSuchRun(f"Several runs begin with {run_id!r}: {listed}{more}. Give more of the id.")
    recent = [found for (found,) in connection.execute("SELECT run_id FROM run ORDER BY created_us DESC LIMIT 1000")]
    short = [found[: max(8, len(run_id))] for found in recent]
    hint = did_you_mean(run_id, short) or (f" The newest is {recent[0][:12]}." if recent else " There are no runs yet.")
    raise NoSuchRun(f"There is no run {run_id!r}.{hint}")


def _run_row(connection: Connection, row: tuple[Any, ...], slugs: Sequence[str] = ()) -> RunRow:
    (run_no, run_id, flow, name, parent, state, message, created, started, ended, scheduled) = row[:11]
    (executor, parameters, environment, last_seq, host, boot_id, pid, process_started, epoch, tasks, counts) = row[11:]
    who = f"the row of run {run_id}"
    told = connection.execute(COUNTS, (run_no,)).fetchall() if counts is None else from_json(counts, who).items()
    return RunRow(
        run_id=run_id,
        flow=flow,
        name=name,
        parent_run_id=parent,
        state=state_of(state),
        message=message,
        created_us=created,
        started_us=started,
        ended_us=ended,
        scheduled_us=scheduled,
        executor=executor,
        parameters=from_json(parameters, who),
        environment=from_json(environment, who),
        last_seq=last_seq,
        owner=Owner(host=host, boot_id=boot_id, pid=pid, process_started=process_started),
        owner_epoch=epoch,
        task_count=tasks,
        counts={state_of(int(number)): count for number, count in told},
        slugs=slugs,
    )


def _run_end(connection: Connection, run_no: int) -> RunEnd | None:
    """How a run has ended, or None while it has not."""
    state, message, ended_us, seq, task_count, counts = connection.execute(_END, (run_no,)).fetchone()
    if ended_us is None:
        return None
    told = None if counts is None else int(from_json(counts, "the row of the run").get(str(int(S.NOT_RUN)), 0))
    return RunEnd(state_of(state), message, ended_us, seq, task_count, told)


def _slugs(connection: Connection, run_no: int) -> list[str]:
    row = connection.execute("SELECT slugs FROM slugs WHERE run_no = ?", (run_no,)).fetchone()
    return [] if row is None else [str(slug) for slug in from_json(row[0], "the list of the run's tasks")]


def _slug(slugs: Sequence[str], node: int) -> str | None:
    return slugs[node] if 0 <= node < len(slugs) else None


def _node_of(slugs: Sequence[str], task: str, run_id: str) -> int:
    try:
        return slugs.index(task)
    except ValueError:
        raise NoSuchRun(f"Run {run_id} has no task {task!r}.{did_you_mean(task, slugs)}") from None
