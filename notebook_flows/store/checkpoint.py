"""Moving the WAL's pages into the history, by one process at a time.

SQLite before 3.51.3 can corrupt a WAL history if two checkpoints and a commit meet. No connection of ours checkpoints
by itself; whoever finds the WAL long takes this lock, and only then checkpoints.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from notebook_flows.engine.crash import crash_point
from notebook_flows.store.connection import wal_of
from notebook_flows.store.locks import FileLock

if TYPE_CHECKING:
    from pathlib import Path

DUE_BYTES = 8 << 20
LONG_BYTES = 64 << 20


def checkpoint_if_due(connection: sqlite3.Connection, path: Path, *, due_bytes: int = DUE_BYTES) -> bool:
    """Checkpoint if the WAL is long and nobody else is at it. Errors are left to the next commit, which meets them too."""
    try:
        size = wal_of(path).stat().st_size
    except OSError:
        return False
    if size < due_bytes:
        return False
    lock = FileLock(path.parent / "locks" / "checkpoint")
    try:
        if not lock.acquire():
            return False
        crash_point("store.checkpoint.before")
        if size > LONG_BYTES:
            _truncate(connection)
        else:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        crash_point("store.checkpoint.after")
    except (sqlite3.Error, OSError):
        return False
    finally:
        lock.release()
    return True


def _truncate(connection: sqlite3.Connection) -> None:
    """Start the WAL anew; a reader that is in the way is waited for briefly, not for as long as a writer."""
    (timeout_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 200")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
