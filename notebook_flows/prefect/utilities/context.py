"""What a running task may ask of its run."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.context": "Context context",
    },
)
