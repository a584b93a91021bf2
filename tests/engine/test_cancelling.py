"""A run is cancelled by another thread of its process: the task that holds the main thread ends, and nothing after it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from notebook_flows import Flow, LocalExecutor, ThreadExecutor, context, task
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.interrupts import CancelAsked, Interrupts
from notebook_flows.engine.stopping import cancel_run
from notebook_flows.testing import MemoryEventLog, assert_states, run_flow_for_test

RUN = "c" * 32
LONG_S = 60.0


def cancelled_soon(run_id: str = RUN) -> None:
    """Have another thread ask for it."""
    threading.Thread(target=cancel_run, args=(run_id, "Enough.")).start()


def run(flow: Flow, executor: Any = None) -> Any:
    log = MemoryEventLog()
    return run_flow_for_test(flow, event_log=log, flow_run_id=RUN, executor=executor or LocalExecutor())


def test_a_task_that_holds_the_main_thread_is_interrupted_and_the_flow_returns_its_state() -> None:
    with Flow("held") as flow:

        @task
        def holds() -> None:
            cancelled_soon()
            time.sleep(LONG_S)

        held = holds()
        after = task(lambda x: x, name="after")(held)
    began_s = time.monotonic()

    state = run(flow)

    assert time.monotonic() - began_s < LONG_S
    assert (type(state).__name__, state.message) == ("Cancelled", "Enough.")
    assert_states(state, {held: "Cancelled", after: "NotRun"})
    assert state.result[held].message == "The run has stopped."


def test_a_task_that_keeps_ctrl_c_from_ending_it_is_the_last_one() -> None:
    caught = []
    with Flow("stubborn") as flow:

        @task
        def stubborn() -> str:
            try:
                cancelled_soon()
                time.sleep(LONG_S)
            except KeyboardInterrupt as error:
                caught.append(type(error))
            return "done all the same"

        first = stubborn()
        after = task(lambda x: x, name="after")(first)

    state = run(flow)

    assert caught == [CancelAsked]
    assert type(state).__name__ == "Cancelled"
    assert_states(state, {first: "Success", after: "NotRun"})


def test_a_run_whose_tasks_are_in_threads_is_cancelled_at_once() -> None:
    may_end = threading.Event()
    with Flow("threads") as flow:

        @task
        def waits() -> None:
            cancelled_soon()
            may_end.wait(LONG_S)

        one = waits()

    try:
        with pytest.warns(UserWarning, match="cannot be stopped"):
            state = run(flow, executor=ThreadExecutor(1))
    finally:
        may_end.set()

    assert state.message == "Enough."
    assert_states(state, {one: "Cancelled"})


def test_cancelling_the_run_around_ends_the_run_inside_too() -> None:
    inner_states: list[Any] = []
    with Flow("inner") as inner:

        @task
        def holds() -> None:
            cancelled_soon()
            time.sleep(LONG_S)

        holds()
    with Flow("outer") as outer:

        @task
        def runs_another() -> None:
            inner_states.append(inner.run(history=False))

        one = runs_another()

    state = run(outer)

    assert inner_states == []
    assert (type(state).__name__, state.message) == ("Cancelled", "Enough.")
    assert_states(state, {one: "Cancelled"})


def test_cancelling_the_run_inside_leaves_the_run_around_alone() -> None:
    with Flow("inner") as inner:

        @task
        def holds() -> None:
            cancelled_soon(context.flow_run_id)
            time.sleep(LONG_S)

        holds()
    with Flow("outer") as outer:
        one = task(lambda: type(inner.run(history=False)).__name__, name="runs another")()

    state = run(outer)

    assert_states(state, {one: "Success"})
    assert state.result[one].result == "Cancelled"


def test_nothing_is_interrupted_that_comes_after_the_run() -> None:
    stop = threading.Event()
    asked = [0]

    def ask_on() -> None:
        while not stop.is_set():
            asked[0] += cancel_run(RUN, "Enough.")

    asking = threading.Thread(target=ask_on)
    with Flow("short") as flow:
        task(lambda: time.sleep(0.001), name="short")()
    asking.start()
    ends = set()

    try:
        for _ in range(100):
            ends.add(type(run(flow)).__name__)
            sum(range(1000))
    finally:
        stop.set()
        asking.join()

    assert asked[0] > 0
    assert ends <= {"Cancelled", "Success"}


def test_nobody_cancels_a_run_that_is_not_here() -> None:
    with Flow("over") as flow:
        task(lambda: None, name="one")()
    run(flow)

    assert not cancel_run(RUN, "Too late.")


def test_ctrl_c_beside_it_still_interrupts_the_cell() -> None:
    with Flow("both") as flow:

        @task
        def holds() -> None:
            try:
                cancelled_soon()
                time.sleep(LONG_S)
            except CancelAsked:
                os.kill(os.getpid(), signal.SIGINT)

        holds()

    with pytest.raises(KeyboardInterrupt):
        run(flow)


def test_a_cancel_does_not_count_as_ctrl_c_and_its_first_reason_holds() -> None:
    def ask_and_wait(interrupts: Interrupts) -> None:
        threading.Thread(target=interrupts.cancel, args=("Enough.",)).start()
        time.sleep(LONG_S)

    with Interrupts(lambda: None) as interrupts:
        with interrupts.user_code(), pytest.raises(CancelAsked, match="Enough"):
            ask_and_wait(interrupts)
        interrupts.cancel("Again.")

    assert (interrupts.cancel_reason, interrupts.asked) == ("Enough.", False)


def test_the_history_says_cancelled_with_the_reason() -> None:
    log = MemoryEventLog()
    with Flow("told") as flow:

        @task
        def holds() -> None:
            cancelled_soon()
            time.sleep(LONG_S)

        holds()

    run_flow_for_test(flow, event_log=log, flow_run_id=RUN, executor=LocalExecutor())

    row = log.run(RUN)
    assert (row.state, row.message) == (S.CANCELLED, "Enough.")
