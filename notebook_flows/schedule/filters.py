"""Filters: which of the clocks' times count. Each takes a time as the wall clock shows it and says yes or no."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeAlias

from notebook_flows.schedule.errors import ScheduleError
from notebook_flows.schedule.zones import as_utc

if TYPE_CHECKING:
    from collections.abc import Callable

    Filter: TypeAlias = Callable[[datetime], bool]

_LEAP_YEAR = 2000
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def on_datetime(dt: datetime) -> Filter:
    """Only this moment; without a zone it is UTC."""
    moment = as_utc(dt, "on_datetime's dt")
    return lambda candidate: as_utc(candidate) == moment


def between_datetimes(start: datetime, end: datetime) -> Filter:
    """From this moment to that one, both included; without a zone they are UTC."""
    first, last = as_utc(start, "between_datetimes' start"), as_utc(end, "between_datetimes' end")
    return lambda candidate: first <= as_utc(candidate) <= last


def on_date(month: int, day: int) -> Filter:
    """One date of every year."""
    wanted = _date_of_a_year(month, day)
    return lambda candidate: (candidate.month, candidate.day) == wanted


def between_dates(start_month: int, start_day: int, end_month: int, end_day: int) -> Filter:
    """From this date to that date of every year, both included; over New Year where the second is the earlier.

    >>> from datetime import UTC
    >>> is_winter = between_dates(10, 15, 3, 31)
    >>> is_winter(datetime(2026, 1, 1, tzinfo=UTC)), is_winter(datetime(2026, 7, 1, tzinfo=UTC))
    (True, False)
    """
    start, end = _date_of_a_year(start_month, start_day), _date_of_a_year(end_month, end_day)
    if start <= end:
        return lambda candidate: start <= (candidate.month, candidate.day) <= end
    return lambda candidate: not end < (candidate.month, candidate.day) < start


def at_time(t: time) -> Filter:
    """One time of day, to the microsecond; on the schedule's wall clock, unless ``t`` has a zone of its own."""
    return lambda candidate: _time_of_day(candidate, t) == t.replace(tzinfo=None)


def between_times(start: time, end: time) -> Filter:
    """From this time of day to that one, both included; over midnight where the second is the earlier."""
    first, last = start.replace(tzinfo=None), end.replace(tzinfo=None)
    if first <= last:
        return lambda candidate: first <= _time_of_day(candidate, start) and _time_of_day(candidate, end) <= last
    return lambda candidate: first <= _time_of_day(candidate, start) or _time_of_day(candidate, end) <= last


def is_weekday(dt: datetime) -> bool:
    """Monday to Friday."""
    return dt.weekday() < 5


def is_weekend(dt: datetime) -> bool:
    """Saturday and Sunday."""
    return dt.weekday() > 4


def is_day_of_week(day_of_week: int) -> Filter:
    """One day of every week; 0 is Monday and 6 is Sunday.

    Prefect 1 documents 0 as Sunday and acts as here, so that its schedules keep their days.
    """
    if day_of_week not in range(7):
        raise ScheduleError(f"There is no day {day_of_week!r} of a week: 0 is Monday and 6 is Sunday.")
    return lambda candidate: candidate.weekday() == day_of_week


def is_month_start(dt: datetime) -> bool:
    """The first day of a month."""
    return dt.day == 1


def is_month_end(dt: datetime) -> bool:
    """The last day of a month."""
    return (dt.date() + timedelta(days=1)).day == 1


def _date_of_a_year(month: int, day: int) -> tuple[int, int]:
    try:
        date(_LEAP_YEAR, month, day)
    except ValueError:
        raise ScheduleError(
            f"No year has a day {day!r} of month {month!r}. Give the month first, then the day."
        ) from None
    return month, day


def _time_of_day(candidate: datetime, like: time) -> time:
    return (candidate.astimezone(like.tzinfo) if like.tzinfo else candidate).time()
