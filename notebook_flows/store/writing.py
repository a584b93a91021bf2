"""The statements that put a run's events, projections and log lines into the tables.

A batch goes to SQLite in few statements, as JSON or in large groups of values: `executemany` releases and takes the
interpreter's lock for every row, and while the main thread is busy each taking may last 5 ms.
"""

from __future__ import annotations

import json
import sqlite3
from itertools import chain
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.errors import StaleOwnerError, StoreError
from notebook_flows.store import attached
from notebook_flows.store.encoding import clean_text, compact, encode_body, hits_in_rows, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.engine.call import LogLine
    from notebook_flows.engine.ports import RunInfo
    from notebook_flows.store.encoding import Batch
    from notebook_flows.store.place import Connection
    from notebook_flows.store.rows import Owner

EVENTS = "INSERT INTO event (run_no, seq, body) SELECT ?1, ?2 + key, value FROM json_each(?3)"

_GROUP = 160
"""Rows in one statement: five or six values of each, and one for all, are fewer than the 999 that any SQLite takes."""

_EVENT_PLACES = ", ".join(f"(?1, ?2 + {place}, ?)" for place in range(_GROUP))
_EVENTS_GROUP = f"INSERT INTO event (run_no, seq, body) VALUES {_EVENT_PLACES}"  # noqa: S608 - of constants

_PLAIN_COLUMNS = "INSERT INTO task_run (run_no, map_index, loop, attempt, node, seq, state, started_us, ended_us)"
_PLAIN_AGAIN = """
ON CONFLICT DO UPDATE SET state = excluded.state, seq = excluded.seq,
       started_us = coalesce(excluded.started_us, started_us), ended_us = excluded.ended_us
"""
_PLAIN_GROUP = f"{_PLAIN_COLUMNS} VALUES {', '.join(['(?1, -1, 1, 1, ?, ?, ?, ?, ?)'] * _GROUP)} {_PLAIN_AGAIN}"
PLAIN = f"""{_PLAIN_COLUMNS}
SELECT ?1, -1, 1, 1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]')
FROM json_each(?2) WHERE true
{_PLAIN_AGAIN}"""  # noqa: S608 - of constants

_OTHER_GROUPED = 99
"""The same, with ten values of each."""
_OTHER_COLUMNS = """
INSERT INTO task_run (run_no, node, map_index, loop, attempt, seq, state, started_us, ended_us, message, result)"""
_OTHER_AGAIN = """
ON CONFLICT DO UPDATE SET state = excluded.state, seq = excluded.seq,
       started_us = coalesce(excluded.started_us, started_us), ended_us = excluded.ended_us,
       message = coalesce(excluded.message, message), result = coalesce(excluded.result, result)
"""
_OTHER_GROUP = (
    f"{_OTHER_COLUMNS} VALUES {', '.join(['(?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'] * _OTHER_GROUPED)} {_OTHER_AGAIN}"
)
_HIT_VALUES = 6
_CACHED = int(S.CACHED)
_HIT_GROUP = f"""
INSERT INTO task_run (run_no, loop, attempt, state, node, map_index, seq, ended_us, message, result)
VALUES {", ".join([f"(?1, 1, 0, {_CACHED}, ?, ?, ?, ?, ?, ?)"] * _GROUP)} {_OTHER_AGAIN}"""  # noqa: S608 - of constants
OTHER = f"""{_OTHER_COLUMNS}
SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'), json_extract(value, '$[9]')
FROM json_each(?2) WHERE true
{_OTHER_AGAIN}"""  # noqa: S608 - of constants

LINES = """
INSERT OR IGNORE INTO log (run_no, number, at_us, level, logger, message, node, map_index, attempt)
SELECT ?1, ?2 + key, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]')
FROM json_each(?3)
"""

COUNTS = f"""
SELECT state, count(*) FROM (
    SELECT node, map_index, state, max(seq) FROM task_run WHERE run_no = ?1 GROUP BY node, map_index
) AS latest
WHERE state NOT IN ({S.EXPANDED:d}, {S.MAPPED:d}) OR NOT EXISTS (
    SELECT 1 FROM task_run AS child WHERE child.run_no = ?1 AND child.node = latest.node AND child.map_index >= 0
)
GROUP BY state
"""  # noqa: S608 - numbers of our own
"""How many task runs stand where, by their rows: as `core.run.tally`, but for those that have no event yet.

SQLite takes the bare column from the row that has the maximum.
"""


