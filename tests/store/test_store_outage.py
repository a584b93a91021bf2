"""While the history cannot be written: nothing new starts, outcomes wait in a spool, and after a minute we say so."""

from __future__ import annotations

import json
import sqlite3
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from store_bench import BEGUN, begun, info, line, run_is, task_is
from store_benches import SqliteBench, bench_of

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.ports import KeptContent
from notebook_flows.errors import StaleOwnerError, StoreCorrupt, StoreError, StoreUnavailable
from notebook_flows.store import checkpoint, place, runlog
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SqliteBench]:
    with bench_of(SqliteBench, tmp_path) as bench:
        yield bench


class Faults:
    """Makes every commit fail while it is on, and looks around during each rest."""

    def __init__(self, bench: SqliteBench, patch: pytest.MonkeyPatch) -> None:
        self.code = 0
        self.on_rest: Callable[[], None] = lambda: None
        honest = runlog.write_batch

        def write_batch(*args: Any) -> None:
            if self.code:
                error = sqlite3.OperationalError("injected")
                error.sqlite_errorcode = self.code
                raise error
            honest(*args)

        def rest(seconds: float) -> None:
            bench.clock.turn(seconds)
            self.on_rest()

        patch.setattr(runlog, "write_batch", write_batch)
        patch.setattr(bench.log, "_rest", rest)


@pytest.fixture
def faults(bench: SqliteBench, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(bench, monkeypatch)


def test_a_passing_outage_starts_nothing_and_loses_nothing(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    seen: list[tuple[bool, list[str]]] = []

    def look() -> None:
        spool = next((bench.path.parent / "spool").glob("*.jsonl"))
        seen.append((run_log.may_start(), spool.read_text(encoding="ascii").splitlines()[1:]))
        if len(seen) == 3:
            faults.code = 0

    faults.on_rest = look
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.flush()

    assert seen == [(False, ["[5,[50,1,10]]"])] * 3
    assert run_log.may_start()
    assert bench.seen_by_others(run_id)[-1] == task_is(S.SUCCESS, 5, 1)
    assert list((bench.path.parent / "spool").iterdir()) == []


def test_outcomes_that_arrive_during_an_outage_are_spooled_too(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    spooled: list[str] = []

    def look() -> None:
        spool = next((bench.path.parent / "spool").glob("*.jsonl"))
        spooled[:] = spool.read_text(encoding="ascii").splitlines()[1:]
        if len(spooled) == 2:
            faults.code = 0
        elif run_log._next_seq == 6:
            run_log.append([task_is(S.SUCCESS, 6, 2)])

    faults.on_rest = look
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.flush()
    run_log.flush()  # the first was called before event 6 was told

    assert len(spooled) == 2
    assert len(bench.seen_by_others(run_id)) == 6


def test_after_a_minute_the_log_gives_up_with_one_sentence(bench: SqliteBench, faults: Faults) -> None:
    _, run_log = begun(bench)
    started_s = bench.clock.monotonic_s()
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreUnavailable) as told:
        run_log.flush()

    spool = next((bench.path.parent / "spool").glob("*.jsonl"))
    assert str(told.value) == (
        f"The history {bench.path} cannot be written: injected. "
        f"What was not yet recorded waits in {spool} and is read at the next start."
    )
    assert 60 <= bench.clock.monotonic_s() - started_s <= 65
    for refused in (lambda: run_log.append([task_is(S.SUCCESS, 6, 2)]), run_log.may_start, run_log.close):
        with pytest.raises(StoreUnavailable):
            refused()


def test_the_spool_is_read_before_anybody_is_told_crashed(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1), task_is(S.RUNNING, 6, 2), task_is(S.SUCCESS, 7, 2), run_is(S.SUCCESS, 8)])
    with pytest.raises(StoreUnavailable):
        run_log.close()
    faults.code = 0

    dead = SqliteEventLog(bench.path).sweep()

    assert dead == []
    assert bench.log.run(run_id).state is S.SUCCESS
    assert list((bench.path.parent / "spool").iterdir()) == []


