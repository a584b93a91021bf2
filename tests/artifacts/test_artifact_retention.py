"""Content goes when the last run that refers to it is forgotten; never before, and never from a place of others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from notebook_flows import Flow, artifact, task
from notebook_flows.store.cleaning import GRACE_US
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace.attachments import content_of
from notebook_flows.workspace.histories import forget_contents

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SHARED = b"shared" + b"\x00" * MOST_INLINE


@task
def attach(n):
    artifact(SHARED, "shared", name="s.bin")
    artifact(str(n).encode() * MOST_INLINE, "own", name="o.bin")
    artifact(f"text {n}", "text")


def run(n: int) -> str:
    with Flow("attaches") as flow:
        attach(n)
    found: str = flow.run().context["flow_run_id"]
    return found


def grow_old(log: Any, folder: Path) -> None:
    """As if everything had been written two days ago."""
    for path in folder.rglob("*"):
        os.utime(path, (path.stat().st_mtime - 2 * GRACE_US / 1e6,) * 2)
    log._writer.call(lambda connection: connection.execute("UPDATE content SET used_us = used_us - ?", (2 * GRACE_US,)))


def blobs_in(folder: Path) -> int:
    return len([path for path in folder.rglob("*") if path.is_file()])


def test_what_only_forgotten_runs_refer_to_is_removed(disk: Any, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "blobs"
    run(10)
    second = run(20)
    assert blobs_in(folder) == 3
    grow_old(disk, folder)
    disk.prune(keep_runs=1)

    removed = forget_contents(disk)

    assert removed == 2
    assert blobs_in(folder) == 2
    rows = {row.key: content_of(disk, row) for row in disk.artifacts(second)}
    assert rows == {"shared": SHARED, "own": b"20" * MOST_INLINE, "text": b"text 20"}


def test_what_is_younger_than_a_day_stays(disk: Any, tmp_path: Path) -> None:
    run(10)
    run(20)
    disk.prune(keep_runs=1)

    assert forget_contents(disk) == 0


def test_a_place_that_was_set_is_left_alone(disk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", str(tmp_path / "everybody's"))
    run(10)
    run(20)
    grow_old(disk, tmp_path / "everybody's")
    disk.prune(keep_runs=1)

    assert forget_contents(disk) == 0
    assert blobs_in(tmp_path / "everybody's") == 3


def test_cleaning_results_by_hand_leaves_artifacts_alone(disk: Any, tmp_path: Path) -> None:
    """Also in a history that has never kept a result under a key."""
    from notebook_flows.store.cleaning import clean
    from notebook_flows.workspace.histories import result_store

    @task
    def large():
        artifact(SHARED, name="s.bin")

    with Flow("large only") as flow:
        large()
    run_id = flow.run().context["flow_run_id"]
    for path in (tmp_path / "store" / "blobs").rglob("*"):
        os.utime(path, (0, 0))

    cleaned = clean(disk._writer, result_store(), now_us=4 * 10**15, keep_days=0.0, most_bytes=0)

    assert cleaned.contents == 0
    assert [content_of(disk, row) for row in disk.artifacts(run_id)] == [SHARED]


def test_a_test_of_a_flow_leaves_the_user_s_history_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from notebook_flows.testing import run_flow_for_test

    store = tmp_path / "home" / "history.sqlite"
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(store))
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")

    @task(cache=True)
    def large():
        artifact(SHARED, name="s.bin")
        return SHARED

    with Flow("tested") as flow:
        large()

    state = run_flow_for_test(flow, executor="processes:1")

    assert state.is_successful()
    assert not store.parent.exists()
