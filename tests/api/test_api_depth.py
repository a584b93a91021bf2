"""Flows of 100,000 tasks: deep chains, wide fans, long maps, without any recursion."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from notebook_flows import Edge, Flow, Task, case, task
from notebook_flows.errors import FlowValidationError

DEEP = 100_000
WIDE = 30_000


@task
def step(x: int) -> int:
    return x + 1


@pytest.fixture(autouse=True)
def shallow_stack() -> Any:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_a_chain_of_100_000_runs(executor: str) -> None:
    with Flow("deep") as f:
        value = 0
        for _ in range(DEEP):
            value = step(value)

    state = f.run(executor=executor)

    assert state.result[value].result == DEEP


def test_a_chain_of_100_000_is_sorted_copied_and_told() -> None:
    f = Flow("deep")
    tasks = [Task(name="t") for _ in range(DEEP)]
    f.chain(*tasks)

    f.validate()

    assert f.sorted_tasks() == tuple(tasks)
    assert len(f.copy().edges) == DEEP - 1
    assert list(f.terminal_tasks()) == [tasks[-1]]
    assert f.slugs[tasks[-1]] == f"t-{DEEP}"


def test_a_cycle_of_100_000_is_found() -> None:
    f = Flow("deep")
    tasks = [Task(name="t") for _ in range(DEEP)]
    f.chain(*tasks, tasks[0])

    with pytest.raises(FlowValidationError, match="Cycle found"):
        f.validate()


def test_a_failure_goes_down_30_000_tasks() -> None:
    with Flow("deep") as f:
        value: Any = task(lambda: 1 / 0)()
        for _ in range(WIDE):
            value = step(value)

    state = f.run()

    assert type(state.result[value]).__name__ == "TriggerFailed"


def test_a_map_over_100_000_elements() -> None:
    with Flow("wide") as f:
        made = step.map(range(DEEP))
        total = task(lambda xs: sum(xs))(made)

    assert f.run().result[total].result == sum(range(1, DEEP + 1))


def test_a_task_may_wait_for_30_000_others() -> None:
    f = Flow("wide")
    last = Task(name="last")
    for _ in range(WIDE):
        f.edges.add(Edge(Task(), last))

    assert f.run().is_successful()


def test_400_maps_of_maps() -> None:
    with Flow("layers") as f:
        made: Any = [0, 0]
        for _ in range(400):
            made = step.map(made)

    assert f.run().result[made].result == [400, 400]


def test_a_deeply_nested_constant_and_300_nested_cases() -> None:
    nested: Any = []
    for _ in range(300):
        nested = [nested]
    with Flow("deep") as f:
        made = task(lambda x: len(x))(nested)
        condition = step(0)
        blocks = [case(condition, 1) for _ in range(300)]
        for block in blocks:
            block.__enter__()
        inside = step(1)
        for block in reversed(blocks):
            block.__exit__(None, None, None)

    state = f.run()
    assert (state.result[made].result, state.result[inside].result) == (1, 2)
