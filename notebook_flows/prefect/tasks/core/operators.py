"""What Python's operators on tasks make."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.operators": (
            "GetItem GetAttr Add Sub Mul Div FloorDiv Pow Mod And Or Not Equal NotEqual GreaterThan "
            "GreaterThanOrEqual LessThan LessThanOrEqual"
        ),
    },
)
