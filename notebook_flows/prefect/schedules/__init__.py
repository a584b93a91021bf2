"""When a flow is due."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.schedule": "Schedule IntervalSchedule CronSchedule RRuleSchedule",
    },
    modules="adjustments clocks filters schedules",
)
