"""Prefect 3 with its own local server, which the warm-up has started; the server's CPU is counted, its start is not."""

import time

import shapes
from measure import Act, Case, main
from prefect import flow, task
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner


@task
def nothing(*_upstream: None) -> None: ...


@task
def rest() -> None:
    time.sleep(0.01)


def overhead(case: Case) -> Act:
    parents = case.parents

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def measured() -> None:
        calls: list = []
        for upstream in parents:
            calls.append(nothing.submit(*[calls[i] for i in upstream]))
        wait([calls[i] for i in shapes.leaves(parents)])

    return measured


def sleep(case: Case) -> Act:
    @flow(task_runner=ThreadPoolTaskRunner(max_workers=64))
    def measured() -> None:
        wait([rest.submit() for _ in range(case.n)])

    return measured


if __name__ == "__main__":
    main({"overhead": overhead, "sleep": sleep})
