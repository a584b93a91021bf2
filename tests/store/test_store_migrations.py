"""Histories of every version are read and brought up; newer ones are left alone; nobody is left with half of it."""

from __future__ import annotations

import gzip
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy
from store_bench import info
from write_golden_stores import DEAD, ENDED, FOLDER, PAUSED

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StoreCorrupt, StoreUnavailable, StoreVersionError
from notebook_flows.store import migrating, schema
from notebook_flows.store.locks import lock_of_run
from notebook_flows.store.postgres import PostgresEventLog
from notebook_flows.store.sqlite import SqliteEventLog
from notebook_flows.store.tables import METADATA, PRESENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store_server import Server

FILES = sorted(FOLDER.glob("version-*.sqlite.gz"))
DUMPS = sorted(FOLDER.glob("version-*.postgres.sql"))


def unpacked(packed: Path, folder: Path) -> Path:
    path = folder / "data" / "history.sqlite"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


@pytest.fixture
def golden_file(tmp_path: Path) -> Path:
    return unpacked(FILES[0], tmp_path)


@pytest.fixture
def golden_url(server: Server) -> Iterator[str]:
    """The oldest history, on a server."""
    yield restored(DUMPS[0], server)
    server.execute("DROP SCHEMA golden CASCADE")


def restored(dump: Path, server: Server) -> str:
    server.execute("DROP SCHEMA IF EXISTS golden CASCADE")
    server.execute(dump.read_text(encoding="utf-8"))
    return server.url(schema="golden")


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> int:
    """This notebook_flows is one version ahead: runs have a note, and levels of log lines may be missing."""

    def step(operations: Any) -> None:
        operations.add_column("run", sqlalchemy.Column("note", sqlalchemy.String, nullable=False, server_default=""))
        with operations.batch_alter_table("log") as table:
            table.alter_column("level", nullable=True, existing_type=sqlalchemy.Integer)

    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setitem(migrating.STEPS, schema.VERSION, step)
    return schema.VERSION


def says_what_it_said(log: Any) -> None:
    """The history holds what `write_golden_stores.fill` has told."""
    ended = log.run(ENDED)
    assert (ended.state, ended.message, ended.parameters) == (S.FAILED, "report failed", {"year": 2024})
    assert ended.counts == {S.SUCCESS: 2, S.FAILED: 1}
    assert [(row.slug, row.attempt, row.state, row.result) for row in log.task_runs(ENDED)] == [
        ("load", 1, S.SUCCESS, None),
        ("clean", 1, S.RETRYING, None),
        ("clean", 2, S.SUCCESS, {"key": "r1"}),
        ("report", 1, S.FAILED, None),
    ]
    assert [row.message for row in log.log_lines(ENDED)] == ["reading", "é ␀ 𝄞"]
    assert log.run(PAUSED).state is S.PAUSED
    assert [event.seq for event in log.read(ENDED)] == list(range(1, 10))
    assert log.check() == []


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
def test_a_file_of_each_version_is_read_and_written(packed: Path, tmp_path: Path) -> None:
    log = SqliteEventLog(unpacked(packed, tmp_path))

    says_what_it_said(log)
    run_log = log.begin(info())
    run_log.close()

    assert log.run(DEAD).state is S.CRASHED
    log.close()


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.name)
def test_a_history_on_a_server_of_each_version_is_read_and_written(dump: Path, tmp_path: Path, server: Server) -> None:
    log = PostgresEventLog(restored(dump, server), tmp_path)
    log.place.silence_s = 0

    log.place.upgrade()
    says_what_it_said(log)
    run_log = log.begin(info())
    run_log.close()

    assert log.run(DEAD).state is S.CRASHED
    log.close()


def test_this_version_has_its_golden_histories() -> None:
    versions = [f"version-{number}" for number in range(1, schema.VERSION + 1)]

    assert [path.name.partition(".")[0] for path in FILES] == versions
    assert [path.name.partition(".")[0] for path in DUMPS] == versions
    assert sorted(migrating.STEPS) == list(range(2, schema.VERSION + 1))


@pytest.mark.parametrize("act", ["read", "write"])
def test_an_older_file_is_brought_up_at_its_first_use_and_a_copy_is_kept(
    golden_file: Path, next_version: int, act: str
) -> None:
    log = SqliteEventLog(golden_file)

    if act == "read":
        log.runs()
    else:
        log.begin(info()).close()

    says_what_it_said(log)
    log.close()
    with sqlite3.connect(golden_file) as now, sqlite3.connect(f"{golden_file}.version-{next_version - 1}") as before:
        assert now.execute("SELECT note FROM run WHERE run_id = ?", (ENDED,)).fetchone() == ("",)
        assert now.execute("PRAGMA user_version").fetchone() == (next_version,)
        assert before.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert "note" not in {row[1] for row in before.execute("PRAGMA table_info(run)")}
    for connection in (now, before):
        connection.close()


def test_an_older_history_on_a_server_waits_for_the_command(golden_url: str, next_version: int, tmp_path: Path) -> None:
    log = PostgresEventLog(golden_url, tmp_path)
    with pytest.raises(StoreVersionError, match=r"older notebook_flows .*notebook-flows store upgrade"):
        log.runs()

    done = log.place.upgrade()
    again = log.place.upgrade()

    assert (done, again) == (
        migrating.Upgrade(was=next_version - 1, now=next_version),
        migrating.Upgrade(was=next_version, now=next_version),
    )
    says_what_it_said(log)
    log.close()


