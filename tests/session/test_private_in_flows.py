"""Task cells as tasks of our engine."""

from __future__ import annotations

from typing import Any

import pytest
from cells import ListSink, a_cell, a_notebook

from notebook_flows.core.flow import Flow
from notebook_flows.executors import ProcessExecutor, ThreadExecutor
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.landing import land
from notebook_flows.session.lanes import Lane
from notebook_flows.session.private import NeedsRealNamespace
from notebook_flows.workspace import run_flow


def a_task(text: str, user_ns: dict[str, Any], sink: ListSink | None = None, **more: Any) -> KernelCellTask:
    own = ListSink() if sink is None else sink
    return KernelCellTask(
        a_cell(text, more.pop("name", "task")), user_ns=user_ns, sink=lambda: own, **{"inputs": dict, **more}
    )


def ended(executor: Any, *tasks: KernelCellTask) -> Any:
    flow = Flow("notebook")
    for task in tasks:
        flow.add_task(task)
    return run_flow(flow, executor=executor, history=False)


@pytest.mark.parametrize(
    ("executor", "lane"), [(ThreadExecutor(2), Lane.THREADS), (ProcessExecutor(2), Lane.PROCESSES)]
)
def test_the_value_of_a_task_is_what_its_cell_has_bound(executor: Any, lane: Lane) -> None:
    user_ns = a_notebook("x = 1")
    first, second = a_task("y = x + 1", user_ns, lane=lane, name="a"), a_task("z = x + 2", user_ns, lane=lane, name="b")

    state = ended(executor, first, second)

    assert state.is_successful()
    land([task.values_of(state.result[task].result) for task in (first, second)], user_ns)
    assert (user_ns["y"], user_ns["z"]) == (2, 3)


@pytest.mark.parametrize(
    ("executor", "lane"), [(ThreadExecutor(1), Lane.THREADS), (ProcessExecutor(1), Lane.PROCESSES)]
)
def test_a_retry_gets_its_inputs_anew(executor: Any, lane: Lane, tmp_path: Any) -> None:
    user_ns, given = a_notebook(), iter([0, 4])
    task = a_task("y = 8 // x", user_ns, lane=lane, inputs=lambda: {"x": next(given)}, max_retries=1, retry_delay=0)

    state = ended(executor, task)

    assert task.values_of(state.result[task].result).bound["y"] == 2


def test_a_cell_that_cannot_run_privately_runs_alone() -> None:
    user_ns = a_notebook("class C:\n    def m(self): return k\nk = 1\nc = C()")
    asked: list[str] = []

    def alone(make: Any) -> Any:
        asked.append("alone")
        return make()

    task = a_task("k = 2\ny = c.m()", user_ns, alone=alone)

    state = ended(ThreadExecutor(1), task)

    assert task.values_of(state.result[task].result).bound["y"] == 2
    assert user_ns["k"] == 1
    assert asked == ["alone", "alone"]


def test_after_all_has_landed_it_may_run_privately_after_all() -> None:
    user_ns = a_notebook("class C:\n    def m(self): return k\nk = 1\nc = C()")
    asked: list[str] = []

    def alone(make: Any) -> Any:
        user_ns["k"] = 5
        asked.append("alone")
        return make()

    task = a_task("y = c.m()", user_ns, alone=alone, inputs=lambda: {"k": 5 if asked else 3})

    state = ended(ThreadExecutor(1), task)

    assert task.values_of(state.result[task].result).bound["y"] == 5
    assert asked == ["alone"]


def test_without_a_way_to_run_alone_it_says_why() -> None:
    user_ns = a_notebook("class C:\n    def m(self): return k\nk = 1\nc = C()")
    task = a_task("k = 2\ny = c.m()", user_ns)

    state = ended(ThreadExecutor(1), task)

    assert isinstance(state.result[task].result, NeedsRealNamespace)
