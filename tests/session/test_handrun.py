"""A task cell that is executed by hand is a run of its own in the history."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from notebook_flows import Flow, Parameter
from notebook_flows.core.lifecycle import S
from notebook_flows.session.handrun import HandRuns
from notebook_flows.session.record import CellRecord
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL = CellRecord(key="a", source="%%task load\nx = 1")


@pytest.fixture(autouse=True)
def own_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))


@pytest.fixture
def runs() -> Iterator[HandRuns]:
    made = HandRuns()
    yield made
    made.wait(10)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (S.SUCCESS, None, "Run by hand."),
        (S.FAILED, ZeroDivisionError("division by zero"), "Run by hand; it failed."),
        (S.CANCELLED, KeyboardInterrupt(), "Run by hand; it was interrupted."),
    ],
)
def test_it_is_recorded_with_its_end(runs: HandRuns, state: S, error: BaseException | None, message: str) -> None:
    run = runs.begin("work", CELL)
    assert run is not None

    run.end(state, error)
    runs.wait(10)

    (row,) = event_log().runs()
    assert (row.run_id, row.flow, row.state, row.executor, row.message) == (
        run.run_id,
        "work",
        state,
        "by hand",
        message,
    )
    assert row.counts == {state: 1}
    (task,) = event_log().task_runs(run.run_id)
    assert (task.slug, task.state, task.attempt) == ("load-1", state, 1)
    assert task.started_us is not None
    assert task.ended_us is not None
    assert task.started_us <= task.ended_us


def test_one_that_is_written_late_stands_where_it_began(runs: HandRuns) -> None:
    busy = threading.Event()
    runs.later(partial(_wait, busy))
    early = runs.begin("work", CELL)
    assert early is not None
    early.end(S.SUCCESS)
    with Flow("flow") as flow:
        Parameter("one", default=1)()

    flow.run()
    busy.set()
    runs.wait(30)

    assert [row.flow for row in event_log().runs()] == ["flow", "work"]


def _wait(busy: threading.Event) -> None:
    busy.wait(30)


def test_an_error_whose_text_cannot_be_made_is_told_by_its_name(runs: HandRuns) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    run = runs.begin("work", CELL)
    assert run is not None

    run.end(S.FAILED, OddError())
    runs.wait(10)

    assert event_log().task_runs(run.run_id)[0].message == "OddError (its text could not be made: RuntimeError)"


def test_while_it_runs_the_history_says_so(runs: HandRuns) -> None:
    run = runs.begin("work", CELL)
    assert run is not None
    runs.wait(10)
    log = event_log()

    while not log.task_runs(run.run_id):  # the history's own thread commits
        threading.Event().wait(0.01)

    assert log.task_runs(run.run_id)[0].state is S.RUNNING
    run.end(S.SUCCESS)


def test_a_history_that_is_off_is_left_alone(runs: HandRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")

    run = runs.begin("work", CELL)

    assert run is None
    assert not (tmp_path / "history.sqlite").exists()


def test_a_history_that_cannot_be_written_is_told_once(
    runs: HandRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "file" / "history.sqlite"))
    for _ in range(2):
        run = runs.begin("work", CELL)
        assert run is not None
        run.end(S.SUCCESS)
    runs.wait(10)

    with pytest.warns(RuntimeWarning, match="Cells run by hand are not recorded: "):
        runs.tell_trouble()

    runs.tell_trouble()  # warnings are errors here


CHILD = """
import os, signal
from notebook_flows.session.handrun import HandRuns
from notebook_flows.session.record import CellRecord
from notebook_flows.core.lifecycle import S
from notebook_flows.workspace import event_log
runs = HandRuns()
run = runs.begin("work", CellRecord(key="a", source="%%task load\\nx = 1"))
"""


def child(code: str) -> int:
    return subprocess.run([sys.executable, "-c", CHILD + code], check=False, timeout=60).returncode


def test_a_kernel_that_dies_in_a_cell_leaves_a_crashed_run() -> None:
    code = child(
        "runs.wait(10)\nlog = event_log()\nwhile not any(log.task_runs(row.run_id) for row in log.runs()): pass\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )

    log = event_log()
    log.sweep()

    assert code == -9
    assert [row.state for row in log.runs()] == [S.CRASHED]
    assert [row.state for row in log.task_runs(log.runs()[0].run_id)] == [S.CRASHED]


def test_what_ended_just_before_the_kernel_is_written() -> None:
    code = child("run.end(S.SUCCESS)")

    assert code == 0
    assert [row.state for row in event_log().runs()] == [S.SUCCESS]


def test_a_forked_child_of_a_cell_writes_nothing() -> None:
    code = child(
        "runs.wait(10)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    run.end(S.FAILED)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "run.end(S.SUCCESS)\n"
    )

    assert code == 0
    assert [row.state for row in event_log().runs()] == [S.SUCCESS]
