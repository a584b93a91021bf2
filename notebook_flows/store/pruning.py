"""Forgetting old runs, a bounded piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.store import attached

if TYPE_CHECKING:
    from notebook_flows.engine.ports import Clock
    from notebook_flows.store.place import Connection
    from notebook_flows.store.writer import Writer

PIECE = 10_000
_DAY_US = 86_400 * 1_000_000
_FINAL = ", ".join(str(int(state)) for state in S if IS_FINAL[state])
_OLD = f"""
SELECT run_no, run_id FROM (
    SELECT run_no, run_id, state, coalesce(ended_us, created_us) AS at_us,
           row_number() OVER (ORDER BY created_us DESC, run_no DESC) AS place
    FROM run) AS placed
WHERE state IN ({_FINAL}) AND (at_us < ?1 OR place > ?2) ORDER BY place DESC
"""  # noqa: S608 - numbers of our own
_PIECES = [
    (
        "DELETE FROM event WHERE run_no = ?1 AND seq <= (SELECT min(seq) FROM event WHERE run_no = ?1) + ?2",
        "SELECT 1 FROM event WHERE run_no = ? LIMIT 1",
    ),
    (
        "DELETE FROM log WHERE run_no = ?1 AND number <= (SELECT min(number) FROM log WHERE run_no = ?1) + ?2",
        "SELECT 1 FROM log WHERE run_no = ? LIMIT 1",
    ),
    (
        "DELETE FROM task_run WHERE run_no = ?1 AND node <= (SELECT min(node) FROM task_run WHERE run_no = ?1) + ?2",
        "SELECT 1 FROM task_run WHERE run_no = ? LIMIT 1",
    ),
]


def prune(writer: Writer, clock: Clock, *, keep_days: float | None, keep_runs: int | None) -> list[str]:
    """Make runs invisible at once, then delete their rows piece by piece, so that no other writer waits long.

    A kill in between leaves rows that nobody sees, and that the next pruning deletes.
    """
    before_us = None if keep_days is None else clock.now_us() - int(keep_days * _DAY_US)
    forgotten = writer.call(lambda connection: _leave(connection, before_us, keep_runs), frees=True)
    while writer.call(_delete_a_piece, frees=True):
        pass
    return forgotten


def _leave(connection: Connection, before_us: int | None, keep_runs: int | None) -> list[str]:
    old = connection.execute(_OLD, (before_us, keep_runs)).fetchall()
    for run_no, _ in old:
        connection.execute("INSERT INTO leaving (run_no) VALUES (?) ON CONFLICT DO NOTHING", (run_no,))
        connection.execute("DELETE FROM run WHERE run_no = ?", (run_no,))
    return [run_id for _, run_id in old]


def _delete_a_piece(connection: Connection) -> bool:
    row = connection.execute("SELECT run_no FROM leaving LIMIT 1").fetchone()
    if row is None:
        return False
    room = PIECE
    for delete, is_left in _PIECES:
        room -= max(connection.execute(delete, (row[0], room)).rowcount, 0)
        if room <= 0 or connection.execute(is_left, row).fetchone():
            return True
    attached.forget(connection, row[0])
    connection.execute("DELETE FROM request WHERE run_no = ?", row)
    connection.execute("DELETE FROM slugs WHERE run_no = ?", row)
    connection.execute("DELETE FROM leaving WHERE run_no = ?", row)
    return True
