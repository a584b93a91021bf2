"""Resources: set up before, cleaned up after, whatever happened."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from notebook_flows import Flow, Task, ThreadExecutor, apply_map, case, resource_manager, signals, task
from notebook_flows.core.resource import ResourceBlock


@pytest.fixture
def happened() -> list[str]:
    return []


@pytest.fixture
def pool(happened: list[str]) -> Any:
    @resource_manager
    class Pool:
        def __init__(self, size: int = 1, broken: str = "") -> None:
            self.size = size
            self.broken = broken
            self._do("init")

        def _do(self, step: str) -> None:
            happened.append(step)
            if self.broken == step:
                raise RuntimeError(step)

        def setup(self) -> str:
            self._do("setup")
            return f"pool of {self.size}"

        def cleanup(self, resource: str) -> None:
            happened.append(f"cleanup {resource}")
            if self.broken == "cleanup":
                raise RuntimeError("cleanup")

    return Pool


@pytest.fixture
def use(happened: list[str]) -> Any:
    @task
    def use(resource: str, how: str = "") -> str:
        happened.append(f"use {how}".strip())
        if how == "fail":
            raise ValueError(how)
        if how == "skip":
            raise signals.SKIP(how)
        return resource

    return use


def names(tasks: Any) -> list[str]:
    return [each.name for each in tasks]


def test_a_resource_is_set_up_used_and_cleaned_up(pool: Any, use: Any, happened: list[str]) -> None:
    with Flow("f") as f, pool(5) as resource:
        made = use(resource)

    state = f.run()

    assert happened == ["init", "setup", "use", "cleanup pool of 5"]
    assert state.result[made].result == "pool of 5"
    assert names(f.tasks) == ["Pool", "Pool.setup", "use", "Pool.cleanup"]


def test_tasks_that_do_not_name_the_resource_run_inside_too(pool: Any, happened: list[str]) -> None:
    @task
    def other() -> None:
        happened.append("other")

    with Flow("f") as f, pool():
        other()

    f.run()
    assert happened == ["init", "setup", "other", "cleanup pool of 1"]


@pytest.mark.parametrize(
    ("how", "ends_well"),
    [("fail", False), ("skip", True), ("", True)],
)
def test_clean_up_runs_whatever_happened_inside(
    pool: Any, use: Any, happened: list[str], how: str, ends_well: bool
) -> None:
    with Flow("f") as f, pool() as resource:
        use(resource, how)
        use(resource, "other")

    state = f.run()

    assert happened[-1] == "cleanup pool of 1"
    assert "use other" in happened
    assert state.is_successful() is ends_well


@pytest.mark.parametrize("broken", ["init", "setup"])
def test_what_was_not_set_up_is_neither_used_nor_cleaned_up(
    pool: Any, use: Any, happened: list[str], broken: str
) -> None:
    with Flow("f") as f, pool(broken=broken) as resource:
        made = use(resource)

    state = f.run()

    assert happened[-1] == broken
    assert type(state.result[made]).__name__ == "TriggerFailed"
    assert type(state.result[f.get_tasks(name="Pool.cleanup")[0]]).__name__ == "TriggerFailed"
    assert state.is_failed()


def test_a_clean_up_that_fails_does_not_decide_how_the_flow_ends(pool: Any, use: Any) -> None:
    with Flow("f") as f, pool(broken="cleanup") as resource:
        use(resource)

    state = f.run()

    assert state.is_successful()
    assert state.result[f.get_tasks(name="Pool.cleanup")[0]].is_failed()
    assert names(f.reference_tasks()) == ["use"]


def test_arguments_of_a_resource_may_be_tasks(pool: Any, use: Any) -> None:
    @task
    def size() -> int:
        return 7

    with Flow("f") as f, pool(size=size()) as resource:
        made = use(resource)

    assert f.run().result[made].result == "pool of 7"


def test_resources_nest(pool: Any, use: Any, happened: list[str]) -> None:
    with Flow("f") as f, pool(1) as outer, pool(2) as inner:
        use(outer)
        use(inner)

    assert f.run().is_successful()
    assert happened[-2:] == ["cleanup pool of 2", "cleanup pool of 1"]


def test_a_resource_in_a_branch_that_is_not_taken_is_never_made(pool: Any, use: Any, happened: list[str]) -> None:
    @task
    def no() -> bool:
        return False

    with Flow("f") as f, case(no(), True), pool() as resource:
        use(resource)

    assert f.run().is_successful()
    assert happened == []


def test_a_skipped_resource_skips_its_clean_up(pool: Any, use: Any, happened: list[str]) -> None:
    @task
    def size() -> int:
        raise signals.SKIP("none needed")

    with Flow("f") as f, pool(size()) as resource:
        use(resource)

    state = f.run()
    assert {type(each).__name__ for each in state.result.values()} == {"Skipped"}
    assert happened == []


def test_options_of_the_three_tasks_can_be_given() -> None:
    class Pool:
        def setup(self) -> None: ...
        def cleanup(self, resource: None) -> None: ...

    manager = resource_manager(
        Pool,
        name="db",
        init_task_kwargs={"tags": ["i"]},
        setup_task_kwargs={"tags": ["s"]},
        cleanup_task_kwargs={"tags": ["c"]},
    )
    with Flow("f") as f, manager():
        pass

    assert [(each.name, each.tags) for each in f.tasks] == [("db", {"i"}), ("db.setup", {"s"}), ("db.cleanup", {"c"})]


def test_the_decorator_takes_options_too() -> None:
    @resource_manager(name="db")
    class Pool:
        def setup(self) -> None: ...
        def cleanup(self, resource: None) -> None: ...

    assert Pool.name == "db"


@pytest.mark.parametrize("missing", ["setup", "cleanup"])
def test_a_class_without_both_methods_is_refused(missing: str) -> None:
    methods = {name: lambda self, *_: None for name in ("setup", "cleanup") if name != missing}

    with pytest.raises(TypeError, match=f"has no {missing}"):
        resource_manager(type("Half", (), methods))


def test_a_resource_needs_a_flow_and_a_with_block(pool: Any) -> None:
    with pytest.raises(ValueError, match="Could not infer an active Flow context"):
        pool()

    block = pool(flow=Flow("f"))
    assert isinstance(block, ResourceBlock)
    with pytest.raises(TypeError, match="`with` block"):
        _, _ = block


def test_an_error_inside_the_block_closes_it(pool: Any) -> None:
    with Flow("f") as f:
        with pytest.raises(ZeroDivisionError), pool():
            1 / 0
        outside = Task(name="outside").bind()

    assert not f.edges_to(outside)


# -- fail_fast -------------------------------------------------------------------------------------------------------------


def test_after_a_failure_with_fail_fast_what_is_up_is_cleaned_up_from_the_inside(
    pool: Any, use: Any, happened: list[str]
) -> None:
    with Flow("f", fail_fast=True) as f, pool(1) as outer, pool(2) as inner:
        use(inner, "fail")
        use(outer, "never")

    state = f.run()

    assert state.is_failed()
    assert happened[-3:] == ["use fail", "cleanup pool of 2", "cleanup pool of 1"]
    assert "use never" not in happened


def test_with_fail_fast_what_was_not_set_up_is_not_cleaned_up(pool: Any, use: Any, happened: list[str]) -> None:
    with Flow("f", fail_fast=True) as f, pool(broken="setup") as resource:
        use(resource)

    assert f.run().is_failed()
    assert happened == ["init", "setup"]


def test_with_fail_fast_a_resource_is_cleaned_up_after_those_who_still_use_it(
    pool: Any, use: Any, happened: list[str]
) -> None:
    has_failed = threading.Event()

    @task
    def slow(resource: str) -> None:
        has_failed.wait(5)
        time.sleep(0.05)
        happened.append("slow")

    @task
    def bad(resource: str) -> None:
        has_failed.set()
        raise ValueError

    with Flow("f", fail_fast=True) as f, pool() as resource:
        slow(resource)
        bad(resource)

    f.run(executor=ThreadExecutor(2))
    assert happened[-2:] == ["slow", "cleanup pool of 1"]


def test_with_fail_fast_a_clean_up_may_fail_and_be_tried_again(use: Any, happened: list[str]) -> None:
    class Pool:
        def setup(self) -> str:
            return "pool"

        def cleanup(self, resource: str) -> None:
            happened.append("cleanup")
            if happened.count("cleanup") == 1:
                raise RuntimeError

    manager = resource_manager(Pool, cleanup_task_kwargs={"max_retries": 1, "retry_delay": 0.05})
    with Flow("f", fail_fast=True) as f, manager() as resource:
        use(resource, "fail")

    state = f.run()
    assert happened == ["use fail", "cleanup", "cleanup"]
    assert state.result[f.get_tasks(name="Pool.cleanup")[0]].is_successful()


def test_with_fail_fast_each_resource_of_a_map_is_cleaned_up(pool: Any, use: Any, happened: list[str]) -> None:
    def work(size: Task) -> Task:
        with pool(size) as resource:
            return use(resource, "fail")

    with Flow("f", fail_fast=True) as f:
        apply_map(work, [1, 2])

    f.run()
    assert "cleanup pool of 1" in happened
    assert happened.count("setup") == sum(one.startswith("cleanup") for one in happened)


def test_a_flow_that_runs_out_of_time_cleans_nothing_up(pool: Any, happened: list[str]) -> None:
    @task
    def slow(resource: str) -> None:
        time.sleep(5)

    with Flow("f", timeout=0.1) as f, pool() as resource:
        slow(resource)

    assert type(f.run()).__name__ == "TimedOut"
    assert happened == ["init", "setup"]