def test_what_events_refer_to_is_spooled_with_them(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    names = [sha256(content).hexdigest() for content in (b"one", b"two", b"three")]
    found = {
        "run_id": run_id, "task": "clean-1", "index": -1, "took_us": 5, "created_us": 7,
        "reference": {"format": "json", "size": 3, "sha256": names[1], "in": "history"},
    }  # fmt: skip
    faults.code = sqlite3.SQLITE_IOERR
    run_log.keep([KeptContent(names[0], b"one"), KeptContent(names[1], b"two", "key", found)])
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    faults.on_rest = lambda: run_log.keep([KeptContent(names[2], b"three")])  # again and again: one copy is enough
    with pytest.raises(StoreUnavailable):
        run_log.flush()
    spool = next((bench.path.parent / "spool").glob("*.jsonl"))
    lines = spool.read_text().splitlines()
    faults.code = 0
    bench.lose_owner(run_log)

    SqliteEventLog(bench.path).sweep()

    assert [line.startswith('["kept"') for line in lines[1:]].count(True) == 3
    reader = bench.log.known_results()
    assert [reader.content(name) for name in names] == [b"one", b"two", b"three"]
    known = reader.find("key")
    assert known is not None
    assert (known.run_id, known.inline) == (run_id, b"two")
    reader.close()
    assert not spool.exists()
    assert bench.log.check() == []


def test_a_passing_outage_leaves_contents_in_the_history_and_no_spool(bench: SqliteBench, faults: Faults) -> None:
    _, run_log = begun(bench)
    name = sha256(b"one").hexdigest()
    faults.code = sqlite3.SQLITE_IOERR
    faults.on_rest = lambda: setattr(faults, "code", 0)
    run_log.keep([KeptContent(name, b"one")])
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.flush()

    reader = bench.log.known_results()
    assert reader.content(name) == b"one"
    reader.close()
    assert list((bench.path.parent / "spool").glob("*")) == []


def test_a_spool_cut_off_in_the_middle_of_a_line_is_read_up_to_there(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1), task_is(S.RUNNING, 6, 2)])
    with pytest.raises(StoreUnavailable):
        run_log.close()
    faults.code = 0
    spool = next((bench.path.parent / "spool").glob("*.jsonl"))
    spool.write_text(spool.read_text(encoding="ascii")[:-4], encoding="ascii")

    bench.log.sweep()

    assert {row.slug: row.state for row in bench.log.task_runs(run_id)} == {
        "load": S.SUCCESS,
        "clean": S.SUCCESS,
        "report": S.NOT_RUN,
    }
    assert bench.log.check() == []


