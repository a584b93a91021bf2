"""Ticks by a cron expression."""

import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import CronClock

NEW_YORK = "America/New_York"


def local(clock: CronClock, after: str, n: int) -> list[str]:
    """The ticks after a wall time of the clock's zone, with their offset from UTC."""
    since = datetime.fromisoformat(after).replace(tzinfo=clock.zone)
    return [f"{event.local_time:%d %H:%M %z}" for event in islice(clock.events(since), n)]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # New York: 02:00 becomes 03:00 on 8 March, 02:00 becomes 01:00 on 1 November
        ("30 2 * * *", NEW_YORK, "2026-03-07", ["07 02:30 -0500", "08 03:00 -0400", "09 02:30 -0400"]),
        ("0,30 2 * * *", NEW_YORK, "2026-03-07 12:00", ["08 03:00 -0400", "09 02:00 -0400"]),
        ("0 2,3 * * *", NEW_YORK, "2026-03-07 12:00", ["08 03:00 -0400", "09 02:00 -0400"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", ["01 01:30 -0400", "02 01:30 -0500"]),
        ("0 * * * *", NEW_YORK, "2026-03-08 00:30", ["08 01:00 -0500", "08 03:00 -0400", "08 04:00 -0400"]),
        ("0 * * * *", NEW_YORK, "2026-11-01 00:30", ["01 01:00 -0400", "01 01:00 -0500", "01 02:00 -0500"]),
        ("*/30 * * * *", NEW_YORK, "2026-11-01 00:59", ["01 01:00 -0400", "01 01:30 -0400", "01 01:00 -0500"]),
        ("*/30 * * * *", NEW_YORK, "2026-03-08 01:15", ["08 01:30 -0500", "08 03:00 -0400", "08 03:30 -0400"]),
        # Berlin: 02:00 becomes 03:00 on 29 March, 03:00 becomes 02:00 on 25 October
        ("15 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["29 03:00 +0200", "30 02:15 +0200"]),
        ("15 2 * * *", "Europe/Berlin", "2026-10-24 12:00", ["25 02:15 +0200", "26 02:15 +0100"]),
        ("0 9 * * *", "Europe/Berlin", "2026-03-28", ["28 09:00 +0100", "29 09:00 +0200"]),
        # Lord Howe moves by half an hour: 02:00 becomes 02:30 on 4 October, 02:00 becomes 01:30 on 5 April
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", ["04 02:30 +1100", "05 02:15 +1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", ["05 01:45 +1100", "06 01:45 +1030"]),
        (
            "0 */2 * * *",
            "Australia/Lord_Howe",
            "2026-04-04 23:00",
            ["05 00:00 +1100", "05 02:00 +1030", "05 04:00 +1030"],
        ),
        (
            "*/15 * * * *",
            "Australia/Lord_Howe",
            "2026-04-05 01:40",
            ["05 01:45 +1100", "05 01:30 +1030", "05 01:45 +1030"],
        ),
        ("0 * * * *", "Australia/Lord_Howe", "2026-10-04 00:30", ["04 01:00 +1030", "04 03:00 +1100"]),
        # Apia had no 30 December 2011
        ("0 9 * * *", "Pacific/Apia", "2011-12-28 12:00", ["29 09:00 -1000", "31 09:00 +1400", "01 09:00 +1400"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29", ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"]),
        # midnight is skipped, and repeated
        ("@daily", "America/Sao_Paulo", "2018-11-03 12:00", ["04 01:00 -0200", "05 00:00 -0200"]),
        ("@daily", "America/Havana", "2026-10-31 12:00", ["01 00:00 -0400", "02 00:00 -0500"]),
        ("0 0 * * 0", "America/Santiago", "2022-08-21 10:00", ["28 00:00 -0400", "04 00:00 -0400", "11 01:00 -0300"]),
        # Nuuk skips the last hour of 30 March 2024
        ("30 23 * * *", "America/Nuuk", "2024-03-29 12:00", ["29 23:30 -0200", "31 00:00 -0100", "31 23:30 -0100"]),
        # seconds stand last, as in Prefect 1, and change nothing about days
        ("30 2 * * * 15", NEW_YORK, "2026-03-07 12:00", ["08 03:00 -0400", "09 02:30 -0400"]),
        ("30 1 * * * 15", NEW_YORK, "2026-10-31 12:00", ["01 01:30 -0400", "02 01:30 -0500"]),
    ],
)
def test_changes_of_clocks(cron, zone, after, expected):
    clock = CronClock(cron, timezone=zone)

    shown = local(clock, after, len(expected))

    assert shown == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("@hourly", ["2026-01-01 01:00", "2026-01-01 02:00"]),
        ("@daily", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@midnight", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("@monthly", ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("@Yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("@annually", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("0 0 * * 1", ["2026-01-05 00:00", "2026-01-12 00:00"]),  # 1 is Monday
        ("0 0 * * mon-tue", ["2026-01-05 00:00", "2026-01-06 00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 1,15 * 5", ["2026-01-02 00:00", "2026-01-09 00:00"]),
        ("0 12 * * * 30", ["2026-01-01 12:00", "2026-01-02 12:00"]),
    ],
)
def test_expressions_name_these_times(cron, expected):
    clock = CronClock(cron)

    events = list(islice(clock.events(datetime(2026, 1, 1, tzinfo=UTC)), 2))

    assert [f"{event.start_time:%Y-%m-%d %H:%M}" for event in events] == expected


def test_a_sixth_field_is_seconds():
    clock = CronClock("* * * * * 15,45")

    events = list(islice(clock.events(datetime(2026, 1, 1, tzinfo=UTC)), 3))

    assert [event.start_time.second for event in events] == [15, 45, 15]


def test_without_day_or_both_day_fields_have_to_fit():
    first_tuesdays = CronClock("0 0 1-7 * 2", day_or=False)

    events = list(islice(first_tuesdays.events(datetime(2026, 1, 1, tzinfo=UTC)), 3))

    assert [f"{event.start_time:%b %d %a}" for event in events] == ["Jan 06 Tue", "Feb 03 Tue", "Mar 03 Tue"]


@pytest.mark.parametrize(("given", "kept"), [(None, True), (True, True), (False, False)])
def test_day_or_is_cron_s_by_default(given, kept):
    assert CronClock("* * * * *", day_or=given).day_or is kept


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (datetime(2050, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)),
        (datetime(2050, 1, 1, 6, tzinfo=UTC), datetime(2050, 1, 2, tzinfo=UTC)),
        (datetime(2050, 1, 1, 0, 0, 0, 1, tzinfo=UTC), datetime(2050, 1, 2, tzinfo=UTC)),
    ],
)
def test_the_start_itself_may_tick(start, first):
    clock = CronClock("0 0 * * *", start_date=start)

    event = next(clock.events(datetime(2020, 1, 1, tzinfo=UTC)))

    assert event == first


