"""The tables of a history as SQLAlchemy Core knows them: what PostgreSQL gets, and what migrations start from.

`schema.TABLES` says the same for SQLite, where nothing but the standard library is loaded; a test holds the two equal.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, MetaData, SmallInteger, String, Table, text

_ID = String().with_variant(String(collation="C"), "postgresql")
"""Compared byte by byte, whatever the database's language: prefixes are looked for by order."""

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

METADATA = MetaData()


def _table(name: str, *columns: Column[Any] | Index, **more: Any) -> Table:
    made: Table = Table(name, METADATA, *columns, **more)
    return made


def _us(name: str) -> Column[Any]:
    """A moment: microseconds since 1970, UTC; null: not yet."""
    return Column(name, _NUMBER)


def _text(name: str, *, default: str | None = None) -> Column[Any]:
    return Column(name, String, nullable=False, server_default=default)


def _integer(name: str, *, key: bool = False, default: str | None = None) -> Column[Any]:
    return Column(
        name, _NUMBER, primary_key=key, nullable=False, server_default=None if default is None else text(default)
    )


ABOUT = _table("about", Column("key", String, primary_key=True), _text("value"), sqlite_with_rowid=False)

RUN = _table(
    "run",
    Column("run_no", _NUMBER, Identity(), primary_key=True),
    Column("run_id", _ID, nullable=False, unique=True),
    _text("flow"),
    _text("name"),
    Column("parent_run_id", String),
    Column("state", SmallInteger().with_variant(Integer, "sqlite"), nullable=False),
    _text("message", default=""),
    Column("created_us", _NUMBER, nullable=False),
    _us("started_us"),
    _us("ended_us"),
    _us("scheduled_us"),
    _text("executor"),
    _integer("last_seq", default="0"),
    _integer("task_count"),
    Column("counts", String),
    _integer("owner_epoch", default="1"),
    _text("owner_host"),
    _text("owner_boot_id"),
    _integer("owner_pid"),
    _integer("owner_started"),
    _text("parameters"),
    _text("environment"),
    Index("run_by_time", "created_us"),
    Index("run_by_flow", "flow", "created_us"),
    Index(
        "run_open",
        "run_no",
        postgresql_where=text("ended_us IS NULL"),
        sqlite_where=text("ended_us IS NULL"),
    ),
    sqlite_autoincrement=True,
)

SLUGS = _table("slugs", Column("run_no", _NUMBER, primary_key=True, autoincrement=False), _text("slugs"))

EVENT = _table("event", _integer("run_no", key=True), _integer("seq", key=True), _text("body"), sqlite_with_rowid=False)

TASK_RUN = _table(
    "task_run",
    _integer("run_no", key=True),
    _integer("node", key=True),
    _integer("map_index", key=True),
    _integer("loop", key=True),
    _integer("attempt", key=True),
    Column("state", SmallInteger().with_variant(Integer, "sqlite"), nullable=False),
    _integer("seq"),
    _us("started_us"),
    _us("ended_us"),
    Column("message", String),
    Column("result", String),
    sqlite_with_rowid=False,
)

LOG = _table(
    "log",
    _integer("run_no", key=True),
    _integer("number", key=True),
    Column("at_us", _NUMBER, nullable=False),
    _integer("level"),
    _text("logger"),
    _text("message"),
    _integer("node"),
    _integer("map_index"),
    _integer("attempt"),
    sqlite_with_rowid=False,
)

REQUEST = _table(
    "request",
    Column("number", _NUMBER, Identity(), primary_key=True),
    _integer("run_no"),
    Column("at_us", _NUMBER, nullable=False),
    _text("verb"),
    _text("payload"),
    Index("request_by_run", "run_no", "number"),
    sqlite_autoincrement=True,
)

LEAVING = _table("leaving", Column("run_no", _NUMBER, primary_key=True, autoincrement=False))

PRESENCE = Table(
    "presence",
    MetaData(),  # of its own: a file has none, for there the locks beside it tell who lives
    Column("owner", String, primary_key=True),
    Column("seen_us", BigInteger, nullable=False),
)
"""Which processes have written lately, by the server's clock."""