def test_a_spool_that_comes_after_a_takeover_is_put_aside(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    with pytest.raises(StoreUnavailable):
        run_log.close()
    faults.code = 0
    spool = next((bench.path.parent / "spool").glob("*.jsonl"))
    hidden = spool.replace(bench.path.parent / "elsewhere")
    bench.log.sweep()
    hidden.replace(spool)
    verdict = bench.seen_by_others(run_id)

    bench.log.sweep()

    assert bench.seen_by_others(run_id) == verdict
    assert [file.suffix for file in spool.parent.iterdir()] == [".refused"]


def test_a_new_run_is_refused_during_an_outage(bench: SqliteBench, faults: Faults) -> None:
    _, run_log = begun(bench)
    refused = []

    def begin() -> None:
        try:
            bench.log.begin(info())
        except StoreError as error:
            refused.append(error)

    thread = threading.Thread(target=begin)

    def look() -> None:
        if thread.ident is None:
            thread.start()
        thread.join(0.01)
        if refused:
            faults.code = 0

    faults.on_rest = look
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.flush()

    assert [type(error) for error in refused] == [StoreUnavailable]


def test_a_lost_acknowledgement_is_no_second_telling(bench: SqliteBench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, run_log = begun(bench)
    honest = place.transaction
    lost = []

    class Losing:
        """Commits, and then says that it did not."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._inner = honest(connection)

        def __enter__(self) -> sqlite3.Connection:
            return self._inner.__enter__()

        def __exit__(self, *error: object) -> None:
            self._inner.__exit__(*error)  # type: ignore[arg-type]
            if not lost:
                lost.append(True)
                raised = sqlite3.OperationalError("disk I/O error")
                raised.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise raised

    monkeypatch.setattr(place, "transaction", Losing)
    large = Event(6, 1, Kind.TASK, 1, -1, 1, 1, S.SUCCESS, {"x": "é" * 5000})
    told = [Event(5, 1, Kind.TASK, 1, 0, 1, 1, S.FAILED, {"message": "ü", "n": 1.5}), large, task_is(S.SUCCESS, 7, 2)]
    run_log.add_log_lines([line("once")])
    run_log.append(told)

    run_log.flush()

    assert lost
    assert bench.seen_by_others(run_id) == [*BEGUN, *told]
    assert len(bench.log.log_lines(run_id)) == 1


def test_a_second_writer_at_the_same_number_is_found_out(bench: SqliteBench) -> None:
    run_id, run_log = begun(bench)
    with sqlite3.connect(bench.path) as other:
        other.execute("INSERT INTO event SELECT run_no, 5, '[1,1,20]' FROM run WHERE run_id = ?", (run_id,))
        other.execute("UPDATE run SET last_seq = 5 WHERE run_id = ?", (run_id,))
    other.close()
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StaleOwnerError, match="second writer"):
        run_log.flush()

    assert bench.seen_by_others(run_id)[-1].state is S.FAILED


def test_a_history_that_is_moved_aside_while_it_is_written_is_noticed(bench: SqliteBench) -> None:
    _, run_log = begun(bench)
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        bench.path.with_name(name).replace(bench.path.with_name(f"old-{name}"))
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StaleOwnerError, match="removed from the history"):
        run_log.flush()


def test_a_damaged_file_is_not_waited_for(bench: SqliteBench, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    _, run_log = begun(bench)
    monkeypatch.setattr("notebook_flows.store.place.is_really_damaged", lambda _: True)
    started_s = bench.clock.monotonic_s()
    faults.code = sqlite3.SQLITE_CORRUPT
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreCorrupt, match=r"move it and its -wal file aside.*waits in"):
        run_log.flush()

    assert bench.clock.monotonic_s() == started_s


def test_a_disk_that_fails_at_times_is_not_called_damage(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)

    def heal() -> None:
        faults.code = 0

    faults.on_rest = heal
    faults.code = sqlite3.SQLITE_CORRUPT
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    run_log.flush()

    assert len(bench.seen_by_others(run_id)) == 5


def test_who_holds_the_lock_too_long_keeps_new_tasks_from_starting(
    bench: SqliteBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, run_log = begun(bench)
    waiting = threading.Event()
    honest = runlog.StoredRunLog.prepare

    def prepare(self: Any) -> None:
        honest(self)
        waiting.set()

    monkeypatch.setattr(runlog.StoredRunLog, "prepare", prepare)
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    waiting.wait()

    before = run_log.may_start()
    bench.clock.turn(5)
    during = run_log.may_start()
    other.execute("ROLLBACK")
    other.close()
    run_log.flush()

    assert (before, during, run_log.may_start()) == (True, False, True)
    assert len(bench.seen_by_others(run_id)) == 5


def test_a_full_queue_makes_the_teller_wait(bench: SqliteBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "QUEUE_LIMIT", 10)
    run_id, run_log = begun(bench)
    longest = 0

    for seq in range(5, 2005, 2):
        run_log.append([task_is(S.RUNNING, seq, seq), task_is(S.SUCCESS, seq + 1, seq)])
        longest = max(longest, len(run_log._events))
    run_log.flush()

    assert longest <= 12
    assert len(bench.seen_by_others(run_id)) == 2004


def test_log_lines_beyond_the_limit_are_counted_not_kept_during_an_outage(
    bench: SqliteBench, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runlog, "QUEUE_LIMIT", 10)
    run_id, run_log = begun(bench)

    def look() -> None:
        for _ in range(3):
            run_log.add_log_lines([line("x")] * 8)
        faults.code = 0

    faults.on_rest = look
    faults.code = sqlite3.SQLITE_IOERR
    run_log.append([task_is(S.SUCCESS, 5, 1)])
    run_log.flush()

    rows = bench.log.log_lines(run_id)
    assert len(rows) == 17
    assert rows[-1].message == "8 lines are missing here: the history could not be written."


def test_a_bug_in_the_writer_leaves_nobody_waiting(bench: SqliteBench, monkeypatch: pytest.MonkeyPatch) -> None:
    _, run_log = begun(bench)

    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(runlog, "encode", broken)
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreError, match="stopped: ZeroDivisionError"):
        run_log.flush()


def test_the_wal_is_checkpointed_by_one_at_a_time(bench: SqliteBench) -> None:
    _, run_log = begun(bench)
    wal = bench.path.with_name("history.db-wal")
    held = checkpoint.FileLock(bench.path.parent / "locks" / "checkpoint")
    connection = bench.log._writer._connection

    held.acquire()
    while_held = checkpoint.checkpoint_if_due(connection, bench.path, due_bytes=1)
    held.release()
    after = checkpoint.checkpoint_if_due(connection, bench.path, due_bytes=1)

    assert (while_held, after) == (False, True)
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert wal.exists()
    run_log.close()


def test_the_spool_says_whose_it_is(bench: SqliteBench, faults: Faults) -> None:
    run_id, run_log = begun(bench)
    faults.code = sqlite3.SQLITE_FULL
    bench.path.with_name("history.db.reserve").unlink()
    run_log.append([task_is(S.SUCCESS, 5, 1)])

    with pytest.raises(StoreUnavailable, match="is full: free some space"):
        run_log.flush()

    head = json.loads(next((bench.path.parent / "spool").glob("*.jsonl")).read_text(encoding="ascii").splitlines()[0])
    assert head == {"run_id": run_id, "owner_epoch": 1, "store": str(bench.path)}
