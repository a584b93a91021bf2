"""Tasks that gather values."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.collect": "List Tuple Set Dict",
    },
)
