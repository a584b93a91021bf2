"""Times and durations as people read and write them: local, ISO 8601, or `2h` ago."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
MOST_S = 1e9
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Amount(click.FloatRange):
    """A number of something that ends at some time: neither ``nan`` nor ``inf``.

    Args:
        unit: of what.
    """

    def __init__(self, unit: str, **limits: Any) -> None:
        super().__init__(**limits)
        self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, if it is one."""
        amount = super().convert(value, param, ctx)
        if not math.isfinite(amount):
            self.fail(f"{value} is no number of {self._unit}.", param, ctx)
        return amount


class Seconds(Amount):
    """A number of seconds, such as clocks can wait."""

    def __init__(self, **limits: Any) -> None:
        super().__init__("seconds", max=MOST_S, **limits)


def local(at_us: int | None) -> str:
    """A moment in the local zone, to the second; empty for none."""
    return "" if at_us is None else f"{moment_of(at_us).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(at_us: int) -> str:
    """The time of day in the local zone, to the millisecond."""
    return f"{moment_of(at_us).astimezone():%H:%M:%S.%f}"[:-3]


def iso(at_us: int | None) -> str | None:
    """A moment as JSON has it, in UTC.

    >>> iso(1_600_000_000_000_000)
    '2020-09-13T12:26:40+00:00'
    """
    return None if at_us is None else moment_of(at_us).isoformat()


def moment_of(at_us: int) -> datetime:
    """The moment so many microseconds after 1970, UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def past(text: str) -> datetime:
    """The moment that an option names; aware.

    Raises:
        click.BadParameter: it names none.
    """
    found = since(text, datetime.now().astimezone())
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no moment: give 30m, 2h, 3d, 1w, today, yesterday, or as in 2026-01-31T08:00."
        )
    return found


def since(text: str, now: datetime) -> datetime | None:
    """The moment that a text names; None if it names none.

    Args:
        text: what people write.
        now: aware; in its zone texts without one are read.

    >>> now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    >>> since("36h", now).isoformat(), since("yesterday", now).isoformat()
    ('2026-01-30T00:00:00+00:00', '2026-01-30T00:00:00+00:00')
    """
    word = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "today":
        return midnight
    if word == "yesterday":
        return midnight - timedelta(days=1)
    ago = _AGO.fullmatch(word)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
