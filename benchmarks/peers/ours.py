"""notebook_flows through its public API, history in a SQLite file of the working folder unless it is switched off."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import shapes
from measure import Act, Case, main, run_before

from notebook_flows import Flow, LocalExecutor, ProcessExecutor, ThreadExecutor, task

EXECUTORS = {"local": LocalExecutor, "threads": ThreadExecutor, "processes": ProcessExecutor}


@task
def root() -> None: ...


@task
def after_one(_a: None) -> None: ...


@task
def after_two(_a: None, _b: None) -> None: ...


@task(cache=True)
def known(x: int) -> int:
    return x


@task(cache=True)
def known_after(x: int) -> int:
    return x + 1


@task
def rest() -> None:
    time.sleep(0.01)


def executor_for(case: Case, workers: int = 2) -> Any:
    return LocalExecutor() if case.variant == "local" else EXECUTORS[case.variant](workers)


def build(parents: shapes.Parents) -> Flow:
    by_number_of_upstream = (root, after_one, after_two)
    with Flow("measured") as flow:
        calls: list[Any] = []
        for upstream in parents:
            calls.append(by_number_of_upstream[len(upstream)](*[calls[i] for i in upstream]))
    return flow


def run(flow: Flow, executor: Any) -> None:
    state = flow.run(executor=executor)
    if not state.is_successful():
        raise RuntimeError(state.message)


def overhead(case: Case) -> Act:
    parents, executor = case.parents, executor_for(case)

    def act() -> dict[str, float]:
        before = time.process_time()
        flow = build(parents)
        build_cpu_s = time.process_time() - before
        run(flow, executor)
        return {"build_cpu_s": build_cpu_s}

    return act


def cached_first(case: Case) -> Act:
    flow = build_cached(case.parents)
    executor = executor_for(case)

    def act() -> None:
        run(flow, executor)

    return act


def cached(case: Case) -> Act:
    """A run in which nothing runs: another process has run the same before."""
    run_before(case)
    flow = build_cached(case.parents)
    flow.validate()
    executor = executor_for(case)

    def act() -> None:
        state = flow.run(executor=executor)
        if not all(state.result[one].is_cached() for one in list(state.result)[::1000]):
            raise RuntimeError(f"something has run: {state.message}")

    return act


def build_cached(parents: shapes.Parents) -> Flow:
    with Flow("measured") as flow:
        calls: list[Any] = []
        for number, upstream in enumerate(parents):
            calls.append(known_after(calls[upstream[0]]) if upstream else known(number))
    return flow


def memory(case: Case) -> Act:
    flow, executor = build(case.parents), executor_for(case)

    def act() -> None:
        run(flow, executor)

    return act


def sleep(case: Case) -> Act:
    executor = executor_for(case, workers=64)

    def act() -> None:
        with Flow("rests") as flow:
            for _ in range(case.n):
                rest()
        run(flow, executor)

    return act


def validate(case: Case) -> Act:
    flow = build(case.parents)

    def act() -> None:
        flow.validate()

    return act


def history(case: Case) -> Act:
    """The rate at which a whole run writes: what it records, by the wall time of run()."""
    flow, executor = build(case.parents), executor_for(case)

    def act() -> dict[str, float]:
        before = events_written()
        began = time.perf_counter()
        run(flow, executor)
        wall_s = time.perf_counter() - began
        return {"transitions": events_written() - before, "run_wall_s": wall_s}

    return act


def events_written() -> int:
    store = Path(os.environ["NOTEBOOK_FLOWS_STORE"])
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as db:
        return db.execute("SELECT count(*) FROM event").fetchone()[0]


if __name__ == "__main__":
    main(
        {
            "overhead": overhead,
            "cached": cached,
            "cached-first": cached_first,
            "memory": memory,
            "sleep": sleep,
            "validate": validate,
            "history": history,
        }
    )
