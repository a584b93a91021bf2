"""How an argument of a mapped task is to be taken."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.mapping": "EdgeAnnotation mapped unmapped flatten",
    },
)
