"""Looking a history over, and deriving its projections anew from the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.store import attached
from notebook_flows.store.encoding import RowDamaged, decode, encode
from notebook_flows.store.writing import write_projections

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from notebook_flows.core.events import Event
    from notebook_flows.store.place import Connection

_PIECE = 10_000
_RUN_PART = "SELECT state, message, started_us, ended_us FROM run WHERE run_no = ?"
_TASK_PART = """
SELECT node, map_index, loop, attempt, state, seq, started_us, ended_us, coalesce(message, ''), result
FROM task_run WHERE run_no = ?
"""


def rebuild(connection: Connection, run_no: int) -> None:
    """Derive the run's row and its task runs from its events anew, within the caller's transaction."""
    connection.execute("DELETE FROM task_run WHERE run_no = ?", (run_no,))
    attached.forget(connection, run_no)
    connection.execute(
        "UPDATE run SET state = ?1, message = '', started_us = NULL, ended_us = NULL, counts = NULL, "
        "last_seq = (SELECT coalesce(max(seq), 0) FROM event WHERE run_no = ?2) WHERE run_no = ?2",
        (int(S.PENDING), run_no),
    )
    for events in pieces(connection, run_no):
        write_projections(connection, run_no, encode(events))


def pieces(connection: Connection, run_no: int) -> Iterator[list[Event]]:
    """The run's events, some thousands at a time."""
    after = 0
    while True:
        rows = connection.execute(
            "SELECT seq, body FROM event WHERE run_no = ? AND seq > ? ORDER BY seq LIMIT ?", (run_no, after, _PIECE)
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield decode(rows)


def problems_of(connection: sqlite3.Connection) -> Iterator[str]:
    """One sentence for each thing that is wrong; the connection must be one that may be thrown away."""
    for (answer,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
        if answer != "ok":
            yield f"The file is damaged: {answer}"
    for run_no, run_id, last_seq in connection.execute("SELECT run_no, run_id, last_seq FROM run").fetchall():
        count, last = connection.execute(
            "SELECT count(*), coalesce(max(seq), 0) FROM event WHERE run_no = ?", (run_no,)
        ).fetchone()
        if not count == last == last_seq:
            yield f"Run {run_id} says that it has {last_seq} events, and has {count}, the last numbered {last}."
        else:
            yield from _problems_of_run(connection, run_no, run_id)


def _problems_of_run(connection: sqlite3.Connection, run_no: int, run_id: str) -> Iterator[str]:
    try:
        if _differs(connection, run_no):
            yield f"Run {run_id}: its rows do not say what its events say; rebuild_projections({run_id!r}) puts it right."
    except RowDamaged as damage:
        yield f"Run {run_id} is damaged: {damage.what} cannot be read."


def _differs(connection: sqlite3.Connection, run_no: int) -> bool:
    stored = _projections(connection, run_no)
    rebuild(connection, run_no)
    return stored != _projections(connection, run_no)


def _projections(connection: sqlite3.Connection, run_no: int) -> list[tuple[object, ...]]:
    run = connection.execute(_RUN_PART, (run_no,)).fetchall()
    tasks = connection.execute(_TASK_PART, (run_no,)).fetchall()
    artifacts: list[tuple[object, ...]] = []
    if attached.has_table(connection):
        artifacts = connection.execute("SELECT seq, sha256 FROM artifact WHERE run_no = ?", (run_no,)).fetchall()
    return [*run, *tasks, *artifacts]
