"""States, signals, results."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {},
    modules="cache_validators executors results serializers signals state",
)
