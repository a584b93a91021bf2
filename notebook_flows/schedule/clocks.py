"""Clocks: where the times of a schedule come from, each an endless or ending sequence of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from notebook_flows.schedule.cron import CronExpression
from notebook_flows.schedule.errors import ScheduleError, ScheduleTypeError
from notebook_flows.schedule.events import ClockEvent
from notebook_flows.schedule.zones import DAY, as_utc, as_zone, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

__all__ = ["Clock", "ClockEvent", "CronClock", "DatesClock", "IntervalClock", "RRuleClock"]

DEFAULT_START = datetime(2019, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """What every clock has; a clock of your own overrides ``events``.

    Args:
        start_date: no event is earlier. Without a zone it is UTC. Its zone is where the clock hangs.
        end_date: no event is later.
        parameter_defaults: parameters of every run that this clock starts.
        labels: words that every such run carries.
    """

    def __init__(
        self,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        if isinstance(labels, str):
            raise ScheduleTypeError("labels is a list of words.", labels)
        self.start_date = None if start_date is None else as_utc(start_date, "A clock's start_date")
        self.end_date = None if end_date is None else as_utc(end_date, "A clock's end_date")
        self.zone = as_zone(None if start_date is None else start_date.tzinfo)
        self.parameter_defaults = dict(parameter_defaults or {})
        self.labels = None if labels is None else list(labels)
        if self.start_date is not None and self.end_date is not None and self.end_date < self.start_date:
            raise ScheduleError(
                f"This clock ends ({self.end_date.isoformat()}) before it starts ({self.start_date.isoformat()}). "
                "Exchange start_date and end_date, or leave one out."
            )

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """The clock's events later than ``after``, in order; lazily, for they may never end."""
        raise NotImplementedError("A clock of your own says its times in a method events(self, after).")

    def _event(self, moment: datetime, zone: tzinfo | None = None) -> ClockEvent:
        return ClockEvent(moment, self.parameter_defaults, self.labels, zone=zone or self.zone)

    def _until_end(self, moments: Iterable[datetime]) -> Iterator[ClockEvent]:
        for moment in moments:
            if self.end_date is not None and moment > self.end_date:
                return
            yield self._event(moment)


class IntervalClock(Clock):
    """A tick every so often, counted from the start.

    Intervals under a day are real, elapsed time: an hourly clock ticks each real hour, also where clocks are changed.
    Intervals of a day or more keep the wall time of the start date's zone: a daily 09:00 stays 09:00 all year.

    Args:
        interval: greater than zero.
        start_date: the first tick; by default 1 January 2019, 00:00 UTC.
        end_date: the last moment at which it may tick.
        parameter_defaults: see ``Clock``.
        labels: see ``Clock``.
    """

    def __init__(
        self,
        interval: timedelta,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(interval, timedelta):
            raise ScheduleTypeError("Interval must be a timedelta.", interval)
        if interval <= timedelta(0):
            raise ScheduleError(f"Interval must be greater than 0, such as timedelta(hours=1). This one is {interval}.")
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.interval = interval

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """The ticks later than ``after``, in order; it costs the same however long ago the clock started."""
        after = as_utc(after, "after")
        ticks = self._by_elapsed_time(after) if self.interval < DAY else self._by_wall_time(after)
        return self._until_end(ticks)

    def _by_elapsed_time(self, after: datetime) -> Iterator[datetime]:
        start = self.start_date or DEFAULT_START
        tick = start if after < start else start + self.interval * ((after - start) // self.interval + 1)
        while True:
            yield tick
            try:
                tick += self.interval
            except OverflowError:  # the year 10,000
                return

    def _by_wall_time(self, after: datetime) -> Iterator[datetime]:
        start = self.start_date or DEFAULT_START
        first = start.astimezone(self.zone).replace(tzinfo=None)
        latest = after
        if start > after:
            yield start
            latest = start
        now = latest.astimezone(self.zone).replace(tzinfo=None)
        count = max(1, (now - first) // self.interval)
        while True:
            try:
                moment = moment_of(first + self.interval * count, self.zone)
            except OverflowError:  # the year 10,000
                return
            if moment is not None and moment > latest:
                yield moment
                latest = moment
            count += 1


class CronClock(Clock):
    """A tick whenever a wall clock fits a cron expression.

    Args:
        cron: see ``CronExpression``.
        start_date: no tick is earlier; its zone is the clock's, unless ``timezone`` says another.
        end_date: no tick is later.
        parameter_defaults: see ``Clock``.
        labels: see ``Clock``.
        day_or: whether fitting either day field is enough where both are restricted; by default yes, as in cron.
        timezone: where the wall clock hangs, by name or tzinfo; by default the zone of ``start_date``, else UTC.

    Raises:
        CronError: the expression is malformed or never comes.
        UnknownZoneError: ``timezone`` is not known here.
    """

    def __init__(
        self,
        cron: str,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        day_or: bool | None = None,
        *,
        timezone: str | tzinfo | None = None,
    ) -> None:
        super().__init__(start_date, end_date, parameter_defaults, labels)
        if timezone is not None:
            self.zone = as_zone(timezone)
        self.cron = cron
        self.day_or = day_or is not False
        self._expression = CronExpression(cron, day_or=self.day_or)

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """The ticks later than ``after``, in order."""
        after = as_utc(after, "after")
        if self.start_date is not None:
            after = max(after, self.start_date - _MICROSECOND)
        return self._until_end(self._expression.moments(after, self.zone))


class DatesClock(Clock):
    """A tick at each of these moments.

    Args:
        dates: at least one, in any order; each hangs in its own zone.
        parameter_defaults: see ``Clock``.
        labels: see ``Clock``.
    """

    def __init__(
        self,
        dates: Iterable[datetime],
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        zones = {as_utc(date, "A date of a DatesClock"): as_zone(date.tzinfo) for date in dates}
        if not zones:
            raise ScheduleError("A DatesClock needs at least one date.")
        super().__init__(min(zones), max(zones), parameter_defaults, labels)
        self.dates = sorted(zones)
        self._zones = zones

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """The dates later than ``after``, in order, each once."""
        after = as_utc(after, "after")
        return (self._event(date, self._zones[date]) for date in self.dates if date > after)


class RRuleClock(Clock):
    """A tick at each occurrence of an iCalendar rule that you have built with ``dateutil.rrule``.

    The rule is walked from its own start each time, so a rule of many minutes' steps and years wants a ``CronClock``.

    Args:
        rrule_obj: an ``rrule`` or ``rruleset``; without a zone it is UTC.
        start_date: no tick is earlier.
        end_date: no tick is later.
        parameter_defaults: see ``Clock``.
        labels: see ``Clock``.
    """

    def __init__(
        self,
        rrule_obj: Iterable[datetime],
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        if not callable(getattr(rrule_obj, "xafter", None)):
            hint = "rrule_obj must be an rrule or rruleset of dateutil; for a cron expression take CronClock."
            raise ScheduleTypeError(hint, rrule_obj)
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.rrule_obj = rrule_obj

    def events(self, after: datetime) -> Iterator[ClockEvent]:
        """The occurrences later than ``after``, in order."""
        after = as_utc(after, "after")
        if self.start_date is not None:
            after = max(after, self.start_date - _MICROSECOND)
        return self._later_than(after)

    def _later_than(self, after: datetime) -> Iterator[ClockEvent]:
        latest = after
        for occurrence in self.rrule_obj:
            moment = as_utc(occurrence)
            if self.end_date is not None and moment > self.end_date:
                return
            if moment > latest:
                yield self._event(moment, as_zone(occurrence.tzinfo))
                latest = moment
