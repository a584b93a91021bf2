"""What is recorded of the machine with a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from notebook_flows import Flow, task
from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.workspace import surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = os.open(".", os.O_RDONLY)
    inside = tmp_path / "inside"
    inside.mkdir()
    os.chdir(inside)
    yield inside
    os.fchdir(before)
    os.close(before)


def recorded_commit() -> str | None:
    log = MemoryEventLog()
    with Flow("f") as f:
        task(lambda: 1)()
    with surroundings(log, None):
        state = f.run()
    return log.run(state.context["flow_run_id"]).environment["git_commit"]


def test_each_run_records_the_commit_that_is_checked_out_then(folder: Path) -> None:
    (folder / ".git").mkdir()
    head = folder / ".git" / "HEAD"

    commits = []
    for commit in ("1" * 40, "2" * 40):
        head.write_text(commit)
        commits.append(recorded_commit())

    assert commits == ["1" * 40, "2" * 40]


def test_a_flow_runs_though_its_working_directory_is_gone(folder: Path) -> None:
    folder.rmdir()

    assert recorded_commit() is None
