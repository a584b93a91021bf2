"""Doit, run in this process, with its database in the working folder."""

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import shapes
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.tools import config_changed, result_dep
from measure import Act, Case, main, run_before

Tasks = list[dict[str, object]]


def nothing() -> None: ...


def rest() -> None:
    time.sleep(0.01)


def tasks_of(parents: shapes.Parents, do: Callable[[], None] = nothing) -> Tasks:
    return [
        {"basename": f"t{i}", "actions": [do], "task_dep": [f"t{j}" for j in upstream]}
        for i, upstream in enumerate(parents)
    ]


def run(tasks: Tasks, *options: str, database: str | None = None) -> None:
    def task_all() -> Iterator[dict[str, object]]:
        yield from tasks

    setting = {"dep_file": database or f"{uuid4().hex}.db", "reporter": "zero", "verbosity": 0}
    code = DoitMain(ModuleTaskLoader({"task_all": task_all, "DOIT_CONFIG": setting})).run(["run", *options])
    if code:
        raise SystemExit(code)


def overhead(case: Case) -> Act:
    parents = case.parents

    def act() -> None:
        run(tasks_of(parents))

    return act


def told(x: int) -> dict[str, int]:
    return {"x": x}


def cached_first(case: Case) -> Act:
    """Tasks that are up to date while their constant, or the result of the task before, is the same."""
    tasks: Tasks = []
    for i, upstream in enumerate(case.parents):
        same = [result_dep(f"t{j}") for j in upstream] or [config_changed(str(i))]
        tasks.append({"basename": f"t{i}", "actions": [(told, (i,))], "uptodate": same})

    def act() -> None:
        run(tasks, database=f"cached-{case.n}.db")

    return act


def cached(case: Case) -> Act:
    run_before(case)
    return cached_first(case)


def memory(case: Case) -> Act:
    tasks = tasks_of(case.parents)

    def act() -> None:
        run(tasks)

    return act


def sleep(case: Case) -> Act:
    def act() -> None:
        run(tasks_of([()] * case.n, rest), "-n", "64", "-P", "thread")

    return act


if __name__ == "__main__":
    main({"overhead": overhead, "cached": cached, "cached-first": cached_first, "memory": memory, "sleep": sleep})
