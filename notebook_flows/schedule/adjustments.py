"""Adjustments: moving the times that passed the filters. Each takes a time as the wall clock shows it, and returns one.

A schedule has to know how far an adjustment moves, to find what was moved from before ``after`` to beyond it and to
keep its times in order. ``moves`` says so; an adjustment without it is taken to move forward by nothing at least,
and is only given times later than ``after``, as in Prefect 1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from notebook_flows.schedule.errors import ScheduleTypeError
from notebook_flows.schedule.filters import is_weekday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Adjustment: TypeAlias = Callable[[datetime], datetime]

_A = TypeVar("_A", bound="Adjustment")
_NOTHING = timedelta(0)


class Reach(NamedTuple):
    """How far times are moved, at least and at most; back is negative."""

    least: timedelta
    most: timedelta


def moves(least: timedelta, most: timedelta) -> Callable[[_A], _A]:
    """Say how far an adjustment of your own moves a time, at least and at most, in elapsed time.

    >>> @moves(timedelta(0), timedelta(hours=1))
    ... def full_hour(dt):
    ...     return dt if dt.minute == 0 else dt.replace(minute=0) + timedelta(hours=1)
    """

    def told(adjustment: _A) -> _A:
        vars(adjustment)["reach"] = Reach(least, most)
        return adjustment

    return told


def reach_of(adjustments: Iterable[Adjustment]) -> Reach:
    """How far these move a time one after the other."""
    reaches = [getattr(each, "reach", Reach(_NOTHING, _NOTHING)) for each in adjustments]
    return Reach(sum((r.least for r in reaches), _NOTHING), sum((r.most for r in reaches), _NOTHING))


def add(interval: timedelta) -> Adjustment:
    """Later by this much, or earlier if it is negative, in elapsed time."""
    if not isinstance(interval, timedelta):
        raise ScheduleTypeError("The interval to add must be a timedelta.", interval)

    @moves(interval, interval)
    def later(dt: datetime) -> datetime:
        if dt.tzinfo is None:
            return dt + interval
        return (dt.astimezone(UTC) + interval).astimezone(dt.tzinfo)

    return later


@moves(_NOTHING, timedelta(days=4))  # two days on the wall clock, which may itself be moved by a day
def next_weekday(dt: datetime) -> datetime:
    """The same time of day on the next Monday to Friday; such a day is returned as it is."""
    while not is_weekday(dt):
        dt += timedelta(days=1)
    return dt
