"""Constants, collections, operators, functions."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {},
    modules="collections constants function operators resource_manager",
)
