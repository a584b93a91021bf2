"""Full disks and read-only folders, on real mounts of our own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from store_processes import in_own_mounts

from notebook_flows.store.schema import VERSION

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_costs_no_outcome(tmp_path: Path) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    said = in_own_mounts(
        f"mkdir {tmp_path}/small; mount -t tmpfs -o size=6m none {tmp_path}/small; CHILD disk_full {tmp_path}/small",
        TMPDIR=str(spare),
    )
    reserve, begin, patience, room, full, next_start = said

    assert (reserve["recorded"], reserve["may_start"]) == (3, False)
    assert begin["refused"].startswith("StoreUnavailable: The disk with the history")
    assert patience["refused"].endswith("What has ended so far is recorded.")
    assert (room["may_start"], room["reserve"]) == (True, True)
    assert "full: free some space" in full["refused"]
    assert str(spare) in full["refused"]
    assert full["waited_s"] >= 60
    assert next_start["success"] == full["told"] + 1
    assert (next_start["dead"], next_start["problems"], next_start["spools"]) == (True, [], [])
    assert list(spare.glob("*/*.jsonl")) == []


def test_a_read_only_folder_can_be_looked_at(tmp_path: Path) -> None:
    said = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk; mkdir {tmp_path}/disk/data;"
        f"CHILD run {tmp_path}/disk/data/history.db 5 >/dev/null;"
        f"mount -o remount,ro {tmp_path}/disk; CHILD read_only {tmp_path}/disk"
    )

    assert said[0] == {"events": [12]}
    assert [line["refused"] for line in said[1:]] == ["begin", "request", "elsewhere"]
    assert all(line["sentence"].startswith("StoreUnavailable: The ") for line in said[1:])
    assert all("read-only" in line["sentence"] for line in said[1:])


def test_a_read_only_folder_shows_what_is_still_in_the_wal(tmp_path: Path) -> None:
    said = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk; mkdir {tmp_path}/disk/data;"
        f"NOTEBOOK_FLOWS_CRASH_AT=store.commit.after:4 CHILD run {tmp_path}/disk/data/history.db 50 >/dev/null || true;"
        f"mount -o remount,ro {tmp_path}/disk; CHILD read_only {tmp_path}/disk"
    )

    assert said[0]["events"][0] > 3


def test_a_history_on_a_full_disk_can_still_be_looked_at(tmp_path: Path) -> None:
    """Where nobody has it open: SQLite would need room for the index that its readers share."""
    said = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk; mkdir {tmp_path}/disk/data;"
        f"CHILD run {tmp_path}/disk/data/history.db 5 >/dev/null; test ! -e {tmp_path}/disk/data/history.db-shm;"
        f"dd if=/dev/zero of={tmp_path}/disk/filling bs=1k 2>/dev/null || true; CHILD read_only {tmp_path}/disk"
    )

    assert said[0] == {"events": [12]}
    assert [line["refused"] for line in said[1:]] == ["begin", "request", "elsewhere"]
    assert all("is full: free some space" in line["sentence"] for line in said[1:])


def test_what_makes_room_works_on_a_full_disk(tmp_path: Path) -> None:
    """It would be the way out: nobody else has to make room before."""
    (said,) = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk; mkdir {tmp_path}/disk/data;"
        f"CHILD run {tmp_path}/disk/data/history.db 5 >/dev/null; test -e {tmp_path}/disk/data/history.db.reserve;"
        f"dd if=/dev/zero of={tmp_path}/disk/filling bs=1k 2>/dev/null || true; CHILD make_room {tmp_path}/disk"
    )

    assert (said["gone"], said["left"], said["forgotten"], said["problems"]) == (1, 0, 0, [])
    assert "is full: free some space" in said["refused"]


def test_a_run_in_a_read_only_history_can_be_looked_on_at(tmp_path: Path) -> None:
    history = f"{tmp_path}/disk/history.db"
    flow = "from notebook_flows import Flow, task\nwith Flow('one') as flow: task(lambda: 1, name='first')()\n"
    (tmp_path / "one.py").write_text(flow)
    ours = f"{sys.executable} -m notebook_flows"
    said = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk; {ours} run -q {tmp_path}/one.py;"
        f"mount -o remount,ro {tmp_path}/disk;"
        f"{ours} show latest --follow | grep -q '1 task, 1 success'; CHILD version {history}",
        NOTEBOOK_FLOWS_STORE=history,
        NOTEBOOK_FLOWS_HISTORY="on",
    )

    assert said == [{"version": VERSION}]


def test_a_read_only_history_tells_its_version(tmp_path: Path) -> None:
    said = in_own_mounts(
        f"mkdir {tmp_path}/disk; mount -t tmpfs -o size=6m none {tmp_path}/disk;"
        f"CHILD run {tmp_path}/disk/history.db 5 >/dev/null;"
        f"mount -o remount,ro {tmp_path}/disk; CHILD version {tmp_path}/disk/history.db"
    )

    assert said == [{"version": VERSION}]
