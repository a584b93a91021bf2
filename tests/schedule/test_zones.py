"""Wall times and instants, where clocks are changed."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import UnknownZoneError
from notebook_flows.schedule.zones import as_utc, moment_of, passes, wall_after, zone_named


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "reading", "expected"),
    [
        ("America/New_York", "2026-03-08 01:30", ["2026-03-08 06:30"]),
        ("America/New_York", "2026-03-08 02:30", []),
        ("America/New_York", "2026-11-01 01:30", ["2026-11-01 05:30", "2026-11-01 06:30"]),
        ("Europe/Berlin", "2026-03-29 02:00", []),
        ("Europe/Berlin", "2026-10-25 02:59", ["2026-10-25 00:59", "2026-10-25 01:59"]),
        ("Australia/Lord_Howe", "2026-10-04 02:15", []),
        ("Australia/Lord_Howe", "2026-10-04 02:30", ["2026-10-03 15:30"]),
        ("Australia/Lord_Howe", "2026-04-05 01:45", ["2026-04-04 14:45", "2026-04-04 15:15"]),
        ("Pacific/Apia", "2011-12-30 09:00", []),
    ],
)
def test_a_wall_clock_shows_a_time_once_twice_or_never(zone, reading, expected):
    found = passes(wall(reading), ZoneInfo(zone))

    assert list(found) == [utc(each) for each in expected]


@pytest.mark.parametrize(
    ("zone", "reading", "jump"),
    [
        ("America/New_York", "2026-03-08 02:00", "2026-03-08 07:00"),
        ("America/New_York", "2026-03-08 02:30:00.5", "2026-03-08 07:00"),
        ("America/New_York", "2026-03-08 02:59:59", "2026-03-08 07:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30"),
        ("America/Sao_Paulo", "2018-11-04 00:30", "2018-11-04 03:00"),
        ("America/Nuuk", "2024-03-30 23:30", "2024-03-31 01:00"),
    ],
)
def test_a_skipped_time_is_the_moment_of_the_jump(zone, reading, jump):
    moment = moment_of(wall(reading), ZoneInfo(zone))

    assert moment == utc(jump)


@pytest.mark.parametrize(
    ("zone", "date"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21"), ("Asia/Manila", "1844-12-31")],
)
@pytest.mark.parametrize("time", ["00:00", "09:00", "23:59:59.999999"])
def test_a_date_that_a_zone_skips_whole_has_no_moment(zone, date, time):
    moment = moment_of(wall(f"{date} {time}"), ZoneInfo(zone))

    assert moment is None


@pytest.mark.parametrize(
    ("moment", "reading"),
    [
        ("2026-11-01 05:00", "2026-11-01 00:00"),  # the first pass of 01:00: all of this hour is still to come again
        ("2026-11-01 05:45", "2026-11-01 00:45"),
        ("2026-11-01 06:45", "2026-11-01 01:45"),  # the second pass of 01:45
        ("2026-07-01 12:00", "2026-07-01 08:00"),
    ],
)
def test_what_follows_the_first_pass_of_an_hour_includes_that_hour_again(moment, reading):
    start = wall_after(utc(moment), ZoneInfo("America/New_York"))

    assert start == wall(reading)


def test_a_time_without_a_zone_is_utc():
    moment = as_utc(wall("2026-01-01 12:00"))

    assert moment == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_second_pass_is_kept_when_it_is_asked_for():
    second = datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York"))

    moment = as_utc(second)

    assert moment == utc("2026-11-01 06:30")


def test_zones_of_pytz_become_zones_that_know_both_passes():
    class PytzZone(tzinfo):
        zone = "America/New_York"

        def utcoffset(self, dt):
            return timedelta(hours=-5)

    moment = as_utc(datetime(2026, 1, 1, 12, tzinfo=PytzZone()))

    assert moment == utc("2026-01-01 17:00")


@pytest.mark.parametrize("name", ["Europe/Berln", "America", "../etc/passwd", "", "Mars/Olympus"])
def test_an_unknown_zone_is_named_with_what_may_be_missing(name):
    with pytest.raises(UnknownZoneError) as caught:
        zone_named(name)

    assert repr(name) in str(caught.value)
    assert "tzdata" in str(caught.value)


def test_a_slip_in_a_zones_name_is_guessed():
    with pytest.raises(UnknownZoneError, match="Did you mean 'Europe/Berlin'"):
        zone_named("Europe/Berln")


def test_utc_needs_no_database():
    assert zone_named("utc") is UTC


def test_without_the_tz_database_the_zone_and_the_cure_are_named():
    program = """
import sys
sys.modules['tzdata'] = None
from notebook_flows.schedule import CronClock, UnknownZoneError
try:
    CronClock('@daily', timezone='Asia/Tokyo')
except UnknownZoneError as error:
    print(error)
"""

    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.startswith("No time zone 'Asia/Tokyo' is known here. ")
    assert "pip install tzdata" in told.stdout