def test_the_end_itself_may_tick():
    clock = CronClock("0 0 * * *", end_date=datetime(2026, 1, 3, tzinfo=UTC))

    events = list(clock.events(datetime(2026, 1, 1, tzinfo=UTC)))

    assert events == [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)]


def test_the_zone_is_the_start_s_unless_another_is_named():
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo(NEW_YORK))

    by_start = next(CronClock("0 9 * * *", start).events(start))
    by_name = next(CronClock("0 9 * * *", start, timezone="Europe/Berlin").events(start))

    assert by_start == datetime(2026, 1, 1, 14, tzinfo=UTC)
    assert by_name == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_a_restart_between_the_two_passes_of_an_hour_repeats_and_loses_nothing():
    clock = CronClock("*/20 * * * *", timezone=NEW_YORK)
    whole = [event.start_time for event in islice(clock.events(datetime(2026, 11, 1, 4, 50, tzinfo=UTC)), 12)]

    resumed = [[e.start_time for e in islice(clock.events(moment), 11 - i)] for i, moment in enumerate(whole)]

    assert resumed == [whole[i + 1 :] for i in range(12)]


def test_cronsim_is_imported_with_the_first_clock_that_needs_it():
    program = """
import sys
from datetime import timedelta
from notebook_flows.schedule import CronClock, IntervalClock
IntervalClock(timedelta(hours=1))
print('cronsim' in sys.modules)
CronClock('@daily')
print('cronsim' in sys.modules)
"""

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["False", "True"]
