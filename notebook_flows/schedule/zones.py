"""Between the times on a wall clock and the instants of UTC, where clocks are changed.

The rules, the same for every clock, filter and adjustment:

- a wall time that comes twice (clocks go back) is its first pass;
- a wall time that is skipped (clocks go forward) is the moment at which the clocks have jumped: 02:30 becomes 03:00;
- a date that a zone skips whole (Apia, 30 December 2011) has no moment at all;
- a datetime without a zone is UTC, as in Prefect 1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from notebook_flows.schedule.errors import ScheduleTypeError, UnknownZoneError

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def zone_named(name: str) -> tzinfo:
    """The time zone of this IANA name.

    Raises:
        UnknownZoneError: there is none, or this machine lacks its data.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the database, such as "America"
        raise UnknownZoneError(name, frozenset(available_timezones())) from None


def as_zone(zone: str | tzinfo | None) -> tzinfo:
    """The zone that is meant: by name, by object, and None is UTC. Zones of pytz become zoneinfo's, which know folds."""
    if zone is None:
        return UTC
    name = zone if isinstance(zone, str) else getattr(zone, "zone", None)
    if isinstance(name, str):
        return zone_named(name)
    if not isinstance(zone, tzinfo):
        raise ScheduleTypeError("A time zone is a name such as 'Europe/Berlin', or a tzinfo.", zone)
    return zone


def as_utc(moment: datetime, what: str = "A time") -> datetime:
    """The same moment in UTC.

    Args:
        moment: without a zone it is UTC; a wall time that is skipped becomes the moment of the jump.
        what: how an error calls it.
    """
    if not isinstance(moment, datetime):
        raise ScheduleTypeError(f"{what} must be a datetime.", moment)
    zone = as_zone(moment.tzinfo)
    if zone is UTC:
        return moment.replace(tzinfo=UTC)
    if moment.fold or zone is not moment.tzinfo:  # the second pass was asked for; and pytz has its own memory of passes
        return moment.astimezone(UTC)
    return moment_of(moment.replace(tzinfo=None), zone) or moment.astimezone(UTC)


def passes(wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """The instants, in order and in UTC, at which clocks of the zone show this: none, one or two.

    >>> from datetime import datetime
    >>> [str(i) for i in passes(datetime(2026, 11, 1, 1, 30), ZoneInfo("America/New_York"))]
    ['2026-11-01 05:30:00+00:00', '2026-11-01 06:30:00+00:00']
    """
    before, after = _offsets(wall, zone)
    moment = wall.replace(tzinfo=UTC)
    if before == after:
        return (moment - before,)
    return (moment - before, moment - after) if before > after else ()


def moment_of(wall: datetime, zone: tzinfo) -> datetime | None:
    """The one instant, in UTC, that stands for this wall time; None for a date that the zone skips whole."""
    found = passes(wall, zone)
    return found[0] if found else _jump(wall, zone)


def wall_after(moment: datetime, zone: tzinfo) -> datetime:
    """A wall time, without its zone, such that every later pass of any clock reading comes from a reading after it.

    It is what the clocks show, except in the first pass of a repeated hour: there, readings that have been
    are still to come again, so it is earlier by the length of the repetition.
    """
    local = moment.astimezone(zone)
    wall = local.replace(tzinfo=None, fold=0)
    before, after = _offsets(wall, zone)
    return wall if local.fold else wall - max(before - after, timedelta(0))


def _offsets(wall: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """How far the zone is ahead of UTC: by the rules before, and by those after, a change of clocks at this time."""
    aware = wall.replace(tzinfo=zone, fold=0)
    return aware.utcoffset() or timedelta(0), aware.replace(fold=1).utcoffset() or timedelta(0)


def _jump(wall: datetime, zone: tzinfo) -> datetime | None:
    """The instant at which the clocks jumped over this wall time; None where they jumped over its whole date."""
    before, after = _offsets(wall, zone)
    early, late = (wall - after).replace(tzinfo=UTC), (wall - before).replace(tzinfo=UTC)
    early, late = early.replace(microsecond=0), late.replace(microsecond=0) + _SECOND
    while late - early > _SECOND:  # changes of clocks fall on whole seconds
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    midnight = datetime.combine(wall, datetime.min.time()).replace(tzinfo=UTC)
    is_whole_date = late + before <= midnight and late + after >= midnight + DAY
    return None if is_whole_date else late
