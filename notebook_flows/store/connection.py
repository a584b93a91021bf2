"""Connections to a history, opened the one way that keeps its promises; and SQLite's errors as sentences of ours."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from notebook_flows.engine.crash import crash_point
from notebook_flows.errors import StoreCorrupt, StoreError, StoreUnavailable
from notebook_flows.store import schema
from notebook_flows.store.filesystem import (
    NO_LOCKS,
    has_locks,
    make_private_folder,
    network_filesystem,
    open_private,
    sync_folder,
)
from notebook_flows.store.locks import held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT_S = 30.0
_INDEX_BYTES = 32_768
"""Of the smallest piece of the index beside a history."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_TEXT = "Could not decode to UTF-8"


def wal_of(path: Path) -> Path:
    """SQLite's write-ahead file of a history."""
    return path.with_name(path.name + "-wal")


def refuse_special(path: Path, *, doing: str) -> None:
    """Leave alone what is no file: a pipe, device, socket or folder is never opened, replaced or written beside.

    Args:
        path: the history.
        doing: ``read`` or ``written``: what is about to be done.
    Raises:
        StoreUnavailable: it, or what SQLite keeps beside it, is there and no regular file, or cannot be looked at.
    """
    for beside in ("", "-wal", "-shm", "-journal"):
        one = path.with_name(path.name + beside)
        try:
            mode = one.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise as_store_error(error, path, doing=doing) from error
        if not stat.S_ISREG(mode):
            raise StoreUnavailable(
                f"{one} is not a regular file, so no history can be kept there: let NOTEBOOK_FLOWS_STORE name another "
                "place" + (", or move it aside." if beside else ".")
            )


