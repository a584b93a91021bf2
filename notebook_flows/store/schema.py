"""The tables of a history, version 1, and how one is told from every other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.errors import StoreCorrupt, StoreVersionError

if TYPE_CHECKING:
    import sqlite3

    from notebook_flows.store.place import Connection

APPLICATION_ID = 0x4E42464C
"""``NBFL`` in the file's header: whose file this is."""

VERSION = 1

TABLES = """
CREATE TABLE about (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    run_no         INTEGER PRIMARY KEY AUTOINCREMENT,   -- short, never reused: what the other tables hold
    run_id         TEXT NOT NULL UNIQUE,
    flow           TEXT NOT NULL,
    name           TEXT NOT NULL,
    parent_run_id  TEXT,
    state          INTEGER NOT NULL,                    -- the numbers of core.lifecycle.S
    message        TEXT NOT NULL DEFAULT '',
    created_us     INTEGER NOT NULL,                    -- microseconds since 1970, UTC
    started_us     INTEGER,
    ended_us       INTEGER,
    scheduled_us   INTEGER,
    executor       TEXT NOT NULL,
    last_seq       INTEGER NOT NULL DEFAULT 0,
    task_count     INTEGER NOT NULL,
    counts         TEXT,                                -- {state: task runs}, once the run has ended
    owner_epoch    INTEGER NOT NULL DEFAULT 1,          -- raised by every takeover
    owner_host     TEXT NOT NULL,
    owner_boot_id  TEXT NOT NULL,
    owner_pid      INTEGER NOT NULL,
    owner_started  INTEGER NOT NULL,
    parameters     TEXT NOT NULL,
    environment    TEXT NOT NULL
);
CREATE INDEX run_by_time ON run (created_us);
CREATE INDEX run_by_flow ON run (flow, created_us);
CREATE INDEX run_open ON run (run_no) WHERE ended_us IS NULL;

CREATE TABLE slugs (
    run_no  INTEGER PRIMARY KEY,
    slugs   TEXT NOT NULL                               -- JSON array, in the order of the graph's numbers
);

CREATE TABLE event (
    run_no  INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    body    TEXT NOT NULL,                              -- store/encoding.py
    PRIMARY KEY (run_no, seq)
) WITHOUT ROWID;

CREATE TABLE task_run (
    run_no      INTEGER NOT NULL,
    node        INTEGER NOT NULL,
    map_index   INTEGER NOT NULL,
    loop        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    started_us  INTEGER,
    ended_us    INTEGER,
    message     TEXT,
    result      TEXT,                                   -- a reference, as JSON
    PRIMARY KEY (run_no, node, map_index, loop, attempt)
) WITHOUT ROWID;

CREATE TABLE log (
    run_no     INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    at_us      INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    logger     TEXT NOT NULL,
    message    TEXT NOT NULL,
    node       INTEGER NOT NULL,
    map_index  INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    PRIMARY KEY (run_no, number)
) WITHOUT ROWID;

CREATE TABLE request (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no   INTEGER NOT NULL,
    at_us    INTEGER NOT NULL,
    verb     TEXT NOT NULL,
    payload  TEXT NOT NULL
);
CREATE INDEX request_by_run ON request (run_no, number);

CREATE TABLE leaving (
    run_no  INTEGER PRIMARY KEY                         -- pruned: invisible already, rows still to be deleted
);
"""


_CREATE = f"""
BEGIN EXCLUSIVE;
{TABLES}
INSERT INTO about VALUES ('schema_version', '{VERSION}');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - numbers of our own


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, all at once."""
    connection.executescript(_CREATE)


def verify(connection: sqlite3.Connection, path: str, *, allow_older: bool = False) -> None:
    """Make sure that the file is a history that this version understands.

    Raises:
        StoreCorrupt: it is another program's file, or was emptied.
        StoreVersionError: a newer notebook_flows wrote it.
        sqlite3.Error: it cannot be read.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name IN ('about', 'run', 'event', 'task_run', 'log', 'request')"
    ).fetchone()
    if application_id != APPLICATION_ID or tables != 6:
        raise _none_of_ours(path)
    verify_version(connection, path, allow_older=allow_older)


def _none_of_ours(path: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"{path} is no history of notebook_flows, or was emptied: move it and its -wal file aside "
        "(a new history is then begun), or name another file."
    )


def verify_version(connection: Connection, name: str, *, allow_older: bool = False) -> None:
    """Make sure that the history has the version that this one writes.

    Raises:
        StoreCorrupt: it does not say.
        StoreVersionError: an older or newer notebook_flows wrote it.
    """
    version = version_of(connection)
    if version is None:
        raise StoreCorrupt(f"{name} does not say its version: move it and its -wal file aside, a new history is begun.")
    if version > VERSION:
        raise newer(name, version)
    if version < VERSION and not allow_older:
        raise StoreVersionError(
            f"{name} was written by an older notebook_flows (history version {version}, this one writes {VERSION}): "
            "bring it up with `notebook-flows store upgrade`."
        )


def newer(name: str, version: int) -> StoreVersionError:
    """What to tell whose notebook_flows is too old for a history."""
    return StoreVersionError(
        f"{name} was written by a newer notebook_flows (history version {version}, this one knows {VERSION}): "
        "upgrade with `pip install -U notebook-flows`, or name another history."
    )


def version_of_file(connection: sqlite3.Connection, path: str) -> int | None:
    """The version that a file says it has, whatever else is in it; None: nothing is in it yet.

    Raises:
        StoreCorrupt: it is another program's file, or was emptied.
        sqlite3.Error: it cannot be read.
    """
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if tables and "about" not in tables:
        raise _none_of_ours(path)
    return version_of(connection) if tables else None


def version_of(connection: Connection) -> int | None:
    """The version that a history says it has; None if it says none."""
    row = connection.execute("SELECT value FROM about WHERE key = 'schema_version'").fetchone()
    return int(row[0]) if row is not None and row[0].isdecimal() and int(row[0]) >= 1 else None
