"""Cron expressions: what is read, what is refused, and the moments that they name in a time zone.

cronsim reads the fields and walks over wall times; what happens where clocks are changed is decided here, because its
own rules lose 02:00 on the day that Lord Howe goes back, double a day in Apia, and do not hold for six fields.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING

from notebook_flows.errors import did_you_mean
from notebook_flows.schedule.errors import FIELD_HELP, CronError, ScheduleTypeError
from notebook_flows.schedule.zones import moment_of, passes, wall_after

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from cronsim import CronSim

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("second", "minute", "hour", "day-of-month", "month", "day-of-week")
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall time: expressions are tried out without a zone


class CronExpression:
    """One expression, checked.

    Args:
        text: five fields (minute, hour, day of month, month, day of week), a sixth for seconds after them as in
            Prefect 1, or an alias such as ``@daily``.
        day_or: whether a day that fits either day field is enough, where both are restricted; False asks for both.

    Raises:
        CronError: it is malformed, or no date in 50 years meets it.
    """

    def __init__(self, text: str, *, day_or: bool = True) -> None:
        if not isinstance(text, str):
            raise ScheduleTypeError("A cron expression is a text such as '30 2 * * *'.", text)
        self.text = text
        self.day_or = day_or
        self._fields = _fields_of(text)
        self._refuse_what_never_comes()

    @property
    def names_times_of_day(self) -> bool:
        """Whether it says at what times (``30 2``), and not how often (``*/30 *``), as Debian's cron tells them apart."""
        return not self._fields[1].startswith("*") and not self._fields[2].startswith("*")

    def moments(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The moments in UTC, strictly increasing and later than ``after``, without end or until none comes in 50 years.

        Named times of day come once a day: in a repeated hour at its first pass, and those in a skipped hour at the
        moment of the jump. A rhythm follows the clocks: in a repeated hour it goes on, a skipped hour it leaves out.
        """
        walls = self._walls(wall_after(after, zone))
        moments = _once(walls, zone) if self.names_times_of_day else _at_every_pass(walls, zone)
        latest = after
        for moment in moments:
            if moment > latest:
                latest = moment
                yield moment

    def _walls(self, after: datetime) -> CronSim:
        from cronsim import CronSim

        walls = CronSim(" ".join(self._fields), after)
        walls.day_and = walls.day_and or not self.day_or
        return walls

    def _refuse_what_never_comes(self) -> None:
        from cronsim import CronSimError

        try:
            comes = next(self._walls(_ANY_DAY), None)
        except (CronSimError, ValueError, AssertionError) as error:
            field = str(error).removeprefix("Bad ")
            if field not in FIELD_HELP:
                raise CronError(self.text, None, f"it cannot be read ({error}).") from None
            raise self._fault(field) from None
        if comes is None:
            raise self._fault("day-of-month")

    def _fault(self, field: str) -> CronError:
        from cronsim import CronSim, CronSimError

        index = _FIELDS.index(field)
        alone = ["0", *"*****"]
        alone[index] = self._fields[index]
        try:
            CronSim(" ".join(alone), _ANY_DAY)
        except (CronSimError, ValueError, AssertionError):
            reason = f"the {field} {self._fields[index]!r} cannot be read; {FIELD_HELP[field]}."
        else:
            others = f"month {self._fields[4]!r}, day-of-week {self._fields[5]!r}"
            reason = f"it never comes: no date fits the {field} {self._fields[index]!r} with {others}."
        return CronError(self.text, field, reason)


def _fields_of(text: str) -> list[str]:
    """The six fields in upper case, seconds first."""
    alias = text.strip().lower()
    if alias.startswith("@") and alias not in ALIASES:
        reason = f"known aliases are {', '.join(ALIASES)}.{did_you_mean(alias, ALIASES)}"
        raise CronError(text, None, reason)
    fields = ALIASES.get(alias, text).upper().split()
    if len(fields) not in {5, 6}:
        reason = f"it has {len(fields)} fields; five are needed: minute, hour, day of month, month, day of week."
        raise CronError(text, None, reason)
    return ["0", *fields] if len(fields) == 5 else [fields[5], *fields[:5]]


def _once(walls: Iterator[datetime], zone: tzinfo) -> Iterator[datetime]:
    for wall in walls:
        moment = moment_of(wall, zone)
        if moment is not None:
            yield moment


def _at_every_pass(walls: Iterator[datetime], zone: tzinfo) -> Iterator[datetime]:
    second_passes: deque[datetime] = deque()
    for wall in walls:
        first, *second = passes(wall, zone) or (None,)
        if first is None:
            continue
        while second_passes and second_passes[0] < first:
            yield second_passes.popleft()
        yield first
        second_passes.extend(second)
    yield from second_passes
