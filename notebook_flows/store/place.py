"""Where a history lies, seen by what writes and reads it: a file, or a schema in a server's database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from notebook_flows.errors import StoreCorrupt, StoreUnavailable, StoreVersionError
from notebook_flows.store import schema
from notebook_flows.store.checkpoint import checkpoint_if_due
from notebook_flows.store.connection import (
    as_store_error,
    connect_to_read,
    identity_of,
    is_really_damaged,
    is_writable,
    open_for_writing,
    primary_code,
    read_only,
    refuse_special,
    transaction,
)
from notebook_flows.store.filesystem import (
    RESERVE_BYTES,
    free_bytes,
    is_special,
    make_reserve,
    network_filesystem,
    release_reserve,
    reserve_of,
)
from notebook_flows.store.locks import is_alive, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from notebook_flows.errors import StoreError
    from notebook_flows.store.migrating import Upgrade
    from notebook_flows.store.rows import Owner

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WITHOUT_ROOM = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says, too, where it finds no room for the index beside a history."""
_ROOM_TO_OPEN = 64 * 1024


class Cursor(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What takes the history's statements: sqlite3's own connection, or one that says them to a server."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Say one statement, written for SQLite: ``?`` and ``?1`` stand for values."""


class Place(Protocol):
    """A history's place.

    Attributes:
        name: for sentences; never with a password.
        path: locks and spools lie beside it; of a file, the file itself.
        errors: what its connections raise when they cannot.
        look_every_s: how often it wants to be looked after while runs are open; None: only when there is something new.
        asks_server: `take` may know what locks beside the history do not prove.
    """

    name: str
    path: Path
    errors: tuple[type[Exception], ...]
    look_every_s: float | None
    asks_server: bool

    @property
    def key(self) -> str:
        """The same for two names of one place."""

    def connect(self) -> Any:
        """A connection for writing; the history is made if it is not there."""

    def is_current(self) -> bool:
        """Whether the last connection still leads to where the name does."""

    def transaction(self, connection: Any, *, is_durable: bool = True) -> AbstractContextManager[Any]:
        """What happens inside is written altogether or not at all."""

    def told(self, error: BaseException, *, doing: str = "written") -> StoreError:
        """One sentence of what is wrong and what to do."""

    def judged(self, error: Exception) -> StoreError:
        """The same for an error of the writer, after a second look where the first may deceive."""

    def make_room(self, error: Exception) -> bool:
        """Whether something could be given up so that what runs can still be recorded."""

    def has_room(self) -> bool:
        """Whether what was given up is there again."""

    def tidy(self, connection: Any, *, is_idle: bool) -> None:
        """Look after the history: after commits, while nothing is queued, and every `look_every_s`."""

    def is_begun(self) -> bool:
        """Whether there is a history yet."""

    def version(self) -> int | None:
        """The version that the history says it has, whatever it is; None: there is none yet, or it does not say."""

    def upgrade(self) -> Upgrade | None:
        """Bring an older history up to this version; None: there is none yet."""

    def may_write(self) -> bool:
        """Whether writing is worth a try; cheap."""

    def check_before_begin(self) -> None:
        """Raise what would keep a new run from being recorded."""

    def own(self, connection: Any, run_id: str) -> None:
        """From now on, this process owns a new run; within the transaction that begins it."""

    def disown(self, run_id: str) -> None:
        """It does not any more."""

    def may_take(self, owner: Owner, *, has_lock_file: bool) -> bool:
        """Whether the free lock beside the history proves that the owner is gone."""

    def take(self, connection: Any, run_id: str, owner: Owner, *, is_proved: bool) -> bool:
        """Whether a run may be taken over, within the transaction that does it.

        Args:
            connection: the writer's, in a transaction.
            run_id: of the run.
            owner: who wrote it.
            is_proved: a lock beside the history has proved that the owner is gone.
        """


class SqlitePlace:
    """A file."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
    look_every_s: float | None = None
    asks_server = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._identity: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """Where the path leads to in the end."""
        return os.path.realpath(self.path)

    def connect(self) -> sqlite3.Connection:
        """A connection whose commits survive a loss of power."""
        connection = open_for_writing(self.path)
        self._identity = identity_of(self.path)
        return connection

    def is_current(self) -> bool:
        """False if the file was moved aside or deleted: writing on would be into the void."""
        return identity_of(self.path) == self._identity

    @contextmanager
    def transaction(self, connection: sqlite3.Connection, *, is_durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction that has the write lock.

        Args:
            connection: of `connect`.
            is_durable: wait for the disk too. If a transaction that is not raises, the connection is to be closed.
        """
        if not is_durable:
            connection.execute("PRAGMA synchronous = NORMAL")
        with transaction(connection):
            schema.verify_version(connection, self.name)  # another process may have upgraded it under our feet
            yield connection
        if not is_durable:
            connection.execute("PRAGMA synchronous = FULL")

    def told(self, error: BaseException, *, doing: str = "written") -> StoreError:
        """One sentence of what is wrong and what to do."""
        return as_store_error(error, self.path, doing=doing)

    def judged(self, error: Exception) -> StoreError:
        """The same; "corrupt" is believed only after a second look."""
        if primary_code(error) in _DAMAGED and not is_really_damaged(self.path):
            error = StoreUnavailable(f"The disk with the history {self.path} fails at times: {error}.")
        return self.told(error)

    def make_room(self, error: Exception) -> bool:
        """Give the reserve up if the disk is full."""
        code = primary_code(error) or primary_code(error.__cause__ or error)
        is_full = code == sqlite3.SQLITE_FULL
        if code in _WITHOUT_ROOM:
            free = free_bytes(self.path.parent)
            is_full = free is not None and free < _ROOM_TO_OPEN
        return is_full and release_reserve(self.path)

    def has_room(self) -> bool:
        """Whether the disk has room for the reserve again, and some more; it is made then."""
        free = free_bytes(self.path.parent)
        return free is not None and free >= 2 * RESERVE_BYTES and make_reserve(self.path)

    def tidy(self, connection: sqlite3.Connection, *, is_idle: bool) -> None:
        """Move the WAL's pages into the history if it is long."""
        checkpoint_if_due(connection, self.path)

    def is_begun(self) -> bool:
        """Whether the file is there.

        Raises:
            StoreUnavailable: something else is.
        """
        refuse_special(self.path, doing="written")
        return self.path.exists()

    def version(self) -> int | None:
        """The version that the file says it has."""
        if not self.is_begun():
            return None
        try:
            with closing(connect_to_read(self.path)) as connection:
                return schema.version_of_file(connection, self.name)
        except sqlite3.Error as error:
            raise self.told(error, doing="read") from error

    def upgrade(self) -> Upgrade | None:
        """Bring the file up, after a copy was made beside it."""
        from notebook_flows.store.migrating import Upgrade, upgrade_file

        version = self.version()
        if version is None:
            return None
        if version == schema.VERSION:
            return Upgrade(was=version, now=version)
        if not is_writable(self.path):
            raise read_only(self.path)
        try:
            return upgrade_file(self.path)
        except Exception as error:  # SQLAlchemy has wrapped what SQLite said
            raise self.told(getattr(error, "orig", None) or error) from error

    def may_write(self) -> bool:
        """Whether the file and its folder may be written."""
        return is_writable(self.path)

    def check_before_begin(self) -> None:
        """Refuse a full disk: the reserve has to be there."""
        if make_reserve(self.path):
            return
        if is_special(reserve_of(self.path)):
            raise StoreUnavailable(
                f"{reserve_of(self.path)} is not a regular file, and in the way of one that is needed there: "
                "move it aside and start the run again."
            )
        raise StoreUnavailable(
            f"The disk with the history {self.path} is full: free some space and start the run again."
        )

    def own(self, connection: sqlite3.Connection, run_id: str) -> None:
        """The lock beside the history says it already."""

    def disown(self, run_id: str) -> None:
        """The lock beside the history says it already."""

    def may_take(self, owner: Owner, *, has_lock_file: bool) -> bool:
        """Whether a free lock proves that the owner is gone.

        Locks reach as far as one kernel: on a network file system, the word of another machine's process stands. Where
        somebody has removed the lock's file, the process itself is looked for.
        """
        me = this_process()
        if owner.boot_id != me.boot_id and owner.host != me.host and network_filesystem(self.path) is not None:
            return False
        return has_lock_file or not is_alive(owner)

    def take(self, connection: sqlite3.Connection, run_id: str, owner: Owner, *, is_proved: bool) -> bool:
        """Yes: whoever asks holds the lock beside the history."""
        return True


def is_final(reason: StoreError) -> bool:
    """Whether waiting cannot help."""
    return isinstance(reason, (StoreCorrupt, StoreVersionError))
