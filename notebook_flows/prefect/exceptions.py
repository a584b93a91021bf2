"""Prefect 1's names of errors."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.errors": "PrefectException=FlowError",
        "notebook_flows.engine.timeouts": "TaskTimeoutSignal=TaskTimeout",
    },
)
