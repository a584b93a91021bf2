"""Files that are no sound history: each is told apart, none is ever overwritten."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from store_bench import begun, info, run_is
from store_benches import SqliteBench, bench_of
from store_processes import outcome, start

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StoreCorrupt, StoreVersionError
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A history with one ended run, closed."""
    with bench_of(SqliteBench, tmp_path) as bench:
        _, run_log = begun(bench)
        run_log.append([run_is(S.SUCCESS, 5)])
        run_log.close()
    return bench.path


def killed(tmp_path: Path) -> Path:
    """A history whose last events are in the WAL only."""
    path = tmp_path / "history.db"
    outcome(start("run", path, 300, NOTEBOOK_FLOWS_CRASH_AT="store.commit.after:60"))
    assert path.with_name("history.db-wal").stat().st_size > 0
    return path


def refuses_everything(path: Path, kind: type[Exception], words: str) -> None:
    before = path.read_bytes() if path.exists() else None
    had_wal = path.with_name(path.name + "-wal").exists()  # SQLite itself moves its pages where they belong
    log = SqliteEventLog(path)
    for act in (
        log.runs,
        log.sweep,
        lambda: log.run("ab"),
        lambda: log.begin(info()),
        lambda: log.request("ab", "cancel"),
    ):
        if act == log.sweep and before is None:
            continue
        with pytest.raises(kind, match=words):
            act()
    log.close()
    assert path.exists() == (before is not None)
    assert had_wal or path.read_bytes() == before


def test_a_zeroed_header_is_damage(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])

    refuses_everything(path, StoreCorrupt, "damaged or no history.*move it and its -wal file aside")


def test_a_text_file_is_no_history(path: Path) -> None:
    path.write_text("dear diary, " * 1000, encoding="ascii")

    refuses_everything(path, StoreCorrupt, "damaged or no history")


def test_another_programs_database_is_no_history(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE run (run_id)")
    other.close()

    refuses_everything(path, StoreCorrupt, "is no history of notebook_flows, or was emptied")


def test_a_zeroed_history_is_not_taken_for_a_fresh_one(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))

    refuses_everything(path, StoreCorrupt, "move it and its -wal file aside")


def test_a_zeroed_history_with_a_wal_is_not_taken_for_a_fresh_one(tmp_path: Path) -> None:
    path = killed(tmp_path)
    path.write_bytes(bytes(path.stat().st_size))

    refuses_everything(path, StoreCorrupt, "aside")


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "empty"])
def test_a_missing_history_with_a_wal_is_not_taken_for_a_fresh_one(is_gone: bool, tmp_path: Path) -> None:
    path = killed(tmp_path)
    if is_gone:
        path.unlink()
    else:
        path.write_bytes(b"")

    refuses_everything(path, StoreCorrupt, "its history.db-wal is still there: move both aside")


def test_a_newer_history_is_refused_with_both_versions(path: Path) -> None:
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE about SET value = '7' WHERE key = 'schema_version'")
    newer.close()

    refuses_everything(path, StoreVersionError, r"history version 7, this one knows 1.*pip install -U")


def test_a_damaged_page_is_told_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    outcome(start("run", path, 2000, 500))
    content = bytearray(path.read_bytes())
    for page in range(12, len(content) // 4096 - 1):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)

    problems = SqliteEventLog(path).check()

    assert problems
    assert "damaged" in problems[0]


@pytest.mark.parametrize("body", ["[1,2", "{}", '[1,0,"x"]', b"\xff\x00", "[1,0,999]"])
def test_an_event_that_is_none_is_told_by_whoever_reads_it_and_by_the_check(body: str | bytes, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE event SET body = ? WHERE seq = 2", [body])
    other.close()
    log = SqliteEventLog(path)
    (row,) = log.runs()

    (problem,) = log.check()
    with pytest.raises(StoreCorrupt, match=r"event 2 of the run cannot be read.*store check"):
        log.read(row.run_id)

    assert f"Run {row.run_id} is damaged: event 2" in problem
    log.close()


@pytest.mark.parametrize("column", ["parameters", "environment"])
def test_a_row_of_a_run_that_says_nonsense_is_damage(column: str, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE run SET {column} = 'nonsense'")
    other.close()
    log = SqliteEventLog(path)

    with pytest.raises(StoreCorrupt, match="the row of run .* cannot be read"):
        log.runs()

    log.close()


def test_a_text_that_is_none_is_damage_and_is_not_repeated(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE event SET body = CAST(x'ff' || body AS TEXT)")
    other.close()
    log = SqliteEventLog(path)
    (row,) = log.runs()

    with pytest.raises(StoreCorrupt, match="a text in it is not UTF-8") as told:
        log.read(row.run_id)

    assert len(str(told.value)) < 400
    log.close()


def test_a_truncated_wal_loses_its_end_and_nothing_else(tmp_path: Path) -> None:
    path = killed(tmp_path)
    wal = path.with_name("history.db-wal")
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size * 2 // 3 + 100])

    log = SqliteEventLog(path)
    (row,) = log.runs()

    assert row.state is S.CRASHED
    assert row.counts[S.SUCCESS] > 0
    assert log.check() == []
    log.close()


def test_an_empty_file_is_a_fresh_history(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.touch()
    log = SqliteEventLog(path)

    run_log = log.begin(info())

    assert len(log.runs()) == 1
    run_log.close()
    log.close()


def test_reading_makes_no_history(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "data" / "history.db")

    answers = log.runs(), log.sweep(), log.check(), log.prune(keep_runs=0)

    assert answers == ([], [], [], [])
    assert list(tmp_path.iterdir()) == []


def test_projections_that_contradict_the_events_are_told_and_rebuilt(path: Path) -> None:
    with sqlite3.connect(path) as meddler:
        meddler.execute("UPDATE task_run SET state = 20 WHERE node = 0")
    meddler.close()
    log = SqliteEventLog(path)
    (row,) = log.runs()

    problems = log.check()
    log.rebuild_projections(row.run_id)

    assert len(problems) == 1
    assert "rebuild_projections" in problems[0]
    assert log.check() == []
    assert log.task_runs(row.run_id)[0].state is S.SUCCESS
    log.close()


def test_missing_events_are_told(path: Path) -> None:
    with sqlite3.connect(path) as meddler:
        meddler.execute("DELETE FROM event WHERE seq = 3")
    meddler.close()

    (problem,) = SqliteEventLog(path).check()

    assert "says that it has 5 events, and has 4" in problem
