"""What a worker on another machine keeps goes straight to the shared place; only references come back."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import far_worker
import pytest
from far_worker import FarExecutor

import notebook_flows
from notebook_flows import Flow, artifact, task
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace.attachments import content_of
from notebook_flows.workspace.histories import result_store

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 50 * MOST_INLINE
ROOT = Path(notebook_flows.__path__[0]).parent
KEPT_OF_S3 = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "PATH")


@task
def make(n):
    artifact([{"n": n}], "rows")
    artifact(b"\x00" * n, "large", name="l.bin")
    return "x" * n


def far_process(folder: Path, sent: bytes) -> bytes:
    """Started with nothing of this process's settings: another home, another folder, other variables."""
    done = subprocess.run(
        [sys.executable, str(Path(far_worker.__file__))],
        input=sent,
        capture_output=True,
        check=False,
        timeout=100,
        cwd=folder,
        env={
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "NOTEBOOK_FLOWS_STORE": str(folder / "not here" / "history.sqlite"),
            **{name: os.environ[name] for name in KEPT_OF_S3 if name in os.environ},
        },
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """This module's functions travel whole: the far process does not have it."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.parametrize(
    "history", ["sqlite, folder", "sqlite, bucket", "postgres, folder", "postgres, bucket"], indirect=True
)
def test_results_and_artifacts_of_a_far_worker_go_straight_to_the_store(history: Any, tmp_path: Path) -> None:
    from notebook_flows.workspace import run_flow

    far = tmp_path / "far"
    far.mkdir()
    executor = FarExecutor(partial(far_process, far))
    with Flow("far away") as flow:
        make(LARGE)

    state = run_flow(flow, executor=executor, keep_results=True)

    assert state.is_successful()
    run_id = state.context["flow_run_id"]
    assert executor.received[0] < MOST_INLINE  # nothing large came this way
    (row,) = history.task_runs(run_id)
    assert row.result["in"] == "blobs"
    assert result_store().load(row.result) == "x" * LARGE
    kept = {one.key: content_of(history, one) for one in history.artifacts(run_id)}
    assert kept["large"] == b"\x00" * LARGE
    assert kept["rows"] == b'{"columns":["n"],"rows":[[%d]],"row_count":1}' % LARGE
    assert list(far.iterdir()) == []  # nothing was kept where nobody else finds it


@pytest.mark.parametrize("history", ["sqlite, folder"], indirect=True)
def test_a_far_worker_that_cannot_reach_the_store_says_so_and_its_task_goes_on(history: Any, tmp_path: Path) -> None:
    from notebook_flows.workspace import run_flow

    far = tmp_path / "far"
    far.mkdir()
    (tmp_path / "blobs").write_text("a file is in the way")
    executor = FarExecutor(partial(far_process, far))
    with Flow("cut off") as flow:
        make(LARGE)

    state = run_flow(flow, executor=executor, keep_results=True)

    assert state.is_successful()
    run_id = state.context["flow_run_id"]
    assert [one.key for one in history.artifacts(run_id)] == ["rows"]
    told = [line.message for line in history.log_lines(run_id) if line.level >= 30]
    assert any(line.startswith("An artifact is not kept: Results in ") for line in told)
    (row,) = history.task_runs(run_id)
    assert row.result is None or "why" in row.result
