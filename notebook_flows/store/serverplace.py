"""A schema in a PostgreSQL database, as a place for a history.

Who lives is told by three things. On one machine, by the lock beside the history in the user's data folder, as for a
file. From other machines by a lock in the server that the writer's session holds, and, because a server that starts
anew has forgotten all locks, by `presence`: every process with open runs writes the server's time there. A run may be
taken over from afar only if its lock is free and its process has been silent for longer than it would try to write.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from notebook_flows.engine.crash import crash_point
from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store import schema
from notebook_flows.store.locks import this_process
from notebook_flows.store.outage import PATIENCE_S
from notebook_flows.store.patience import PatientConnection
from notebook_flows.store.phrases import PostgresConnection
from notebook_flows.store.servererrors import LOCK_TIMEOUT_S, as_server_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection as SqlConnection

    from notebook_flows.store.migrating import Upgrade
    from notebook_flows.store.rows import Owner
    from notebook_flows.store.serverurl import Address

BEAT_S = 10.0
SILENCE_S = PATIENCE_S + 3 * BEAT_S
"""After so long without a word a process has given its runs up, even if it lives and only the way to the server is cut."""

_NOW_US = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEAT = f"""
INSERT INTO presence (owner, seen_us) VALUES (?, {_NOW_US})
ON CONFLICT (owner) DO UPDATE SET seen_us = excluded.seen_us
"""  # noqa: S608 - no values
_FORGET = f"DELETE FROM presence WHERE seen_us < {_NOW_US} - 30 * 86400 * 1000000::bigint"  # noqa: S608 - no values
_HEARD = f"""
SELECT coalesce((SELECT seen_us FROM presence WHERE owner = ?), 0),
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, {_NOW_US}
"""  # noqa: S608 - no values
_MAKING = 0x4E42464C


class PostgresPlace:
    """A schema in a database.

    Args:
        address: where.
        home: a folder of this user on this machine, where locks and spools are kept.
    """

    errors: tuple[type[Exception], ...] = (SQLAlchemyError, psycopg.Error, OSError)
    look_every_s: float | None = BEAT_S
    asks_server: bool = True

    def __init__(self, address: Address, home: Path) -> None:
        self.name = address.name
        self.schema = address.schema
        self.silence_s = SILENCE_S
        mark = blake2b(f"{address.name}\n{address.schema}".encode(), digest_size=6).hexdigest()
        self.path = home / mark / "history"
        self._guard = threading.Lock()
        self._wanted: set[str] = set()
        self._held: set[str] = set()
        self._beaten_s: float | None = None
        self._engine = create_engine(
            address.url,
            pool_size=2,
            max_overflow=20,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 10,
                "application_name": "notebook_flows",
                "prepare_threshold": None,  # a pooler in between may hand every transaction to another session
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,
                **{key: value for key, value in address.url.query.items() if key in _OURS},
            },
        )
        event.listen(self._engine, "do_connect", _patient)
        event.listen(self._engine, "connect", _preparing(self.schema))
        weakref.finalize(self, self._engine.dispose)  # at the end of the process at the latest
        _places.add(self)

    @property
    def key(self) -> str:
        """The same for two names of one place."""
        return str(self.path)

    # Connections

    def connect(self) -> PostgresConnection:
        """A session of its own for the writer; the history is made if it is not there."""
        try:
            inner = self._engine.connect()
            raw: Any = inner.connection.driver_connection
            raw.read_only = None  # as the server has it, not as a reader has left it
            inner.detach()  # closing it ends the session, and lets its locks go
        except self.errors as error:
            raise self.told(error) from error
        connection = PostgresConnection(inner, raw)
        try:
            with connection.begin():
                is_made = _is_made(inner)
            if not is_made:
                self._make(inner)
            with connection.begin():
                schema.verify_version(connection, self.name)
            with self._guard:
                self._held = set()
                self._beaten_s = None
            self.tidy(connection, is_idle=False)
        except BaseException as error:
            connection.close()
            if isinstance(error, self.errors):
                raise self.told(error) from error
            raise
        return connection

    def _make(self, inner: SqlConnection) -> None:
        """Make the tables, all at once; who comes second waits, and finds them."""
        from notebook_flows.store.tables import ABOUT, METADATA, PRESENCE

        with inner.begin():
            inner.exec_driver_sql("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _MAKING})
            (encoding,) = inner.exec_driver_sql("SHOW server_encoding").one()
            if encoding != "UTF8":
                raise StoreUnavailable(f"The database of {self.name} holds {encoding}: a history needs one with UTF8.")
            known = {"name": self.schema}
            if inner.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = %(name)s", known).first() is None:
                inner.exec_driver_sql(f'CREATE SCHEMA "{self.schema}"')
            if inner.exec_driver_sql("SELECT to_regclass('about')").scalar() is None:
                METADATA.create_all(inner, checkfirst=False)
                PRESENCE.create(inner, checkfirst=False)
                inner.execute(ABOUT.insert().values(key="schema_version", value=str(schema.VERSION)))
            crash_point("store.made")

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection | None]:
        """A connection that sees one moment of the history, and cannot write; None while there is no history.

        Raises:
            StoreError: it cannot be read, or is too new or too old.
        """
        try:
            with self._engine.connect() as inner:
                inner.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                if not _is_made(inner):
                    yield None
                    return
                connection = PostgresConnection(inner)
                schema.verify_version(connection, self.name)
                yield connection
        except self.errors as error:
            raise self.told(error, doing="read") from error

    def close(self) -> None:
        """Close the connections that wait for readers."""
        self._engine.dispose()

    def is_current(self) -> bool:
        """A session says by itself that it has ended."""
        return True

    @contextmanager
    def transaction(self, connection: PostgresConnection, *, is_durable: bool = True) -> Iterator[PostgresConnection]:
        """A transaction."""
        with connection.begin():
            if not is_durable:
                connection.execute("SET LOCAL synchronous_commit TO off")
            schema.verify_version(connection, self.name)  # another process may have upgraded it under our feet
            yield connection
            crash_point("store.commit.before")
        crash_point("store.commit.after")

    # Errors

    def told(self, error: BaseException, *, doing: str = "written") -> StoreError:
        """One sentence of what is wrong and what to do."""
        return as_server_error(error, self.name, doing=doing)

    def judged(self, error: Exception) -> StoreError:
        """The same: a server does not say "damaged" lightly."""
        return self.told(error)

    def make_room(self, error: Exception) -> bool:
        """The disk is the server's: nothing can be given up."""
        return False

    def has_room(self) -> bool:
        """Nothing was given up."""
        return True

    # Who lives

    def tidy(self, connection: PostgresConnection, *, is_idle: bool) -> None:
        """Hold the locks of this process's open runs, and say that it lives."""
        with self._guard:
            wanted = set(self._wanted)
        new, gone = wanted - self._held, self._held - wanted
        now_s = time.monotonic()
        is_due = bool(wanted) and (self._beaten_s is None or now_s - self._beaten_s >= BEAT_S * 0.9)
        if not new and not gone and not is_due:
            return
        with connection.begin():
            for run_id in gone:
                connection.execute("SELECT pg_advisory_unlock(?)", (self._lock_key(run_id),))
            for run_id in new:  # who holds one meanwhile has taken the run over: the next write is refused
                connection.execute("SELECT pg_try_advisory_lock(?)", (self._lock_key(run_id),))
            if is_due:
                connection.execute(_BEAT, (_key_of(this_process()),))
        self._held = wanted
        self._beaten_s = now_s if is_due else self._beaten_s

    def own(self, connection: PostgresConnection, run_id: str) -> None:
        """Take the lock of a new run, and say that this process lives."""
        if not connection.execute("SELECT pg_try_advisory_lock(?)", (self._lock_key(run_id),)).scalar():
            raise StoreError(f"Run {run_id} is under way already.")
        with self._guard:
            self._wanted.add(run_id)
            self._held.add(run_id)
        connection.execute(_BEAT, (_key_of(this_process()),))
        connection.execute(_FORGET)

    def disown(self, run_id: str) -> None:
        """Let the lock of a run go, soon."""
        with self._guard:
            self._wanted.discard(run_id)

    def may_take(self, owner: Owner, *, has_lock_file: bool) -> bool:
        """Whether the lock beside the history says all: it does where the owner has made it, on this very machine."""
        me = this_process()
        return has_lock_file and owner.host == me.host and owner.boot_id == me.boot_id

    def take(self, connection: PostgresConnection, run_id: str, owner: Owner, *, is_proved: bool) -> bool:
        """Whether a run of another machine may be taken over: it is silent, and its session has ended."""
        if is_proved:
            return True
        seen_us, started_us, now_us = connection.execute(_HEARD, (_key_of(owner),)).one()
        if now_us - max(seen_us, started_us) < self.silence_s * 1e6:
            return False
        return bool(connection.execute("SELECT pg_try_advisory_xact_lock(?)", (self._lock_key(run_id),)).scalar())

    def _lock_key(self, run_id: str) -> int:
        digest = blake2b(f"notebook_flows {self.schema} {run_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    # Whether there is something

    def is_begun(self) -> bool:
        """Whether the tables are there."""
        with self.reading() as connection:
            return connection is not None

    def version(self) -> int | None:
        """The version that the tables say they have."""
        try:
            with self._engine.connect() as inner:
                return schema.version_of(PostgresConnection(inner)) if _is_made(inner) else None
        except self.errors as error:
            raise self.told(error, doing="read") from error

    def upgrade(self) -> Upgrade | None:
        """Bring the tables up, in one transaction."""
        from notebook_flows.store.migrating import upgrade_schema

        if self.version() is None:
            return None
        try:
            with self._engine.connect() as inner, inner.begin():
                return upgrade_schema(inner, self.name, _MAKING)
        except self.errors as error:
            raise self.told(error) from error

    def may_write(self) -> bool:
        """The server will say."""
        return True

    def check_before_begin(self) -> None:
        """The server will say."""

    def _forget_in_child(self) -> None:
        """After a fork: the connections are the parent's, and are not closed here."""
        self._engine.dispose(close=False)
        self._guard = threading.Lock()
        self._wanted, self._held, self._beaten_s = set(), set(), None


_OURS = ("connect_timeout", "application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
         "tcp_user_timeout")  # fmt: skip
_places: weakref.WeakSet[PostgresPlace] = weakref.WeakSet()


def _patient(dialect: object, record: object, positional: Any, named: Any) -> PatientConnection:
    """The sessions of the engine are ours: psycopg's own would wait for ever for a server that hangs."""
    return PatientConnection.connect(*positional, **named)


def _preparing(schema_name: str) -> Callable[[Any, Any], None]:
    """What is said at the beginning of each session."""

    def prepare(raw: Any, _: object) -> None:
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute(f'SET search_path TO "{schema_name}"')
            cursor.execute(f"SET lock_timeout TO '{LOCK_TIMEOUT_S}s'")
            cursor.execute("SET tcp_keepalives_idle TO 30")  # a machine that is cut off lets its locks go in a minute
            cursor.execute("SET tcp_keepalives_interval TO 10")
            cursor.execute("SET tcp_keepalives_count TO 3")
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] in {"off", "local"}:
                cursor.execute("SET synchronous_commit TO on")
        raw.autocommit = False

    return prepare


def _key_of(owner: Owner) -> str:
    return f"{owner.host} {owner.boot_id} {owner.pid} {owner.process_started}"


def _is_made(inner: SqlConnection) -> bool:
    return inner.exec_driver_sql("SELECT to_regclass('about')").scalar() is not None


def _forget_all_in_child() -> None:
    for place in tuple(_places):
        place._forget_in_child()


os.register_at_fork(after_in_child=_forget_all_in_child)
