"""Dask's threaded scheduler on a plain dict of tasks, its fastest way."""

import time

import shapes
from dask import threaded
from measure import Act, Case, main


def nothing(*_upstream: None) -> None: ...


def graph_of(parents: shapes.Parents) -> dict[str, tuple]:
    return {f"t{i}": (nothing, *[f"t{j}" for j in upstream]) for i, upstream in enumerate(parents)}


def overhead(case: Case) -> Act:
    parents = case.parents
    wanted = [f"t{i}" for i in shapes.leaves(parents)]

    def act() -> None:
        threaded.get(graph_of(parents), wanted, num_workers=2)

    return act


def memory(case: Case) -> Act:
    graph = graph_of(case.parents)
    wanted = [f"t{i}" for i in shapes.leaves(case.parents)]

    def act() -> None:
        threaded.get(graph, wanted, num_workers=2)

    return act


def sleep(case: Case) -> Act:
    def act() -> None:
        graph = {f"t{i}": (time.sleep, 0.01) for i in range(case.n)}
        threaded.get(graph, list(graph), num_workers=64)

    return act


if __name__ == "__main__":
    main({"overhead": overhead, "memory": memory, "sleep": sleep})
