"""Killed at named points and in the middle of tasks: the next who looks tells it crashed, and what was under way with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.store.sqlite import SqliteEventLog

CHILD = Path(__file__).with_name("engine_child.py")
RUN = "4" * 32


def killed(tmp_path: Path, what: str, point: str = "", executor: str = "local") -> list[str]:
    """Let a run be killed; what it said until then."""
    environment = {
        **os.environ,
        "NOTEBOOK_FLOWS_HISTORY": "on",
        "NOTEBOOK_FLOWS_STORE": str(tmp_path / "h.sqlite"),
        "NOTEBOOK_FLOWS_CRASH_AT": point,
        "CHILD_EXECUTOR": executor,
    }
    done = subprocess.run(
        [sys.executable, str(CHILD), what], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.splitlines()


def swept(tmp_path: Path) -> Run | None:
    """The run as it stands after the next process has looked; None if the history never heard of it."""
    log = SqliteEventLog(tmp_path / "h.sqlite")
    try:
        dead = log.sweep()
        assert log.sweep() == []
        if not log.runs():
            return None
        assert dead in ([], [RUN])
        events = log.read(RUN)
        assert events[0].data is not None
        run = Run(plan_from_first_event(events[0].data))
        for event in events:
            run.apply(event)
        rows = {(row.node, row.index): row.state for row in log.task_runs(RUN)}
        assert all(run.state[run.number_of(*place)] is state for place, state in rows.items())
        assert log.run(RUN).state is run.run_state
        assert {event.kind for event in events} <= set(Kind)
        return run
    finally:
        log.close()


@pytest.mark.parametrize("executor", ["local", "threads:2"])
@pytest.mark.parametrize(
    "point",
    [
        "store.created",
        "store.renamed",
        "store.commit.before",
        "store.commit.before:2",
        "store.commit.after",
        "store.commit.after:2",
    ],
)
def test_killed_at_this_point_it_is_told_crashed_and_no_success_is_guessed(
    tmp_path: Path, point: str, executor: str
) -> None:
    said = killed(tmp_path, "marked", point, executor)

    run = swept(tmp_path)

    if run is None:
        assert point.startswith(("store.created", "store.renamed", "store.commit.before"))
        return
    assert "ended" not in said
    assert all(IS_FINAL[state] for state in run.state)
    assert run.run_state in {S.CRASHED, S.SUCCESS}
    succeeded = sum(state is S.SUCCESS for state in run.state)
    assert succeeded <= len([line for line in said if line.startswith("ran")])
    if run.run_state is S.SUCCESS:  # killed after its last commit, before it could say so
        assert point.startswith("store.commit.after")
        assert succeeded == len(run.state)


def test_killed_in_a_task_that_one_crashed_and_the_next_did_not_run(tmp_path: Path) -> None:
    killed(tmp_path, "killed_in_a_task")

    run = swept(tmp_path)

    assert run is not None
    assert run.run_state is S.CRASHED
    assert run.state == [S.SUCCESS, S.CRASHED, S.NOT_RUN]