def test_a_run_of_the_older_version_that_is_under_way_is_waited_for(golden_file: Path, next_version: int) -> None:
    lock = lock_of_run(golden_file, DEAD)
    lock.acquire()

    with pytest.raises(StoreVersionError, match="run dddddddd of an older notebook_flows is under way"):
        SqliteEventLog(golden_file).runs()

    lock.release()
    assert SqliteEventLog(golden_file).place.version() == next_version - 1
    assert list(golden_file.parent.glob("*.version-*")) == []


def test_processes_of_the_older_version_on_a_server_are_waited_for(
    golden_url: str, next_version: int, tmp_path: Path
) -> None:
    log = PostgresEventLog(golden_url, tmp_path)
    with psycopg.connect(golden_url.partition("?")[0]) as connection:
        connection.execute("UPDATE golden.presence SET seen_us = extract(epoch FROM clock_timestamp()) * 1000000")

    with pytest.raises(StoreVersionError, match="1 processes with an older notebook_flows have written"):
        log.place.upgrade()

    assert log.place.version() == next_version - 1
    log.close()


@pytest.mark.parametrize("kind", ["file", "server"])
def test_a_step_that_fails_leaves_everything_as_it_was(
    kind: str,
    next_version: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    def fail(operations: Any) -> None:
        operations.add_column("run", sqlalchemy.Column("note", sqlalchemy.String))
        operations.execute("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setitem(migrating.STEPS, next_version, fail)
    log: Any = (
        SqliteEventLog(request.getfixturevalue("golden_file"))
        if kind == "file"
        else PostgresEventLog(request.getfixturevalue("golden_url"), tmp_path)
    )

    with pytest.raises((StoreUnavailable, StoreCorrupt), match="nowhere"):
        log.place.upgrade()

    monkeypatch.setattr(schema, "VERSION", next_version - 1)
    says_what_it_said(log)
    log.close()


@pytest.mark.parametrize("point", ["store.upgrade.copied", "store.upgrade.before"])
def test_a_kill_in_the_middle_leaves_the_old_history_and_the_next_try_works(
    golden_file: Path, next_version: int, point: str
) -> None:
    code = (
        "import sys, sqlalchemy\n"
        "from notebook_flows.store import migrating, schema\n"
        "from notebook_flows.store.sqlite import SqliteEventLog\n"
        f"schema.VERSION = {next_version}\n"
        "step = lambda operations: operations.add_column('run', sqlalchemy.Column('note', sqlalchemy.String))\n"
        f"migrating.STEPS[{next_version}] = step\n"
        "SqliteEventLog(sys.argv[1]).runs()\n"
    )
    command = [sys.executable, "-c", code, str(golden_file)]

    killed = subprocess.run(command, env={"NOTEBOOK_FLOWS_CRASH_AT": point}, check=False)
    version = SqliteEventLog(golden_file).place.version()
    done = subprocess.run(command, env={}, check=False)

    assert (killed.returncode, version, done.returncode) == (-9, next_version - 1, 0)
    assert SqliteEventLog(golden_file).place.version() == next_version


def test_two_upgraders_at_once_upgrade_once(
    golden_file: Path, next_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    honest = migrating.STEPS[next_version]

    def step(operations: Any) -> None:
        taken.append(1)
        honest(operations)

    monkeypatch.setitem(migrating.STEPS, next_version, step)
    done: list[Any] = []
    threads = [
        threading.Thread(target=lambda: done.append(SqliteEventLog(golden_file).place.upgrade())) for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1
    assert {upgrade.now for upgrade in done} == {next_version}


def test_a_newer_file_is_left_alone(golden_file: Path) -> None:
    with sqlite3.connect(golden_file) as connection:
        connection.execute("UPDATE about SET value = '99'")
    connection.close()
    log = SqliteEventLog(golden_file)

    for act in (log.runs, lambda: log.begin(info()), log.place.upgrade):
        with pytest.raises(StoreVersionError, match=r"newer notebook_flows .history version 99, this one knows \d"):
            act()


def compared(connection: sqlalchemy.Connection, metadata: sqlalchemy.MetaData) -> list[Any]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
    return list(compare_metadata(context, metadata))


def test_the_tables_of_a_new_file_are_those_that_are_written_down(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "h.sqlite")
    log.begin(info()).close()
    log.close()
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/h.sqlite")

    with engine.connect() as connection:
        differences = [one for one in compared(connection, METADATA) if not _is_sqlites_way(one)]

    engine.dispose()
    assert differences == []


def _is_sqlites_way(difference: Any) -> bool:
    """SQLite calls every text TEXT, and does not say that a number that is the key is never null."""
    one = difference[0] if isinstance(difference, list) else difference
    if one[0] == "modify_type":
        return isinstance(one[5], sqlalchemy.Text) and isinstance(one[6], sqlalchemy.String)
    return one[0] == "modify_nullable" and one[3] in METADATA.tables[one[2]].primary_key.columns


def test_the_tables_on_a_new_server_are_those_that_are_written_down(tmp_path: Path, server: Server) -> None:
    log = PostgresEventLog(server.fresh_url(), tmp_path)
    log.begin(info()).close()
    known = sqlalchemy.MetaData()
    for table in (*METADATA.tables.values(), PRESENCE):
        table.to_metadata(known)

    with log.place._engine.connect() as connection:
        differences = compared(connection, known)

    log.close()
    assert differences == []
