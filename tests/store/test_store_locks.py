"""A file system whose locks do not work, as NFS without its lock daemon: refused in one sentence, whoever comes first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from store_processes import ROOT

SCRIPT = """
import sys
from store_bench import info, run_is
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import StoreError
from notebook_flows.store import connection
from notebook_flows.store.sqlite import SqliteEventLog
from pathlib import Path

connection.BUSY_TIMEOUT_S = 0.2
log = SqliteEventLog(Path(sys.argv[1]) / "history.db")
for act in (lambda: log.begin(info()).close(), lambda: log.runs()):
    try:
        act()
        print("done")
    except StoreError as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def without_locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that, preloaded, makes all locks below the folder NO_LOCKS fail."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("what makes locks fail is written in C, for Linux, and there is no compiler here")
    made = tmp_path_factory.mktemp("library") / "no_locks.so"
    source = Path(__file__).with_name("no_locks.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


def said(folder: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]), **environment},
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_without_locks_nothing_is_begun_and_that_is_told(without_locks: Path, tmp_path: Path) -> None:
    refused = said(tmp_path, LD_PRELOAD=str(without_locks), NO_LOCKS=str(tmp_path))

    assert refused[0].startswith(f"StoreUnavailable: The file system of {tmp_path} has no locks that work")
    assert "NOTEBOOK_FLOWS_STORE" in refused[0]
    assert refused[1] == "done"  # there is nothing to be seen yet
    assert said(tmp_path) == ["done", "done"]


def test_a_history_that_comes_to_a_place_without_locks_is_left_alone(without_locks: Path, tmp_path: Path) -> None:
    assert said(tmp_path) == ["done", "done"]
    before = (tmp_path / "history.db").read_bytes()

    refused = said(tmp_path, LD_PRELOAD=str(without_locks), NO_LOCKS=str(tmp_path))

    assert all("has no locks that work" in line for line in refused)
    assert (tmp_path / "history.db").read_bytes() == before
    assert not list(tmp_path.glob(".locks-*"))
    assert said(tmp_path) == ["done", "done"]
