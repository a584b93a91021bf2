"""Async tasks side by side, under a running loop too; and flow runs inside tasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from notebook_flows import Flow, signals, task
from notebook_flows.core.context import context
from notebook_flows.workspace import event_log


class Meeting:
    """Lets everybody wait until so many are there."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.present = 0
        self.event: asyncio.Event | None = None

    async def join(self) -> int:
        if self.event is None:
            self.event = asyncio.Event()
        self.present += 1
        if self.present == self.size:
            self.event.set()
        await asyncio.wait_for(self.event.wait(), 10)
        return self.present


EXECUTORS = pytest.mark.parametrize("executor", ["local", "threads:2"])


@EXECUTORS
def test_async_tasks_run_side_by_side(executor: str) -> None:
    meeting = Meeting(50)

    @task
    async def join() -> int:
        return await meeting.join()

    with Flow("f") as f:
        calls = [join() for _ in range(50)]

    state = f.run(executor=executor)

    assert state.is_successful()
    assert state.result[calls[0]].result == 50


@EXECUTORS
def test_children_of_an_async_task_run_side_by_side(executor: str) -> None:
    meeting = Meeting(20)

    @task
    async def join(x: int) -> int:
        await meeting.join()
        return x

    with Flow("f") as f:
        made = join.map(list(range(20)))

    assert f.run(executor=executor).result[made].result == list(range(20))


@EXECUTORS
def test_async_and_plain_tasks_mix(executor: str) -> None:
    @task
    async def fetch(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("f") as f:
        made = fetch(double(fetch(1)))

    assert f.run(executor=executor).result[made].result == 5


def test_flows_run_under_a_running_loop() -> None:
    @task
    async def fetch() -> int:
        await asyncio.sleep(0)
        return 5

    @task
    def plain() -> int:
        return 6

    with Flow("f") as f:
        a, b = fetch(), plain()

    async def cell() -> Any:
        return f.run()

    state = asyncio.run(cell())
    assert (state.result[a].result, state.result[b].result) == (5, 6)


def run_of(function: Any, **options: Any) -> Any:
    with Flow("f") as f:
        call = task(**options)(function)() if options else task(function)()
    return f.run().result[call]


def test_an_async_task_that_raises_has_failed() -> None:
    async def step() -> None:
        raise ValueError("boom")

    assert isinstance(run_of(step).result, ValueError)


def test_async_tasks_have_signals_retries_and_timeouts() -> None:
    async def skip() -> None:
        raise signals.SKIP("no")

    async def flaky() -> int:
        if context.task_run_count < 3:
            raise ValueError
        return int(context.task_run_count)

    async def slow() -> None:
        await asyncio.sleep(10)

    async def loop() -> int:
        so_far = context.get("task_loop_result") or 0
        if so_far < 5:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    assert run_of(skip).is_skipped()
    assert run_of(flaky, max_retries=2, retry_delay=0).result == 3
    assert type(run_of(slow, timeout=0.05)).__name__ == "TimedOut"
    assert run_of(loop).result == 5


def test_async_tasks_know_their_context_and_their_handlers() -> None:
    seen: list[str] = []

    async def look() -> Any:
        await asyncio.sleep(0)
        return context.task_name, context.flow_name

    async def given(context: Any) -> Any:
        return context.flow_name

    state = run_of(look, state_handlers=[lambda _task, _old, new: seen.append(type(new).__name__)])

    assert state.result == ("look", "f")
    assert seen == ["Running", "Success"]
    assert run_of(given).result == "f"


def test_a_handler_of_an_async_task_may_change_its_state() -> None:
    from notebook_flows.core.state import Skipped

    async def step() -> int:
        return 1

    state = run_of(step, state_handlers=[lambda _task, _old, new: Skipped("no") if new.is_successful() else None])

    assert state.is_skipped()


def test_prints_and_targets_of_async_tasks(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows import LocalResult

    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory")

    @task(target="out.pkl", result=LocalResult(tmp_path), log_stdout=True)
    async def step() -> int:
        print("hello")
        return 5

    with Flow("f") as f:
        call = step()

    first, second = f.run(), f.run()

    assert (tmp_path / "out.pkl").is_file()
    assert second.result[call].is_cached()
    assert [line.message for line in event_log().log_lines(first.context["flow_run_id"])] == ["hello"]


def test_an_async_error_is_let_out_by_raise_on_exception() -> None:
    from notebook_flows import raise_on_exception

    async def step() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"), raise_on_exception():
        run_of(step)


# -- flows inside tasks ----------------------------------------------------------------------------------------------------


def test_a_flow_run_inside_a_task_knows_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory")

    with Flow("inner") as inner:
        made = task(lambda: context.flow_name)()

    @task
    def run_inner() -> Any:
        before = context.flow_name
        state = inner.run()
        return before, state.result[made].result, context.flow_name, state.context["flow_run_id"]

    with Flow("outer") as outer:
        call = run_inner()

    state = outer.run()

    before, inside, after, inner_id = state.result[call].result
    assert (before, inside, after) == ("outer", "inner", "outer")
    assert event_log().run(inner_id).parent_run_id == state.context["flow_run_id"]
    assert event_log().run(state.context["flow_run_id"]).parent_run_id is None


@EXECUTORS
def test_flows_inside_tasks_run_side_by_side(executor: str) -> None:
    with Flow("inner") as inner:
        made = task(lambda x: x * 2)(task(lambda: 21)())

    @task
    def run_inner(x: int) -> int:
        return x + inner.run().result[made].result

    with Flow("outer") as outer:
        call = run_inner.map([0, 1, 2, 3])

    assert outer.run(executor=executor).result[call].result == [42, 43, 44, 45]


def test_a_failed_inner_run_is_an_answer_not_a_failure() -> None:
    with Flow("inner") as inner:
        task(lambda: 1 / 0)()

    assert run_of(lambda: inner.run().is_failed()).result is True


def test_a_flow_may_be_written_inside_a_task() -> None:
    def step() -> int:
        with Flow("inner") as inner:
            made = task(lambda: 5)()
        return int(inner.run().result[made].result)

    assert run_of(step).result == 5
