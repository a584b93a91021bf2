"""Times of a schedule, moved."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.schedule.adjustments": "add next_weekday",
    },
)
