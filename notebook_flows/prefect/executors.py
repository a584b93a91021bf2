"""Prefect 1's executors, as ours."""

from __future__ import annotations

from typing import Any, NoReturn

from notebook_flows.errors import UnavailableError
from notebook_flows.executors import LocalExecutor, ProcessExecutor, ThreadExecutor
from notebook_flows.prefect._missing import advice_for

__all__ = ["DaskExecutor", "LocalDaskExecutor", "LocalExecutor"]


def LocalDaskExecutor(  # noqa: N802 - a class in Prefect 1
    scheduler: str = "threads", *, num_workers: int | None = None, **options: Any
) -> LocalExecutor | ThreadExecutor | ProcessExecutor:
    """Threads, processes, or one task after the other; without Dask.

    Raises:
        ValueError: no such scheduler.
        UnavailableError: options that are Dask's own.

    >>> LocalDaskExecutor(scheduler="threads", num_workers=8).name
    'threads(8)'
    """
    if options:
        listed = ", ".join(sorted(options))
        raise UnavailableError(
            f"notebook_flows runs without Dask and does not offer its options: {listed}. Instead: num_workers=..."
        )
    match scheduler:
        case "threads" | "threading":
            return ThreadExecutor(num_workers)
        case "processes" | "multiprocessing":
            return ProcessExecutor(num_workers)
        case "synchronous" | "sync" | "single-threaded":
            return LocalExecutor()
    raise ValueError(f"The scheduler is threads, processes or synchronous, not {scheduler!r}.")


def DaskExecutor(*args: Any, **options: Any) -> NoReturn:  # noqa: N802 - a class in Prefect 1
    """Not offered yet.

    Raises:
        UnavailableError: with what to use instead.
    """
    raise UnavailableError(
        f"notebook_flows does not offer prefect.executors.DaskExecutor. Instead: {advice_for('executors.DaskExecutor')}"
    )


def __getattr__(name: str) -> Any:
    if name == "Executor":
        from notebook_flows.engine.ports import Executor

        return Executor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