LOCK = "SELECT owner_epoch, last_seq FROM run WHERE run_no = ?"
"""Looks at a run, and keeps it from others until the transaction ends. SQLite's transactions do so from their begin."""


class AlreadyTold(Exception):  # noqa: N818 - caught one floor up; not an error
    """These events are in the history as they are here: an acknowledgement was lost."""


def insert_run(connection: Connection, info: RunInfo, owner: Owner, created_us: int) -> int:
    """Write the row of a new run; returns its number.

    Raises:
        StoreError: there is a run with this id.
    """
    if connection.execute("SELECT 1 FROM run WHERE run_id = ?", (info.run_id,)).fetchone():
        raise StoreError(f"Run {info.run_id} is in the history already.")
    connection.execute(
        "INSERT INTO run (run_id, flow, name, parent_run_id, state, created_us, scheduled_us, executor, task_count, "
        "owner_host, owner_boot_id, owner_pid, owner_started, parameters, environment) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            info.run_id,
            clean_text(info.flow_name),
            clean_text(info.run_name),
            info.parent_run_id,
            int(S.PENDING),
            created_us,
            info.scheduled_us,
            clean_text(info.executor),
            len(info.slugs),
            owner.host,
            owner.boot_id,
            owner.pid,
            owner.process_started,
            to_json(info.parameters),
            to_json(info.environment),
        ),
    )
    (run_no,) = connection.execute("SELECT run_no FROM run WHERE run_id = ?", (info.run_id,)).fetchone()
    connection.execute("INSERT INTO slugs (run_no, slugs) VALUES (?, ?)", (run_no, json.dumps(list(info.slugs))))
    return int(run_no)


def insert_request(connection: Connection, run_no: int, values: tuple[int, str, str]) -> int:
    """Write what is asked of a run: (at_us, verb, payload as JSON); returns the request's number.

    Others' numbers may come in between, but those of one run are committed in their order: who reads on from the last
    number that it saw misses none.
    """
    connection.execute(LOCK, (run_no,))
    connection.execute("INSERT INTO request (run_no, at_us, verb, payload) VALUES (?, ?, ?, ?)", (run_no, *values))
    (number,) = connection.execute("SELECT max(number) FROM request WHERE run_no = ?", (run_no,)).fetchone()
    return int(number)


def forget_unbegun(connection: Connection, run_id: str) -> None:
    """Take the row of a run away whose first event never came."""
    row = connection.execute("SELECT run_no FROM run WHERE run_id = ? AND last_seq = 0", (run_id,)).fetchone()
    if row is not None:
        connection.execute("DELETE FROM slugs WHERE run_no = ?", row)
        connection.execute("DELETE FROM run WHERE run_no = ?", row)


def write_batch(connection: Connection, run_no: int, owner_epoch: int, batch: Batch) -> None:
    """Write a batch that goes on where the run's history ends, within the caller's transaction.

    Raises:
        StaleOwnerError: the run has another owner, or other events at these numbers; nothing was written.
        AlreadyTold: exactly this batch is in the history; nothing was written.
    """
    if not _advance(connection, run_no, owner_epoch, batch):
        _explain(connection, run_no, owner_epoch, batch)
    write_events(connection, run_no, batch)
    write_projections(connection, run_no, batch)


def _advance(connection: Connection, run_no: int, owner_epoch: int, batch: Batch) -> bool:
    where = (run_no, owner_epoch, batch.first_seq - 1)
    return (
        connection.execute(
            "UPDATE run SET last_seq = ? WHERE run_no = ? AND owner_epoch = ? AND last_seq = ?",
            (batch.last_seq, *where),
        ).rowcount
        == 1
    )


def _explain(connection: Connection, run_no: int, owner_epoch: int, batch: Batch) -> None:
    row = connection.execute("SELECT owner_epoch, last_seq FROM run WHERE run_no = ?", (run_no,)).fetchone()
    if row is None:
        raise StaleOwnerError("The run was removed from the history while it ran; its new events are refused.")
    if row[0] != owner_epoch:
        raise StaleOwnerError(
            "Another process has taken this run over, since this one looked dead; what it still had to say is refused."
        )
    if row[1] >= batch.last_seq and stored_bodies(connection, run_no, batch.first_seq, batch.last_seq) == bodies_of(
        batch
    ):
        raise AlreadyTold
    raise StaleOwnerError(
        f"The run's history ends with event {row[1]}, this process goes on with {batch.first_seq}: "
        "a second writer is at work, or events are missing."
    )


