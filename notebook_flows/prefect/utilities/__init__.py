"""What notebooks for Prefect 1 import from its utilities."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {},
    modules="context debug edges logging notifications tasks",
)
