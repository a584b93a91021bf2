"""The tasks that flows are built with; the task library is not offered."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {},
    modules="control_flow core",
)
