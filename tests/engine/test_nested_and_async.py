"""Runs inside tasks, and tasks that are coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from notebook_flows import Flow, LocalExecutor, ThreadExecutor, task
from notebook_flows.core.lifecycle import S
from notebook_flows.testing import InlineExecutor, MemoryEventLog, assert_states, run_flow_for_test

OUTER = "6" * 32
HERE = [InlineExecutor, LocalExecutor, lambda: ThreadExecutor(2)]


# -- a run in a task ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", HERE)
def test_a_flow_that_a_task_runs_is_a_run_of_its_own_that_knows_its_parent(executor: Any) -> None:
    log = MemoryEventLog()
    with Flow("inner") as inner:
        value = task(lambda: 7, name="seven")()
    with Flow("outer") as outer:
        nested = task(lambda: inner.run().result[value].result, name="nested")()

    state = run_flow_for_test(outer, executor=executor(), event_log=log, flow_run_id=OUTER)

    assert state.result[nested].result == 7
    inner_run, outer_run = sorted(log.runs(), key=lambda run: run.flow)
    assert (inner_run.flow, inner_run.parent_run_id) == ("inner", outer_run.run_id)
    assert (inner_run.state, outer_run.parent_run_id) == (S.SUCCESS, None)


def test_what_fails_inside_is_a_state_there_and_a_value_outside() -> None:
    with Flow("inner") as inner:
        task(lambda: 1 / 0, name="bad")()
    with Flow("outer") as outer:
        nested = task(inner.run, name="nested")()

    state = run_flow_for_test(outer)

    assert state.is_successful()
    assert state.result[nested].result.is_failed()


def test_log_lines_of_the_inner_run_are_its_own() -> None:
    import logging

    log = MemoryEventLog()
    with Flow("inner") as inner:
        task(lambda: logging.getLogger("x").warning("inner"), name="talks")()

    def talk() -> None:
        logging.getLogger("x").warning("before")
        inner.run(flow_run_id="7" * 32)
        logging.getLogger("x").warning("after")

    with Flow("outer") as outer:
        task(talk)()

    run_flow_for_test(outer, event_log=log, flow_run_id=OUTER)

    assert [row.message for row in log.log_lines(OUTER)] == ["before", "after"]
    assert [row.message for row in log.log_lines("7" * 32)] == ["inner"]


def test_ten_deep() -> None:
    def run_in(depth: int) -> int:
        with Flow(f"depth {depth}") as flow:
            one = task(lambda: 0 if depth == 0 else run_in(depth - 1) + 1, name="one")()
        return int(flow.run().result[one].result)

    with Flow("outermost") as outermost:
        one = task(lambda: run_in(10), name="one")()

    assert run_flow_for_test(outermost).result[one].result == 10


# -- coroutines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", HERE)
def test_async_tasks_run_side_by_side(executor: Any) -> None:
    """Each waits for all others: one after the other they would never end."""
    here: list[int] = []

    @task
    async def meet(x: int) -> int:
        here.append(x)
        while len(here) < 5:  # noqa: ASYNC110 - an asyncio.Event would have to belong to the engine's loop
            await asyncio.sleep(0)
        return x

    with Flow("meeting") as flow:
        all_of_them = [meet(x) for x in range(5)]
        total = task(lambda numbers: sum(numbers), name="total")(all_of_them)

    state = run_flow_for_test(flow, executor=executor())

    assert state.result[total].result == 10


def test_while_async_tasks_wait_others_run() -> None:
    went_on = threading.Event()

    @task
    async def waits() -> bool:
        return await asyncio.to_thread(went_on.wait, 20)

    with Flow("both") as flow:
        waited = waits()
        task(went_on.set, name="goes on")()

    state = run_flow_for_test(flow, executor=LocalExecutor())

    assert state.result[waited].result is True


def test_the_engine_does_not_spin_while_async_tasks_wait() -> None:
    @task
    async def waits() -> None:
        await asyncio.sleep(0.5)

    with Flow("lazy") as flow:
        waits()
    begun_s = time.process_time()

    run_flow_for_test(flow, executor=LocalExecutor())

    assert time.process_time() - begun_s < 0.25


@pytest.mark.parametrize("executor", HERE)
def test_an_async_task_may_be_mapped_fail_and_be_tried_again(executor: Any) -> None:
    tries: list[int] = []

    @task(max_retries=1, retry_delay=0)
    async def shaky(x: int) -> int:
        await asyncio.sleep(0)
        tries.append(x)
        if x == 2 or tries.count(x) < 2:
            raise ConnectionError(x)
        return x

    with Flow("shaky") as flow:
        found = shaky.map([1, 2, 3])

    state = run_flow_for_test(flow, executor=executor())

    assert [type(child).__name__ for child in state.result[found].map_states] == ["Success", "Failed", "Success"]
    assert sorted(tries) == [1, 1, 2, 2, 3, 3]


def test_an_async_task_has_its_timeout() -> None:
    @task(timeout=0.05)
    async def endless() -> None:
        await asyncio.sleep(60)

    with Flow("endless") as flow:
        one = endless()

    assert_states(run_flow_for_test(flow), {one: "TimedOut"})


def test_an_async_task_sees_the_context_variables_of_the_run() -> None:
    here = contextvars.ContextVar("here", default="nothing")
    here.set("something")

    @task
    async def look() -> str:
        await asyncio.sleep(0)
        return here.get()

    with Flow("looking") as flow:
        one = look()

    assert run_flow_for_test(flow).result[one].result == "something"


def test_under_a_running_loop_a_flow_runs_as_well() -> None:
    @task
    async def seven() -> int:
        await asyncio.sleep(0)
        return 7

    with Flow("inside") as flow:
        one = seven()

    async def notebook() -> Any:
        return run_flow_for_test(flow).result[one].result

    assert asyncio.run(notebook()) == 7
