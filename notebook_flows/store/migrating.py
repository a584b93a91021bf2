"""Bringing an older history up to this version: forward only, all of it or nothing, by one at a time.

Alembic is loaded only when there is something to do. A version that changes the tables

1. raises `schema.VERSION`, and changes `schema.TABLES` and `tables`, which say how a new history is made;
2. adds a step here, `STEPS[version] = function`, in which Alembic's operations lead from the version before to it;
3. keeps a history of the version before in `tests/golden/stores` (`python tests/store/write_golden_stores.py`).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.crash import crash_point
from notebook_flows.errors import StoreCorrupt, StoreVersionError
from notebook_flows.store import schema
from notebook_flows.store.filesystem import open_private, sync_folder
from notebook_flows.store.locks import held, lock_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from alembic.operations import Operations
    from sqlalchemy import Connection as SqlConnection

STEPS: dict[int, Callable[[Operations], None]] = {}
"""{a version: what leads to it from the one before}."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """What was done.

    Attributes:
        was, now: the versions; equal: there was nothing to do.
        backup: a whole copy of what was there before; None for a server, which has its own.
    """

    was: int
    now: int
    backup: Path | None = None


def upgrade_file(path: Path) -> Upgrade:
    """Bring the history in a file up, after a copy was made beside it.

    Raises:
        StoreVersionError: it is newer than this version, or a run of an older one is under way in it.
        StoreCorrupt: it does not say its version.
        sqlite3.Error, OSError: it cannot be written.
    """
    with held(path.parent / "locks" / "create"), _file_open(path) as connection:
        was = _version(connection, str(path))
        if was >= schema.VERSION:
            return Upgrade(was=was, now=was)
        _refuse_if_under_way(connection, path, was)
        backup = _copied(path, was)
        crash_point("store.upgrade.copied")
        _walk(connection, was)
        connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION:d}")
        crash_point("store.upgrade.before")
        connection.commit()
        return Upgrade(was=was, now=schema.VERSION, backup=backup)


@contextmanager
def _file_open(path: Path) -> Iterator[SqlConnection]:
    """SQLAlchemy's connection in a transaction that has the write lock."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        made.execute("PRAGMA synchronous = FULL")
        made.execute("PRAGMA wal_autocheckpoint = 0")
        return made

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.rollback()  # nothing, once it is committed


def _version(connection: SqlConnection, name: str) -> int:
    said = connection.exec_driver_sql("SELECT value FROM about WHERE key = 'schema_version'").scalar()
    if not str(said).isdecimal() or int(str(said)) < 1:
        raise StoreCorrupt(f"{name} does not say its version: restore a backup, or move it aside.")
    version = int(str(said))
    if version > schema.VERSION:
        raise schema.newer(name, version)
    return version


def _refuse_if_under_way(connection: SqlConnection, path: Path, was: int) -> None:
    """A process of an older version would find its tables changed under its feet."""
    for (run_id,) in connection.exec_driver_sql("SELECT run_id FROM run WHERE ended_us IS NULL").fetchall():
        lock = lock_of_run(path, run_id)
        if not lock.path.exists():
            continue
        if not lock.acquire(create=False):
            raise StoreVersionError(
                f"{path} is of version {was}, this notebook_flows writes {schema.VERSION}, and run {run_id[:8]} of an "
                "older notebook_flows is under way in it: try again when it has ended."
            )
        lock.release()  # its file stays: the run is dead, and is told so after the upgrade


def _copied(path: Path, was: int) -> Path:
    """A whole copy of the history beside it."""
    backup = path.with_name(f"{path.name}.version-{was}")
    aside = path.with_name(f"{backup.name}.new")
    aside.unlink(missing_ok=True)
    os.close(open_private(aside, os.O_WRONLY | os.O_EXCL))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(aside)) as target:
            source.execute("PRAGMA wal_autocheckpoint = 0")
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        aside.replace(backup)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return backup


def _walk(connection: SqlConnection, was: int) -> None:
    """Take the steps, one after the other."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(connection))
    for version in range(was + 1, schema.VERSION + 1):
        STEPS[version](operations)
    said = f"UPDATE about SET value = '{schema.VERSION:d}' WHERE key = 'schema_version'"  # noqa: S608 - our number
    connection.exec_driver_sql(said)


def upgrade_schema(connection: SqlConnection, name: str, key: int) -> Upgrade:
    """Bring the history in a server's schema up, within the caller's transaction.

    Args:
        connection: in a transaction; its search path leads to the tables.
        name: the history's, for sentences.
        key: of the lock by which only one makes or changes tables.
    Raises:
        StoreVersionError: it is newer than this version, or runs of an older one are under way.
    """
    values: dict[str, Any] = {"key": key}
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(key)s)", values)
    was = _version(connection, name)
    if was >= schema.VERSION:
        return Upgrade(was=was, now=was)
    connection.exec_driver_sql("LOCK TABLE about, run IN ACCESS EXCLUSIVE MODE")
    live = connection.exec_driver_sql(
        "SELECT count(*) FROM presence WHERE seen_us > (extract(epoch FROM clock_timestamp()) - 90) * 1000000"
    ).scalar()
    is_open = "SELECT count(*) FROM run WHERE ended_us IS NULL"
    if live and connection.exec_driver_sql(is_open).scalar():
        raise StoreVersionError(
            f"{name} is of version {was}, this notebook_flows writes {schema.VERSION}, and {live} processes with an "
            "older notebook_flows have written in the last 90 s: try again when their runs have ended."
        )
    _walk(connection, was)
    return Upgrade(was=was, now=schema.VERSION)
