"""Executors, where they stood before Prefect 0.14."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.prefect.executors": "Executor LocalExecutor LocalDaskExecutor DaskExecutor",
    },
)
