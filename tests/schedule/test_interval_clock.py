"""Ticks every so often."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import IntervalClock

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2018, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def ticks(clock: IntervalClock, after: datetime, n: int = 4) -> list[datetime]:
    return [event.start_time for event in islice(clock.events(after), n)]


def local(clock: IntervalClock, after: datetime, n: int = 4) -> list[str]:
    return [f"{event.local_time:%d %H:%M}" for event in islice(clock.events(after), n)]


@pytest.mark.parametrize(
    ("after", "first"),
    [
        (START - 999 * DAY, START),  # never before the start
        (START - timedelta(microseconds=1), START),
        (START, START + HOUR),  # always later than after
        (START + timedelta(minutes=1), START + HOUR),
        (START + HOUR, START + 2 * HOUR),
        (START + 100_000 * HOUR + timedelta(microseconds=1), START + 100_001 * HOUR),
    ],
)
def test_ticks_are_counted_from_the_start(after, first):
    clock = IntervalClock(HOUR, start_date=START)

    found = ticks(clock, after, 2)

    assert found == [first, first + HOUR]


def test_without_a_start_ticks_are_counted_from_2019():
    clock = IntervalClock(DAY)

    found = ticks(clock, datetime(2000, 1, 1, tzinfo=UTC), 1)

    assert found == [datetime(2019, 1, 1, tzinfo=UTC)]


def test_the_end_is_the_last_tick():
    clock = IntervalClock(DAY, start_date=START, end_date=START + DAY)

    found = ticks(clock, START - DAY)

    assert found == [START, START + DAY]


def test_microseconds_of_the_start_are_kept():
    start = START + timedelta(microseconds=1)

    found = ticks(IntervalClock(HOUR, start_date=start), START, 2)

    assert found == [start, start + HOUR]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (datetime(2026, 3, 7, 23, tzinfo=NEW_YORK), ["08 00:00", "08 01:00", "08 03:00", "08 04:00"]),
        (datetime(2026, 10, 31, 23, tzinfo=NEW_YORK), ["01 00:00", "01 01:00", "01 01:00", "01 02:00"]),
    ],
)
def test_an_hourly_clock_ticks_each_real_hour(start, expected):
    clock = IntervalClock(HOUR, start_date=start)

    shown = local(clock, start)
    found = ticks(clock, start)

    assert shown == expected
    assert [later - earlier for earlier, later in pairwise(found)] == [HOUR] * 3


def test_an_hourly_clock_stays_hourly_months_after_its_start():
    clock = IntervalClock(HOUR, start_date=datetime(2025, 1, 1, tzinfo=NEW_YORK))

    found = ticks(clock, datetime(2026, 10, 31, tzinfo=UTC), 60)

    assert {later - earlier for earlier, later in pairwise(found)} == {HOUR}


@pytest.mark.parametrize(
    ("interval", "start", "after", "expected"),
    [
        pytest.param(
            DAY,
            datetime(2026, 3, 5, 9, tzinfo=NEW_YORK),
            datetime(2026, 3, 6, 20, tzinfo=UTC),
            ["07 09:00", "08 09:00", "09 09:00", "10 09:00"],
            id="daily over the jump",
        ),
        pytest.param(
            DAY,
            datetime(2026, 3, 5, 2, 30, tzinfo=NEW_YORK),
            datetime(2026, 3, 6, 20, tzinfo=UTC),
            ["07 02:30", "08 03:00", "09 02:30", "10 02:30"],
            id="a skipped time is the jump",
        ),
        pytest.param(
            DAY,
            datetime(2026, 10, 30, 1, 30, tzinfo=NEW_YORK),
            datetime(2026, 10, 30, 20, tzinfo=UTC),
            ["31 01:30", "01 01:30", "02 01:30", "03 01:30"],
            id="a repeated time comes once",
        ),
        pytest.param(
            2 * DAY,
            datetime(2011, 12, 26, 9, tzinfo=ZoneInfo("Pacific/Apia")),
            datetime(2011, 12, 27, tzinfo=UTC),
            ["28 09:00", "01 09:00", "03 09:00", "05 09:00"],
            id="a skipped date has no tick",
        ),
        pytest.param(
            timedelta(hours=36),
            datetime(2026, 10, 24, 9, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 10, 24, 9, tzinfo=UTC),
            ["25 21:00", "27 09:00", "28 21:00", "30 09:00"],
            id="a day and a half too",
        ),
    ],
)
def test_intervals_of_a_day_or_more_keep_the_wall_time(interval, start, after, expected):
    clock = IntervalClock(interval, start_date=start)

    shown = local(clock, after)

    assert shown == expected


def test_a_clock_ends_with_the_calendar():
    clock = IntervalClock(timedelta(days=1000 * 365), start_date=datetime(9000, 1, 1, tzinfo=UTC))

    found = ticks(clock, START)

    assert found == [datetime(9000, 1, 1, tzinfo=UTC), datetime(9999, 5, 4, tzinfo=UTC)]
