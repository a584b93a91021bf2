"""Where the times of a schedule come from."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.schedule.clocks": "Clock ClockEvent IntervalClock CronClock DatesClock RRuleClock",
    },
)
