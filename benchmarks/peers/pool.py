"""The standard library's pools, the yardstick: no graph, only as many no-ops, waited for layer by layer."""

import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import shapes
from measure import Act, Case, main

SLEEP_S = 0.01


def nothing() -> None: ...


def pool_for(case: Case, workers: int = 2) -> Executor:
    return ProcessPoolExecutor(workers) if case.variant == "processes" else ThreadPoolExecutor(workers)


def overhead(case: Case) -> Act:
    def act() -> None:
        with pool_for(case) as pool:
            for size in shapes.layer_sizes(case.shape, case.n):
                for future in [pool.submit(nothing) for _ in range(size)]:
                    future.result()

    return act


def sleep(case: Case) -> Act:
    def act() -> None:
        with pool_for(case, workers=64) as pool:
            for future in [pool.submit(time.sleep, SLEEP_S) for _ in range(case.n)]:
                future.result()

    return act


if __name__ == "__main__":
    main({"overhead": overhead, "memory": overhead, "sleep": sleep})
