"""What lies on the disk: private files, the journal that the place allows, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from store_bench import begun, info, run_is
from store_benches import SqliteBench, bench_of
from store_processes import ROOT, outcome, start

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store import connection as connections
from notebook_flows.store.locks import FileLock, is_alive, lock_of_run, process_started, this_process
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def test_all_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with bench_of(SqliteBench, tmp_path) as bench:
            begun(bench)

            found = modes(tmp_path)
    finally:
        os.umask(umask)

    folders = {"data", "data/locks"}
    assert {"data/history.db", "data/history.db-wal", "data/history.db-shm", "data/history.db.reserve"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode != (0o700 if name in folders else 0o600)} == {}


def test_spools_are_private_too(tmp_path: Path) -> None:
    path = tmp_path / "history.db"

    outcome(start("run_without_store", path, 30, NOTEBOOK_FLOWS_CRASH_AT="store.spooled"))

    assert modes(tmp_path / "spool").popitem()[1] == 0o600
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_a_run_that_ended_leaves_no_lock_behind(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        run_id, run_log = begun(bench)
        lock = bench.path.parent / "locks" / f"{run_id}.run"
        while_it_ran = lock.exists()
        run_log.append([run_is(S.SUCCESS, 5)])

        run_log.close()

    assert (while_it_ran, lock.exists()) == (True, False)


def test_a_closed_history_is_one_file(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        _, run_log = begun(bench)
        run_log.close()

    assert {path.name for path in bench.path.parent.iterdir()} == {"history.db", "history.db.reserve", "locks"}


def test_locally_it_is_wal_with_full_synchronisation_and_no_checkpoints_of_its_own(tmp_path: Path) -> None:
    connection = connections.open_for_writing(tmp_path / "history.db")

    asked = {
        pragma: connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        for pragma in ("journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout")
    }

    assert asked == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "busy_timeout": 30_000}
    connection.close()


def test_on_a_network_file_system_there_is_no_wal_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = connections.open_for_writing(tmp_path / "history.db")
    local.close()
    monkeypatch.setattr(connections, "network_filesystem", lambda _: "nfs4")

    with pytest.warns(RuntimeWarning, match=r"network file system \(nfs4\)"):
        connection = connections.open_for_writing(tmp_path / "history.db")

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_lock_is_held_by_one_even_within_a_process(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    got = first.acquire(), second.acquire()
    first.release(remove=True)

    assert got == (True, False)
    assert second.acquire()
    second.release()


def test_a_lock_is_not_inherited_by_programs(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()

    listing = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, check=True, close_fds=False)

    assert str(tmp_path) not in listing.stdout
    lock.release()


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = this_process()

    assert is_alive(me)
    assert process_started(1 << 22) is None


def test_a_live_run_whose_lock_file_was_removed_is_not_told_crashed(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        run_id, _ = begun(bench)
        (bench.path.parent / "locks" / f"{run_id}.run").unlink()

        dead = SqliteEventLog(bench.path).sweep()

    assert dead == []


def test_another_machines_run_is_not_judged_across_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        run_id, run_log = begun(bench)
        bench.lose_owner(run_log)
        bench.log._writer.call(
            lambda connection: connection.execute("UPDATE run SET owner_host = 'far', owner_boot_id = 'away'")
        )
        kind = ["nfs4"]
        monkeypatch.setattr("notebook_flows.store.place.network_filesystem", lambda _: kind[0])

        on_nfs = bench.log.sweep()
        kind[0] = None
        on_this_disk = bench.log.sweep()

    assert (on_nfs, on_this_disk) == ([], [run_id])


def test_a_forked_child_reads_and_cannot_write_for_its_parent(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        run_id, run_log = begun(bench)
        bench.log.run(run_id)

        child = os.fork()
        if child == 0:  # no assertion in here: it would not be heard
            code = 0
            try:
                code += len(bench.log.read(run_id)) != 4
                code += 2 * bench.log.run(run_id).state
                run_log.append([run_is(S.FAILED, 5)])
            except Exception as error:
                code += 100 * ("forked from" in str(error))
            os._exit(code)
        _, status = os.waitpid(child, 0)
        run_log.append([run_is(S.SUCCESS, 5)])
        run_log.close()

        assert os.waitstatus_to_exitcode(status) == 100 + 2 * S.RUNNING
        assert bench.log.run(run_id).state is S.SUCCESS


def test_the_import_is_light() -> None:
    heavy = ["sqlalchemy", "alembic", "psutil", "asyncio", "tempfile", "shutil", "subprocess", "socket", "filelock"]

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, notebook_flows.store.sqlite, notebook_flows.store.memory; print([n for n in {heavy!r} if n in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.strip() == "[]"


def test_a_closed_history_opens_again_for_a_run_that_goes_on(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        run_id, run_log = begun(bench)

        for seq in range(5, 25):
            bench.log.close()
            run_log.append([run_is(S.RUNNING, seq)])
            run_log.flush()

        assert len(bench.seen_by_others(run_id)) == 24


def test_two_logs_of_one_history_share_a_writer(tmp_path: Path) -> None:
    with bench_of(SqliteBench, tmp_path) as bench:
        one = bench.log.begin(info())
        (tmp_path / "link").symlink_to(bench.path.parent)
        other = SqliteEventLog(tmp_path / "link" / "history.db").begin(info())

        assert one._writer is other._writer
        other.close()


@pytest.mark.parametrize("beside", ["", "-wal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_left_alone(tmp_path: Path, make: Callable[[Path], None], beside: str) -> None:
    special = tmp_path / f"history.db{beside}"
    make(special)
    log = SqliteEventLog(tmp_path / "history.db")

    for act in (lambda: log.begin(info()), log.runs, log.sweep, log.prune):
        with pytest.raises(StoreUnavailable, match="is not a regular file"):
            act()

    assert [path.name for path in tmp_path.iterdir()] == [special.name]
    assert not special.is_file()


def test_something_else_in_the_reserves_place_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "history.db.reserve").mkdir()

    with pytest.raises(StoreUnavailable, match=r"reserve is not a regular file"):
        SqliteEventLog(tmp_path / "history.db").begin(info())


def test_a_path_that_is_too_long_is_told_in_a_sentence(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / ("x" * 300))

    for act in (lambda: log.begin(info()), log.runs, log.sweep):
        with pytest.raises(StoreUnavailable, match="File name too long"):
            act()


def test_a_lock_stays_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no id of a run"):
        lock_of_run(tmp_path / "history.db", "../../victim/keep")


@pytest.mark.parametrize("has_failed", [False, True])
def test_only_the_beginning_of_a_run_does_not_wait_for_the_disk(tmp_path: Path, has_failed: bool) -> None:
    def synchronous(connection: Any) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    def refuse(connection: Any) -> None:
        raise StoreError("no")

    with bench_of(SqliteBench, tmp_path) as bench:
        begun(bench)
        writer = bench.log._writer

        during = writer.call(synchronous, is_durable=False)
        if has_failed:
            with pytest.raises(StoreError, match="no"):
                writer.call(refuse, is_durable=False)
        after = writer.call(synchronous)

    assert (during, after) == (1, 2)


def test_a_history_in_a_file_loads_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from notebook_flows import Flow, task\n"
        "@task\n"
        "def one():\n"
        "    return 1\n"
        "with Flow('f') as flow:\n"
        "    one()\n"
        "assert flow.run().is_successful()\n"
        "from notebook_flows.workspace import event_log\n"
        "assert len(event_log().runs()) == 1\n"
        "heavy = {'sqlalchemy', 'alembic', 'psycopg', 'notebook_flows.store.tables'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NOTEBOOK_FLOWS_STORE": str(tmp_path / "h.sqlite")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