def stored_bodies(connection: Connection, run_no: int, first_seq: int, last_seq: int) -> list[tuple[int, str]]:
    """Seq and body of some events, both ends included."""
    rows = connection.execute(
        "SELECT seq, body FROM event WHERE run_no = ? AND seq BETWEEN ? AND ? ORDER BY seq",
        (run_no, first_seq, last_seq),
    )
    return rows.fetchall()


def bodies_of(batch: Batch) -> list[tuple[int, str]]:
    """Seq and body of the batch's events, as `stored_bodies` tells them."""
    pairs = list(batch.large)
    for first_seq, bodies in batch.chunks:
        pairs += enumerate(bodies, first_seq)
    return sorted(pairs)


def same_events(stored: Sequence[tuple[int, str]], events: Sequence[Event]) -> bool:
    """Whether the stored rows are these events."""
    return list(stored) == [(event.seq, encode_body(event)) for event in events]


def write_events(connection: Connection, run_no: int, batch: Batch) -> None:
    """Insert the events themselves."""
    for first_seq, bodies in batch.chunks:
        whole = len(bodies) // _GROUP * _GROUP if isinstance(connection, sqlite3.Connection) else 0
        for start in range(0, whole, _GROUP):
            connection.execute(_EVENTS_GROUP, [run_no, first_seq + start, *bodies[start : start + _GROUP]])
        if whole < len(bodies):
            connection.execute(EVENTS, (run_no, first_seq + whole, f"[{','.join(bodies[whole:])}]"))
    for seq, body in batch.large:
        connection.execute("INSERT INTO event (run_no, seq, body) VALUES (?, ?, ?)", (run_no, seq, body))


def write_projections(connection: Connection, run_no: int, batch: Batch) -> None:
    """Bring `task_run` and `run` to where the batch leads."""
    if batch.other:
        rows = [(*key, *row[:5], None if row[5] is None else to_json(row[5])) for key, row in batch.other.items()]
        _write_grouped(connection, run_no, rows, _OTHER_GROUP, _OTHER_GROUPED, OTHER)
    if batch.hits:  # after the others: what came before them, such as a pause, is there
        _write_hits(connection, run_no, batch.hits)
    if batch.plain:
        _write_grouped(connection, run_no, list(batch.plain.values()), _PLAIN_GROUP, _GROUP, PLAIN)
    if batch.attached:
        attached.index(connection, run_no, batch.attached)
    change = batch.run
    if change is not None:
        counts = change.counts
        if counts is None and IS_FINAL[change.state]:
            counts = dict(connection.execute(COUNTS, (run_no,)).fetchall())
        connection.execute(
            "UPDATE run SET state = ?, message = ?, started_us = coalesce(started_us, ?), ended_us = ?, counts = ? "
            "WHERE run_no = ?",
            (
                int(change.state),
                change.message,
                change.started_us,
                change.ended_us,
                None if counts is None else json.dumps(counts),
                run_no,
            ),
        )


def _write_grouped(
    connection: Connection, run_no: int, rows: Sequence[tuple[Any, ...]], group: str, size: int, rest: str
) -> None:
    """Write rows of `task_run`: in groups as values, for that is less than half the work; what is left as JSON."""
    whole = len(rows) // size * size if isinstance(connection, sqlite3.Connection) else 0
    for start in range(0, whole, size):
        connection.execute(group, [run_no, *chain.from_iterable(rows[start : start + size])])
    if whole < len(rows):
        connection.execute(rest, (run_no, compact(rows[whole:])))


def _write_hits(connection: Connection, run_no: int, hits: list[Any]) -> None:
    """Write the rows of task runs that were taken from the cache; see `encoding.Batch.hits`."""
    size = _GROUP * _HIT_VALUES
    whole = len(hits) // size * size if isinstance(connection, sqlite3.Connection) else 0
    for start in range(0, whole, size):
        connection.execute(_HIT_GROUP, [run_no, *hits[start : start + size]])
    if whole < len(hits):
        rows = [
            (node, index, 1, 0, seq, _CACHED, None, ended_us, message, result)
            for node, index, seq, ended_us, message, result in hits_in_rows(hits[whole:])
        ]
        connection.execute(OTHER, (run_no, compact(rows)))


def write_lines(connection: Connection, run_no: int, first_number: int, lines: Sequence[LogLine]) -> None:
    """Insert log lines; those whose number is there already are there already."""
    rows = [
        (at_us, level, clean_text(logger), clean_text(message), node, index, attempt)
        for at_us, level, logger, message, node, index, attempt in lines
    ]
    connection.execute(LINES, (run_no, first_number, compact(rows)))
