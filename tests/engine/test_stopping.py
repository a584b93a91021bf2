"""Stopped from outside: a request in the history, Ctrl-C in a task and between tasks, a task that runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import notebook_flows
from notebook_flows import Flow, ThreadExecutor, task
from notebook_flows.core.lifecycle import S
from notebook_flows.store.sqlite import SqliteEventLog
from notebook_flows.testing import FakeClock, InlineExecutor, MemoryEventLog, assert_states, run_flow_for_test

RUN = "3" * 32
CHILD = Path(__file__).with_name("engine_child.py")
PROMPT_S = 2.0


def test_a_request_in_the_history_cancels_the_run() -> None:
    clock = FakeClock()
    log = MemoryEventLog(clock=clock)
    with Flow("stoppable") as flow:

        @task
        def ask() -> None:
            log.request(RUN, "cancel", {"reason": "Enough."})
            clock.advance(1)

        asked = ask()
        after = task(lambda x: x, name="after")(asked)

    state = run_flow_for_test(flow, clock=clock, executor=InlineExecutor(clock=clock), event_log=log, flow_run_id=RUN)

    assert type(state).__name__ == "Cancelled"
    assert state.message == "Enough."
    assert_states(state, {asked: "Success", after: "NotRun"})
    assert log.run(RUN).state is S.CANCELLED


def test_a_request_stops_what_runs_in_threads_and_names_what_goes_on() -> None:
    log = MemoryEventLog()
    may_end = threading.Event()
    with Flow("stoppable") as flow:

        @task
        def runs_on() -> None:
            log.request(RUN, "cancel")
            may_end.wait(20)

        one = runs_on()
        waiting = task(lambda: None, name="waiting")()
        after = task(lambda x: x, name="after")(one)

    try:
        with pytest.warns(UserWarning, match="cannot be stopped and go on in their threads: runs_on") as warned:
            state = run_flow_for_test(flow, executor=ThreadExecutor(1), event_log=log, flow_run_id=RUN)
    finally:
        may_end.set()

    assert_states(state, {one: "Cancelled", waiting: "NotRun", after: "NotRun"})
    assert not warned[0].filename.startswith(
        str(Path(notebook_flows.__file__).parent)
    )  # nobody has written those lines
    assert [(event.node, event.state) for event in log.read(RUN)[1:-1] if event.node >= 0] == [
        (0, S.RUNNING),
        (0, S.CANCELLED),
        (1, S.NOT_RUN),
    ]
    assert [row.state for row in log.task_runs(RUN)] == [S.CANCELLED, S.NOT_RUN, S.NOT_RUN]


def test_requests_that_mean_nothing_to_the_engine_are_passed_over() -> None:
    clock = FakeClock()
    log = MemoryEventLog(clock=clock)
    with Flow("deaf") as flow:

        @task
        def ask() -> None:
            log.request(RUN, "sing")
            clock.advance(1)

        ask()

    assert run_flow_for_test(
        flow, clock=clock, executor=InlineExecutor(clock=clock), event_log=log, flow_run_id=RUN
    ).is_successful()


# -- Ctrl-C, in a process of its own -----------------------------------------------------------------------------------


def interrupted(tmp_path: Path, what: str) -> tuple[float, list[str], str]:
    """Run ``what``, press Ctrl-C once it has said ``ready``; seconds to the prompt, what it said after, stderr."""
    environment = {**os.environ, "NOTEBOOK_FLOWS_HISTORY": "on", "NOTEBOOK_FLOWS_STORE": str(tmp_path / "h.sqlite")}
    with subprocess.Popen(
        [sys.executable, str(CHILD), what],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as child:  # fmt: skip
        try:
            assert child.stdout is not None
            assert child.stderr is not None
            assert "ready\n" in iter(child.stdout.readline, "")
            pressed_s = time.monotonic()
            child.send_signal(signal.SIGINT)
            prompt = child.stdout.readline()
            prompt_s = time.monotonic() - pressed_s
            said, errors = child.stdout.read(), child.stderr.read()
            assert prompt == "prompt\n", errors
            assert child.wait(30) == 0, errors
        finally:
            child.kill()
    return prompt_s, said.splitlines(), errors


def history(tmp_path: Path) -> tuple[S, dict[str, S]]:
    log = SqliteEventLog(tmp_path / "h.sqlite")
    try:
        (run,) = log.runs()
        rows = {row.slug: row.state for row in log.task_runs(run.run_id)}
        return run.state, rows
    finally:
        log.close()


@pytest.mark.parametrize(
    ("what", "first"),
    [
        ("local", S.CANCELLED),
        ("threads", S.CANCELLED),
        ("processes", S.CANCELLED),
        ("async", S.CANCELLED),
    ],
)
def test_ctrl_c_in_a_task_gives_the_prompt_back_and_the_history_says_so(tmp_path: Path, what: str, first: S) -> None:
    prompt_s, _, errors = interrupted(tmp_path, what)

    state, rows = history(tmp_path)
    assert prompt_s < PROMPT_S
    assert state is S.CANCELLED
    assert rows["long-1"] is first
    assert rows["after-1"] is S.NOT_RUN
    assert "Traceback" not in errors


def test_ctrl_c_between_tasks_stops_before_the_next(tmp_path: Path) -> None:
    """Pressed while the run rests before a retry."""
    prompt_s, _, _ = interrupted(tmp_path, "resting")

    state, rows = history(tmp_path)
    assert prompt_s < PROMPT_S
    assert state is S.CANCELLED
    assert rows["shaky-1"] is S.CANCELLED


def test_after_ctrl_c_the_next_run_runs(tmp_path: Path) -> None:
    _, said, _ = interrupted(tmp_path, "twice")

    assert said == ["second run: Success"]


def test_ctrl_c_means_again_what_it_meant_before(tmp_path: Path) -> None:
    _, said, _ = interrupted(tmp_path, "restores")

    assert said == ["handler: default_int_handler"]


def test_a_run_in_another_thread_leaves_ctrl_c_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    during: list[Any] = []
    with Flow("elsewhere") as flow:
        task(lambda: during.append(signal.getsignal(signal.SIGINT)), name="look")()

    thread = threading.Thread(target=lambda: run_flow_for_test(flow))
    thread.start()
    thread.join(20)

    assert during == [before]


class _Impatient(ThreadExecutor):
    """Asks, from a thread of its own, for the run to be stopped as soon as a task has begun."""

    def __init__(self, has_begun: threading.Event) -> None:
        super().__init__(2)
        self.has_begun = has_begun

    def for_run(self) -> _Impatient:
        return self

    def start(self, inbox: Any, facts: Any) -> None:
        super().start(inbox, facts)
        threading.Thread(target=lambda: self.has_begun.wait(30) and inbox.interrupt(), daemon=True).start()


def test_an_executor_can_ask_for_the_run_to_be_stopped_as_ctrl_c_does() -> None:
    log = MemoryEventLog()
    has_begun, may_end = threading.Event(), threading.Event()
    with Flow("stoppable") as flow:

        @task
        def wait() -> None:
            has_begun.set()
            may_end.wait(30)

        waiting = wait()
        task(lambda x: x, name="after")(waiting)

    with pytest.raises(KeyboardInterrupt), pytest.warns(UserWarning, match="cannot be stopped"):
        run_flow_for_test(flow, executor=_Impatient(has_begun), event_log=log, flow_run_id=RUN)
    may_end.set()

    assert log.run(RUN).state is S.CANCELLED
