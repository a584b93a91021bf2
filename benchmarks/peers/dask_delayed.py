"""Dask as its users write it: delayed calls, then one compute."""

import time

import dask
import shapes
from dask.delayed import Delayed
from measure import Act, Case, main


@dask.delayed(pure=False)
def nothing(*_upstream: None) -> None: ...


def build(parents: shapes.Parents) -> list[Delayed]:
    calls: list[Delayed] = []
    for upstream in parents:
        calls.append(nothing(*[calls[i] for i in upstream]))
    return [calls[i] for i in shapes.leaves(parents)]


def overhead(case: Case) -> Act:
    parents = case.parents

    def act() -> None:
        dask.compute(*build(parents), scheduler="threads", num_workers=2)

    return act


def memory(case: Case) -> Act:
    ends = build(case.parents)

    def act() -> None:
        dask.compute(*ends, scheduler="threads", num_workers=2)

    return act


def sleep(case: Case) -> Act:
    def act() -> None:
        rest = dask.delayed(time.sleep, pure=False)
        dask.compute(*[rest(0.01) for _ in range(case.n)], scheduler="threads", num_workers=64)

    return act


if __name__ == "__main__":
    main({"overhead": overhead, "memory": memory, "sleep": sleep})
