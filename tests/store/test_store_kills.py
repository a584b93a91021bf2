"""Processes are killed, stopped and forked; what they acknowledged stays, and only the dead are told crashed."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from store_processes import heard, outcome, start

from notebook_flows.core.lifecycle import S
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 10


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    luck = random.Random(seed)
    path = tmp_path / "history.db"
    for _ in range(KILLS):
        process = start("run", path, 3_000, luck.choice([1, 3, 50]))
        assert process.stdout is not None
        run_id = heard(process.stdout.readline())["run_id"]
        for _ in range(luck.randrange(20)):
            process.stdout.readline()
        time.sleep(luck.random() * 0.02)  # not to wait for anything: any moment is a good one to be killed

        process.kill()
        _, said, err = outcome(process)

        assert not err
        log = SqliteEventLog(path)
        acknowledged = said[-1]["acknowledged"] if said else 0
        events = log.read(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(events) >= acknowledged
        assert log.sweep() == [run_id]
        assert log.run(run_id).state is S.CRASHED
        assert set(log.run(run_id).counts) <= {S.SUCCESS, S.CRASHED, S.NOT_RUN}
        log.prune(keep_runs=0)  # the thousands of tasks that did not run
        log.close()
    assert SqliteEventLog(path).check() == []


@pytest.mark.parametrize(
    ("point", "act"),
    [
        ("store.created", "run"),
        ("store.renamed", "run"),
        ("store.commit.before:1", "run"),
        ("store.commit.before:5", "run"),
        ("store.commit.after:1", "run"),
        ("store.commit.after:5", "run"),
        ("store.checkpoint.before:2", "run_with_checkpoints"),
        ("store.checkpoint.after:2", "run_with_checkpoints"),
        ("store.spooled", "run_without_store"),
    ],
)
def test_a_kill_at_any_point_leaves_a_history_that_goes_on(point: str, act: str, tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    code, said, err = outcome(start(act, path, 30, NOTEBOOK_FLOWS_CRASH_AT=point))
    assert (code, err) == (-signal.SIGKILL, "")

    again, _, err = outcome(start("run", path, 30))

    assert (again, err) == (0, "")
    log = SqliteEventLog(path)
    rows = log.runs()
    assert rows[0].state is S.SUCCESS
    assert [row.state for row in rows[1:]] in ([], [S.CRASHED])
    acknowledged = max([0, *(line.get("acknowledged", 0) for line in said)])
    assert all(row.counts.get(S.SUCCESS, 0) * 2 >= acknowledged - 1 for row in rows[1:])
    assert len(rows) == 2 or not said
    assert log.check() == []
    log.close()


def test_what_was_spooled_is_read_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    code, said, _ = outcome(start("run_without_store", path, 30, NOTEBOOK_FLOWS_CRASH_AT="store.spooled"))
    assert code == -signal.SIGKILL
    spool = next((tmp_path / "spool").glob("*.jsonl"))
    spooled = [int(row[1:].partition(",")[0]) for row in spool.read_text(encoding="ascii").splitlines()[1:]]

    log = SqliteEventLog(path)
    log.sweep()

    row = log.run(said[0]["run_id"])
    assert max(spooled) > said[-1]["acknowledged"]
    assert row.counts[S.SUCCESS] == (max(spooled) - 1) // 2
    assert row.state is S.CRASHED
    assert not spool.exists()
    assert log.check() == []
    log.close()


def test_a_kill_during_the_takeover_leaves_it_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    outcome(start("run", path, 30, NOTEBOOK_FLOWS_CRASH_AT="store.commit.after:5"))

    code, _, _ = outcome(start("sweep", path, NOTEBOOK_FLOWS_CRASH_AT="store.sweep.written"))

    assert code == -signal.SIGKILL
    _, said, _ = outcome(start("sweep", path))
    assert len(said[0]["dead"]) == 1
    log = SqliteEventLog(path)
    assert log.run(said[0]["dead"][0]).owner_epoch == 2
    assert log.check() == []
    log.close()


def test_a_stopped_process_is_not_dead_and_a_killed_one_is_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    process = start("hold", path)
    assert process.stdout is not None
    run_id = heard(process.stdout.readline())["run_id"]
    log = SqliteEventLog(path)

    os.kill(process.pid, signal.SIGSTOP)
    while_stopped = log.sweep()
    process.kill()
    process.wait()

    assert while_stopped == []
    assert log.sweep() == [run_id]  # though a forked child of it still lives
    assert {row.slug: row.state for row in log.task_runs(run_id)} == {"t0": S.CRASHED, "t1": S.NOT_RUN}
    log.close()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_processes_that_hammer_one_history_all_get_through(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    processes = [
        start("run_with_checkpoints" if number == 0 else "run", path, 150, *([] if number == 0 else [1]))
        for number in range(3)
    ]

    ends = [outcome(process) for process in processes]

    assert [(code, err) for code, _, err in ends] == [(0, "")] * 3
    log = SqliteEventLog(path)
    assert [(row.state, row.last_seq, row.counts) for row in log.runs()] == [(S.SUCCESS, 302, {S.SUCCESS: 150})] * 3
    assert log.check() == []
    log.close()
