"""Schedules: clocks whose times are filtered, moved and put into one sequence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import count, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from notebook_flows.schedule.adjustments import reach_of
from notebook_flows.schedule.clocks import Clock, CronClock, IntervalClock, RRuleClock
from notebook_flows.schedule.errors import ScheduleTypeError
from notebook_flows.schedule.zones import as_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from notebook_flows.schedule.adjustments import Adjustment
    from notebook_flows.schedule.events import ClockEvent
    from notebook_flows.schedule.filters import Filter

_T = TypeVar("_T")
LOOKED_AT = 10_000


class Schedule:
    """When a flow is to run.

    Clocks propose times; a time counts if all ``filters``, at least one of ``or_filters`` if there are any, and none of
    ``not_filters`` say yes; then ``adjustments`` move it, one after the other. Filters and adjustments see the wall
    clock of the clock that proposed the time. What comes out is in order and in UTC; the same run comes once, also if
    two clocks propose it or two times are moved to one.

    >>> from datetime import time
    >>> from notebook_flows.schedule import filters
    >>> office = Schedule([CronClock("0 9,17 * * *", timezone="Europe/Berlin")], filters=[filters.is_weekday])
    >>> [str(t) for t in office.next(2, after=datetime(2026, 3, 27, 12, tzinfo=UTC))]
    ['2026-03-27 16:00:00+00:00', '2026-03-30 07:00:00+00:00']

    Raises:
        ScheduleTypeError: an argument is no list, or holds something else than clocks or functions.
    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        filters: Iterable[Filter] | None = None,
        or_filters: Iterable[Filter] | None = None,
        not_filters: Iterable[Filter] | None = None,
        adjustments: Iterable[Adjustment] | None = None,
    ) -> None:
        self.clocks = _listed("clocks", clocks, "clocks")
        self.filters = _listed("filters", filters, "functions")
        self.or_filters = _listed("or_filters", or_filters, "functions")
        self.not_filters = _listed("not_filters", not_filters, "functions")
        self.adjustments = _listed("adjustments", adjustments, "functions")
        self._reach = reach_of(self.adjustments)

    @property
    def start_date(self) -> datetime | None:
        """The earliest start of a clock, if one has a start."""
        return min((clock.start_date for clock in self.clocks if clock.start_date), default=None)

    @property
    def end_date(self) -> datetime | None:
        """The latest end of a clock, if one has an end."""
        return max((clock.end_date for clock in self.clocks if clock.end_date), default=None)

    @overload
    def next(
        self,
        n: int,
        after: datetime | None = None,
        return_events: Literal[False] = False,
        *,
        now: Callable[[], datetime] = ...,
    ) -> list[datetime]: ...

    @overload
    def next(
        self,
        n: int,
        after: datetime | None = None,
        *,
        return_events: Literal[True],
        now: Callable[[], datetime] = ...,
    ) -> list[ClockEvent]: ...

    def next(
        self,
        n: int,
        after: datetime | None = None,
        return_events: bool = False,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> list[datetime] | list[ClockEvent]:
        """The next n times, fewer if the schedule ends or 10,000 of the clocks' times have been looked at.

        Args:
            n: how many.
            after: every time is later than this; without a zone it is UTC. By default it is now.
            return_events: give ``ClockEvent``s, which carry parameters and labels.
            now: asked if ``after`` is not given.
        """
        since = as_utc(now() if after is None else after, "after")
        events = list(islice(self._events(since, LOOKED_AT), max(n, 0)))
        return events if return_events else [event.start_time for event in events]

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """Every event later than ``after``, in order; lazily. With filters that no time passes, it searches for ever."""
        return self._events(as_utc(after, "after"), None)

    def _events(self, after: datetime, limit: int | None) -> Iterator[ClockEvent]:
        last: list[ClockEvent] = []  # what was emitted at the latest moment
        for event in self._moved(after, limit):
            is_early = event.start_time <= after or bool(last and event.start_time < last[0].start_time)
            if is_early or event in last:
                continue
            if last and event.start_time > last[0].start_time:
                last.clear()
            last.append(event)
            yield event

    def _moved(self, after: datetime, limit: int | None) -> Iterator[ClockEvent]:
        """What passes, moved, in order: a time is held back until no later candidate can be moved before it."""
        held: list[tuple[datetime, int, ClockEvent]] = []
        arrival = count()
        looked_at = 0
        for candidate in self._candidates(after - max(self._reach.most, timedelta(0))):
            local = candidate.local_time
            if self._counts(local):
                for adjust in self.adjustments:
                    local = adjust(local)
                event = candidate.moved_to(local) if self.adjustments else candidate
                heappush(held, (event.start_time, next(arrival), event))
            settled = candidate.start_time + self._reach.least
            while held and held[0][0] <= settled:
                yield heappop(held)[-1]
            looked_at += candidate.start_time > after
            if looked_at == limit:
                break
        while held:
            yield heappop(held)[-1]

    def _candidates(self, after: datetime) -> Iterator[ClockEvent]:
        return merge(*(clock.events(after) for clock in self.clocks), key=attrgetter("start_time"))

    def _counts(self, local: datetime) -> bool:
        return (
            all(passes(local) for passes in self.filters)
            and (not self.or_filters or any(passes(local) for passes in self.or_filters))
            and not any(passes(local) for passes in self.not_filters)
        )


def IntervalSchedule(  # noqa: N802 - Prefect's name, and its order of arguments
    start_date: datetime | None = None, interval: timedelta | None = None, end_date: datetime | None = None
) -> Schedule:
    """A schedule of one ``IntervalClock``; the interval is required."""
    if interval is None:
        raise ScheduleTypeError("Interval must be a timedelta.", interval)
    return Schedule([IntervalClock(interval, start_date, end_date)])


def CronSchedule(  # noqa: N802 - Prefect's name
    cron: str,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    day_or: bool | None = None,
    *,
    timezone: str | tzinfo | None = None,
) -> Schedule:
    """A schedule of one ``CronClock``."""
    return Schedule([CronClock(cron, start_date, end_date, day_or=day_or, timezone=timezone)])


def RRuleSchedule(  # noqa: N802 - Prefect's name
    rrule_obj: Iterable[datetime], start_date: datetime | None = None, end_date: datetime | None = None
) -> Schedule:
    """A schedule of one ``RRuleClock``."""
    return Schedule([RRuleClock(rrule_obj, start_date, end_date)])


def _listed(name: str, given: Iterable[_T] | None, kind: str) -> list[_T]:
    if given is None and name != "clocks":
        return []
    if not isinstance(given, Iterable):
        raise ScheduleTypeError(f"{name} should be a list of {kind}.", given)
    listed = list(given)
    for each in listed:
        if not (callable(getattr(each, "events", None)) if kind == "clocks" else callable(each)):
            raise ScheduleTypeError(f"{name} should be a list of {kind}.", each)
    return listed
