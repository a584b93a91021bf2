"""Whatever happens at its end, a run has one, and it is recorded."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, LocalResult, Parameter, Secret, signals, task
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.engine.bell import Bell
from notebook_flows.errors import ParameterError
from notebook_flows.executors import LocalExecutor
from notebook_flows.store.sqlite import SqliteEventLog
from notebook_flows.testing import MemoryEventLog, run_flow_for_test
from notebook_flows.workspace import run_flow, surroundings

if TYPE_CHECKING:
    from pathlib import Path


@task
def one() -> int:
    return 1


def flow_of_one(**options: Any) -> Flow:
    with Flow("one", **options) as flow:
        one()
    return flow


def press_ctrl_c(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_after_the_last_task_is_raised_once_the_end_is_recorded() -> None:
    log = MemoryEventLog()

    def press_at_the_end(run: Any, _: Any) -> None:
        if IS_FINAL[run.run_state]:
            press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        run_flow_for_test(flow_of_one(), event_log=log, observers=[press_at_the_end])

    assert [row.state for row in log.runs()] == [S.SUCCESS]


def test_ctrl_c_in_a_handler_of_the_flow_ends_the_run_and_asks_the_handler_once() -> None:
    log = MemoryEventLog()
    told = []

    def slow_handler(_flow: Any, state: Any, _references: Any) -> None:
        told.append(state)
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        run_flow_for_test(flow_of_one(terminal_state_handler=slow_handler), event_log=log)

    assert len(told) == 1
    assert [(row.state, row.ended_us is not None) for row in log.runs()] == [(S.CANCELLED, True)]


def test_ctrl_c_in_a_flow_below_asyncio_run_is_raised_at_once() -> None:
    log = MemoryEventLog()

    @task
    def press() -> None:
        press_ctrl_c()

    with Flow("below") as flow:
        press()

    async def main() -> None:
        run_flow_for_test(flow, event_log=log)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    assert [row.state for row in log.runs()] == [S.CANCELLED]


def test_a_signal_from_the_terminal_state_handler_is_the_flows_state() -> None:
    log = MemoryEventLog()

    def refuse(*_: Any) -> None:
        raise signals.FAIL("not good enough")

    state = run_flow_for_test(flow_of_one(terminal_state_handler=refuse), event_log=log)

    assert state.is_failed()
    assert state.message == "not good enough"
    assert [row.state for row in log.runs()] == [S.FAILED]


def test_an_executor_that_cannot_start_leaves_no_run_open() -> None:
    log = MemoryEventLog()

    class Broken(LocalExecutor):
        def start(self, *_: Any) -> None:
            raise OSError(24, "Too many open files")

    with pytest.raises(OSError, match="Too many open files"):
        run_flow_for_test(flow_of_one(), event_log=log, executor=Broken())

    assert [(row.state, row.ended_us is not None) for row in log.runs()] == [(S.CRASHED, True)]


def test_an_error_before_the_engine_begins_leaves_no_run_open() -> None:
    log = MemoryEventLog()

    with pytest.raises(ParameterError, match="task_contexts"):
        run_flow_for_test(flow_of_one(), event_log=log, task_contexts=["no mapping"])

    assert log.runs() == []


def test_a_task_that_rests_when_fail_fast_ends_the_run_has_an_end_of_its_own() -> None:
    log = MemoryEventLog()

    @task(max_retries=1, retry_delay=3600)
    def shaky() -> None:
        raise ValueError("not yet")

    @task
    def bad() -> None:
        raise ValueError("no")

    with Flow("hasty", fail_fast=True) as flow:
        shaky()
        bad()

    run_flow_for_test(flow, event_log=log)

    states = {row.slug: row.state for row in log.task_runs(log.runs()[0].run_id)}
    assert states == {"shaky-1": S.CANCELLED, "bad-1": S.FAILED}


def test_a_secret_parameter_stays_in_this_process() -> None:
    @task
    def harmless(x: int) -> int:
        return x + 1

    with Flow("secretive") as flow:
        Parameter("password", default=Secret("hunter2"))()
        answer = harmless(Parameter("x", default=41))

    state = run_flow_for_test(flow, executor="processes:1")

    assert state.is_successful()
    assert state.result[answer].result == 42


def test_a_flow_with_a_result_keeps_the_values_of_its_tasks(tmp_path: Path) -> None:
    kept = LocalResult(tmp_path, location="{task_name}.pkl")

    run_flow_for_test(flow_of_one(result=kept))

    assert kept.read("one.pkl") == 1


FORKS = """
import os
from notebook_flows import Flow, task

@task
def fork():
    child = os.fork()
    if not child:
        raise SystemExit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

with Flow("forks") as flow:
    code = fork()
print("ended", flow.run().result[code].result)
"""


def test_what_a_forked_child_raises_ends_the_child_and_not_the_run(tmp_path: Path) -> None:
    surroundings_of_child = {**os.environ, "NOTEBOOK_FLOWS_STORE": str(tmp_path / "history.sqlite")}

    done = subprocess.run(
        [sys.executable, "-c", FORKS],
        env=surroundings_of_child,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout == "ended 7\n"
    assert [row.state for row in SqliteEventLog(tmp_path / "history.sqlite").runs()] == [S.SUCCESS]


def test_a_bell_can_be_rung_by_a_signal_handler_while_its_thread_waits() -> None:
    bell = Bell()
    before = signal.signal(signal.SIGUSR1, lambda *_: bell.set())
    try:
        threading.Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()

        has_rung = bell.wait(30)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert has_rung
    assert not bell.is_set()


def test_ctrl_c_does_not_wait_for_another_process_that_holds_the_history(tmp_path: Path) -> None:
    import sqlite3

    log = SqliteEventLog(tmp_path / "history.sqlite")
    with surroundings(log, None):
        run_flow(flow_of_one())
    other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)

    @task
    def lock_and_press() -> None:
        other.execute("BEGIN IMMEDIATE")
        press_ctrl_c()

    with Flow("locked") as flow:
        lock_and_press()

    with surroundings(log, None), pytest.raises(KeyboardInterrupt) as interrupt:
        run_flow(flow)

    assert "as soon as it can be" in " ".join(interrupt.value.__notes__)
    other.execute("ROLLBACK")
    other.close()
    log.close()
    assert [row.state for row in SqliteEventLog(tmp_path / "history.sqlite").runs()] == [S.CANCELLED, S.SUCCESS]


def test_a_thread_that_cannot_be_started_once_does_not_hang_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SqliteEventLog(tmp_path / "history.sqlite")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch, surroundings(log, None):
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Exception, match="can't start new thread"):
            run_flow(flow_of_one())

    with surroundings(log, None):
        state = run_flow(flow_of_one())

    assert state.is_successful()
    log.close()


def test_ctrl_c_while_the_run_is_being_opened_leaves_no_run_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SqliteEventLog(tmp_path / "history.sqlite")
    with surroundings(log, None):
        run_flow(flow_of_one())

    def press(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, surroundings(log, None):
        patch.setattr("notebook_flows.store.writer._Job.wait", press)
        with pytest.raises(KeyboardInterrupt):
            run_flow(flow_of_one())

    log.close()
    assert [row.state for row in SqliteEventLog(tmp_path / "history.sqlite").runs()] == [S.SUCCESS]
