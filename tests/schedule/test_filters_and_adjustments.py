"""Single filters and adjustments."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import adjustments, filters

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def on(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passes", "yes", "no"),
    [
        pytest.param(filters.on_datetime(NOON), [NOON, NOON.astimezone(BERLIN)], [on(1, 1, 13)], id="on_datetime"),
        pytest.param(
            filters.on_datetime(datetime.fromisoformat("2026-01-01 12:00")),
            [NOON],
            [on(1, 1)],
            id="on_datetime without a zone",
        ),
        pytest.param(
            filters.between_datetimes(NOON, on(1, 3)),
            [NOON, on(1, 2), on(1, 3)],
            [on(1, 1), on(1, 4)],
            id="between_datetimes",
        ),
        pytest.param(
            filters.on_date(2, 29), [datetime(2028, 2, 29, 7, tzinfo=UTC)], [on(2, 28), on(3, 1)], id="on_date"
        ),
        pytest.param(
            filters.between_dates(6, 1, 6, 30), [on(6, 1), on(6, 30, 23)], [on(5, 31), on(7, 1)], id="one month"
        ),
        pytest.param(
            filters.between_dates(10, 15, 3, 31), [on(10, 15), on(1, 1), on(3, 31)], [on(4, 1), on(10, 14)], id="winter"
        ),
        pytest.param(
            filters.between_dates(3, 20, 3, 10), [on(3, 20), on(1, 1), on(3, 10)], [on(3, 15)], id="but ten days"
        ),
        pytest.param(filters.at_time(time(4)), [on(1, 1, 4)], [on(1, 1, 4, 1)], id="at_time"),
        pytest.param(filters.at_time(time(4, tzinfo=BERLIN)), [on(1, 1, 3)], [on(1, 1, 4)], id="at_time elsewhere"),
        pytest.param(
            filters.between_times(time(9), time(17)),
            [on(1, 1, 9), on(1, 1, 17)],
            [on(1, 1, 8, 59), on(1, 1, 17, 1)],
            id="day",
        ),
        pytest.param(filters.between_times(time(22), time(4)), [on(1, 1, 22), on(1, 1, 4)], [on(1, 1, 12)], id="night"),
        pytest.param(filters.is_weekday, [on(1, 1), on(1, 2), on(1, 5)], [on(1, 3), on(1, 4)], id="is_weekday"),
        pytest.param(filters.is_weekend, [on(1, 3), on(1, 4)], [on(1, 1), on(1, 2), on(1, 5)], id="is_weekend"),
        pytest.param(filters.is_day_of_week(0), [on(1, 5)], [on(1, 4), on(1, 6)], id="Monday"),
        pytest.param(filters.is_day_of_week(6), [on(1, 4)], [on(1, 3), on(1, 5)], id="Sunday"),
        pytest.param(filters.is_month_start, [on(2, 1, 23)], [on(1, 31), on(2, 2)], id="is_month_start"),
        pytest.param(filters.is_month_end, [on(2, 28), on(12, 31)], [on(2, 27), on(3, 1)], id="is_month_end"),
    ],
)
def test_filters_say_yes_and_no(passes, yes, no):
    answers = [passes(each) for each in yes], [passes(each) for each in no]

    assert answers == ([True] * len(yes), [False] * len(no))


def test_filters_of_moments_tell_the_passes_of_an_hour_apart():
    first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)

    passes = filters.on_datetime(first)

    assert passes(first)
    assert not passes(first.replace(fold=1))


@pytest.mark.parametrize("day", range(1, 10))
def test_a_weekday_stays_and_a_weekend_becomes_monday(day):
    dt = on(1, day, 9)

    adjusted = adjustments.next_weekday(dt)

    assert adjusted is dt if dt.weekday() < 5 else (adjusted > dt and adjusted.weekday() == 0)


def test_the_next_weekday_keeps_the_time_of_day_over_a_change_of_clocks():
    saturday = datetime(2026, 3, 7, 9, tzinfo=NEW_YORK)

    adjusted = adjustments.next_weekday(saturday)

    assert adjusted.isoformat() == "2026-03-09T09:00:00-04:00"


def test_added_time_is_real_time_over_a_change_of_clocks():
    saturday = datetime(2026, 3, 7, 9, tzinfo=NEW_YORK)

    adjusted = adjustments.add(timedelta(days=1))(saturday)

    assert adjusted.isoformat() == "2026-03-08T10:00:00-04:00"


def test_time_is_added_to_times_without_a_zone():
    adjusted = adjustments.add(timedelta(days=1))(datetime.fromisoformat("2026-01-01"))

    assert adjusted == datetime.fromisoformat("2026-01-02")


def test_the_reach_of_adjustments_is_the_sum():
    own = adjustments.moves(timedelta(0), timedelta(hours=1))(lambda dt: dt)

    reach = adjustments.reach_of([adjustments.add(timedelta(hours=-3)), own, lambda dt: dt])

    assert reach == (timedelta(hours=-3), timedelta(hours=-2))


@pytest.mark.parametrize("start", [date(1992, 2, 1), date(2025, 6, 1)])
def test_the_reach_of_next_weekday_holds_wherever_days_are_skipped(start):
    zones = [
        ZoneInfo(name) for name in ("Pacific/Apia", "Pacific/Kwajalein", "America/New_York", "Australia/Lord_Howe")
    ]
    moments = [datetime(start.year, start.month, 1, 2, 30, tzinfo=UTC) + timedelta(hours=7 * i) for i in range(2_000)]

    moved = [adjustments.next_weekday(at.astimezone(zone)).astimezone(UTC) - at for zone in zones for at in moments]

    assert timedelta(0) <= min(moved)
    assert max(moved) <= adjustments.reach_of([adjustments.next_weekday]).most