def open_for_writing(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """A connection whose commits survive a loss of power. The history is made if it is not there.

    Never opens the file but through SQLite: closing any other descriptor of it would drop
    the POSIX locks of every connection of this process.

    Raises:
        StoreError: it cannot be made or written, is damaged, foreign, or too new.
    """
    refuse_special(path, doing="written")
    try:
        make_private_folder(path.parent)
        make_private_folder(path.parent / "locks")
        _create_if_missing(path)
        if not is_writable(path):
            raise read_only(path)
        connection = _connect(path, "rw", busy_timeout_s)
        try:
            schema.verify(connection, str(path), allow_older=True)
            _bring_up(connection, path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            _choose_journal(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise as_store_error(error, path, doing="written") from error
    return connection


def _bring_up(connection: sqlite3.Connection, path: Path) -> None:
    """Upgrade a history that an older notebook_flows has written."""
    version = schema.version_of(connection)
    if version is not None and version < schema.VERSION:
        from notebook_flows.store.migrating import upgrade_file

        try:
            upgrade_file(path)
        except Exception as error:  # SQLAlchemy has wrapped what SQLite said
            said = getattr(error, "orig", None)
            if isinstance(said, sqlite3.Error):
                raise said from error
            raise
        schema.verify_version(connection, str(path))


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        _uri(path, f"mode={mode}"),
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


def _uri(path: Path, query: str) -> str:
    return f"{path.absolute().as_uri()}?{query}"


def _create_if_missing(path: Path) -> None:
    if _size(path) > 0:
        return
    with held(path.parent / "locks" / "create"):
        if _size(path) > 0:
            return
        if _size(wal_of(path)) > 0:
            raise StoreCorrupt(
                f"{path} is empty or gone, but its {wal_of(path).name} is still there: move both aside, "
                "a new history is begun then."
            )
        _create(path)


def _create(path: Path) -> None:
    """Make a whole history aside and rename it into place: nobody ever sees half of one."""
    aside = path.with_name(f"{path.name}.new-{os.getpid()}")
    aside.unlink(missing_ok=True)
    os.close(open_private(aside, os.O_WRONLY | os.O_EXCL))
    try:
        connection = _connect(aside, "rw", BUSY_TIMEOUT_S)
        try:
            schema.create(connection)
            crash_point("store.created")
            if network_filesystem(path.absolute()) is None:
                connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    crash_point("store.renamed")
    sync_folder(path.parent)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def identity_of(path: Path) -> tuple[int, int] | None:
    """Which file the name stands for now; None if for none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _choose_journal(connection: sqlite3.Connection, path: Path) -> None:
    kind = network_filesystem(path.absolute())
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if kind is None:
        if mode != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        return
    if mode == "wal":
        connection.execute("PRAGMA journal_mode = DELETE")
    from warnings import warn

    warn(
        f"{path} is on a network file system ({kind}), where the history is slower and only as safe as its locks: "
        "better set a local folder.",
        RuntimeWarning,
        stacklevel=2,
    )


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """A connection for reading; it works in a read-only folder too. None if there is no history yet.

    Raises:
        StoreError: it cannot be read, is damaged, foreign, or too new.
    """
    refuse_special(path, doing="read")
    try:
        if _size(path) == 0:
            if _size(wal_of(path)) > 0:
                raise StoreCorrupt(
                    f"{path} is empty or gone, but its {wal_of(path).name} is still there: move both aside."
                )
            return None
        connection = connect_to_read(path)
        try:
            schema.verify(connection, str(path), allow_older=can_be_shared(path))
            _bring_up(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise as_store_error(error, path, doing="read") from error
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection for reading, whatever is in the file; where SQLite cannot share it, as it is at this moment."""
    if can_be_shared(path):
        connection = _connect(path, "rw", BUSY_TIMEOUT_S)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA query_only = ON")
        return connection
    if _size(wal_of(path)) > 0:
        return _connect_to_copy(path)
    return sqlite3.connect(_uri(path, "immutable=1"), uri=True, isolation_level=None, check_same_thread=False)


def is_writable(path: Path) -> bool:
    """Whether this process may write the history and its folder, where SQLite keeps its WAL."""
    return os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)


def can_be_shared(path: Path) -> bool:
    """Whether SQLite can open the history beside others: it needs a little room for the index that they share."""
    if not is_writable(path):
        return False
    import shutil

    return (
        _size(path.with_name(f"{path.name}-shm")) >= _INDEX_BYTES
        or shutil.disk_usage(path.parent).free >= 2 * _INDEX_BYTES
    )


def _connect_to_copy(path: Path) -> sqlite3.Connection:
    """A copy in memory of a history whose last events are in a WAL that cannot be used in place."""
    import shutil
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="notebook_flows-") as folder:
        copy = Path(folder) / "history.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(wal_of(path), wal_of(copy))
        source = sqlite3.connect(copy)
        target = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        source.backup(target)
        source.close()
    return target


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """What happens inside is written altogether or not at all."""
    begin(connection)
    try:
        yield connection
        crash_point("store.commit.before")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # SQLite has rolled back by itself; the first error is the one to tell
                connection.execute("ROLLBACK")
        raise
    crash_point("store.commit.after")


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock. SQLite answers BUSY at once where waiting could deadlock; those are tried again."""
    for rest_s in (0.01, 0.05, 0.2):
        started = time.monotonic()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() - started > 1.0:
                raise
            time.sleep(rest_s)  # SQLite tells nobody when another process lets the lock go
        else:
            return
    connection.execute("BEGIN IMMEDIATE")


def primary_code(error: BaseException) -> int:
    """SQLite's error code without its extension; 0 for what does not come from SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_really_damaged(path: Path) -> bool:
    """A second look after SQLite said "corrupt": a failing read of the disk is reported in the same words."""
    try:
        connection = _connect(path, "rw", BUSY_TIMEOUT_S)
        try:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return primary_code(error) in _DAMAGED
    return bool(answer != "ok")


def read_only(path: Path) -> StoreUnavailable:
    """What to tell who wants to write where one can only read."""
    return StoreUnavailable(f"The history {path} is read-only here: it can be looked at, but nothing can run.")


def as_store_error(error: BaseException, path: Path, *, doing: str) -> StoreError:
    """One sentence of what is wrong and what to do.

    Args:
        error: what SQLite or the system said; an error of ours stays as it is.
        path: the history.
        doing: ``read`` or ``written``: what did not work.
    """
    if isinstance(error, StoreError):
        return error
    code = primary_code(error)
    if code in _DAMAGED:
        return StoreCorrupt(
            f"{path} is damaged or no history ({error}): move it and its -wal file aside, a new history is begun then; "
            f"`sqlite3 {path.name} .recover` saves what can be saved."
        )
    if str(error).startswith(_NO_TEXT):  # it goes on with the whole text
        return StoreCorrupt(
            f"{path} is damaged: a text in it is not UTF-8. `notebook-flows store check` tells all that is wrong; "
            f"`sqlite3 {path.name} .recover` saves what can be saved."
        )
    is_full = code == sqlite3.SQLITE_IOERR and _is_there(path) and not can_be_shared(path) and is_writable(path)
    if is_full or code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in _NO_SPACE:
        return StoreUnavailable(f"The disk with the history {path} is full: free some space and try again.")
    is_about_locks = code in _LOCKING or getattr(error, "errno", None) in NO_LOCKS
    if is_about_locks and not has_locks(path.parent):
        return StoreUnavailable(
            f"The file system of {path.parent} has no locks that work, and no history can be kept without: name a place "
            "on a disk of this machine by NOTEBOOK_FLOWS_STORE, or have the locks of that file system set up."
        )
    if code == sqlite3.SQLITE_BUSY:
        return StoreUnavailable(f"The history {path} has been locked by another process for {BUSY_TIMEOUT_S:.0f} s.")
    if code == sqlite3.SQLITE_READONLY or (doing == "written" and _is_there(path) and not is_writable(path)):
        return read_only(path)
    if doing == "written" and _is_there(path.parent) and not os.access(path.parent, os.W_OK):
        return StoreUnavailable(f"The folder {path.parent} is read-only here: no history can be kept in it.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return StoreUnavailable(f"The history {path} cannot be {doing}: {reason}.")


def _is_there(path: Path) -> bool:
    return os.access(path, os.F_OK)  # which, unlike Path.exists, raises nothing whatever the path


_LOCKING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL)
_NO_SPACE = (28, 122)  # ENOSPC, EDQUOT
