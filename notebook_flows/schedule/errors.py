"""What is wrong with a schedule, told when it is built.

FlowError
└── ScheduleError            a schedule that cannot be what was meant            (ValueError)
    ├── ScheduleTypeError    an argument of the wrong type                       (TypeError as well)
    ├── CronError            a cron expression that is malformed or never comes
    └── UnknownZoneError     a time zone that this machine does not know
"""

from __future__ import annotations

from notebook_flows.errors import FlowError, did_you_mean

FIELD_HELP = {
    "second": "a second is 0-59",
    "minute": "a minute is 0-59",
    "hour": "an hour is 0-23",
    "day-of-month": "a day of the month is 1-31, L (the last) or LW (the last weekday)",
    "month": "a month is 1-12 or JAN-DEC",
    "day-of-week": "a day of the week is 0-7 (0 and 7 are Sunday), SUN-SAT, 5#2 (the second Friday) or 5L (the last)",
}


class ScheduleError(FlowError, ValueError):
    """A schedule, clock, filter or adjustment that cannot be what was meant."""


class ScheduleTypeError(ScheduleError, TypeError):
    """An argument of the wrong type.

    Attributes:
        requirement: what is asked for, a whole sentence.
        given: the value that came instead.
    """

    def __init__(self, requirement: str, given: object) -> None:
        super().__init__(requirement, given)
        self.requirement = requirement
        self.given = given

    def __str__(self) -> str:
        return f"{self.requirement} This is a {type(self.given).__name__}: {self.given!r}."


class CronError(ScheduleError):
    """A cron expression that is malformed, or that no date ever meets.

    Attributes:
        expression: the expression as it was given.
        field: the field at fault, such as ``"day-of-month"``; None where it is the whole.
        reason: the rest of the sentence.
    """

    def __init__(self, expression: str, field: str | None, reason: str) -> None:
        super().__init__(expression, field, reason)
        self.expression = expression
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"Invalid cron string: {self.expression!r}: {self.reason}"


class UnknownZoneError(ScheduleError):
    """A time zone that is unknown, or whose data this machine lacks.

    Attributes:
        zone: the name as it was given.
        known: the names that this machine knows; none where the tz database is missing.
    """

    def __init__(self, zone: str, known: frozenset[str] = frozenset()) -> None:
        super().__init__(zone, known)
        self.zone = zone
        self.known = known

    def __str__(self) -> str:
        return (
            f"No time zone {self.zone!r} is known here.{did_you_mean(self.zone, self.known)} Names are IANA's, such as "
            "'Europe/Berlin'; if this is one, the machine lacks its data: pip install tzdata."
        )
