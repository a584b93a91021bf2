"""joblib.Memory: functions whose results are kept in files; it knows no graph, so they are called in turn."""

from joblib import Memory
from measure import Act, Case, main, run_before


def known(x: int) -> int:
    return x


def known_after(x: int) -> int:
    return x + 1


def cached_first(case: Case) -> Act:
    memory = Memory("joblib", verbose=0)
    first, after = memory.cache(known), memory.cache(known_after)
    parents = case.parents

    def act() -> None:
        values: list[int] = []
        for number, upstream in enumerate(parents):
            values.append(after(values[upstream[0]]) if upstream else first(number))

    return act


def cached(case: Case) -> Act:
    run_before(case)
    return cached_first(case)


if __name__ == "__main__":
    main({"cached": cached, "cached-first": cached_first})
