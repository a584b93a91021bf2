"""Which times of a schedule count."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.schedule.filters": (
            "on_datetime between_datetimes on_date between_dates at_time between_times is_weekday is_weekend "
            "is_day_of_week is_month_start is_month_end"
        ),
    },
)
