"""Clocks put together, filtered and moved."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import (
    ClockEvent,
    CronClock,
    CronSchedule,
    DatesClock,
    IntervalClock,
    IntervalSchedule,
    RRuleSchedule,
    Schedule,
    adjustments,
    filters,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEW_YEAR = datetime(2019, 1, 1, tzinfo=UTC)
SATURDAY = datetime(2026, 1, 3, tzinfo=UTC)


def test_times_come_later_than_after():
    schedule = Schedule([IntervalClock(DAY)])

    times = schedule.next(3, after=NEW_YEAR)

    assert times == [NEW_YEAR + DAY, NEW_YEAR + 2 * DAY, NEW_YEAR + 3 * DAY]


def test_times_are_utc_whatever_the_clock_s_zone():
    schedule = CronSchedule("0 9 * * *", timezone="Asia/Tokyo")

    (at,) = schedule.next(1, after=NEW_YEAR)

    assert at.tzinfo is UTC
    assert at == NEW_YEAR + DAY


def test_without_after_the_given_now_is_asked():
    schedule = Schedule([IntervalClock(DAY)])

    times = schedule.next(1, now=lambda: NEW_YEAR)

    assert times == [NEW_YEAR + DAY]


def test_without_after_and_now_it_is_the_time_of_the_call():
    called = datetime.now(UTC)

    (at,) = Schedule([IntervalClock(DAY)]).next(1)

    assert called < at <= datetime.now(UTC) + DAY


def test_events_are_given_if_asked_for():
    schedule = Schedule([IntervalClock(DAY, parameter_defaults={"x": 1}, labels=["dev"])])

    events = schedule.next(2, after=NEW_YEAR, return_events=True)

    assert [type(event) for event in events] == [ClockEvent, ClockEvent]
    assert [(event.parameter_defaults, event.labels) for event in events] == [({"x": 1}, ["dev"])] * 2


def test_the_same_time_of_two_clocks_is_one_run():
    schedule = Schedule([IntervalClock(DAY), IntervalClock(DAY / 2, start_date=NEW_YEAR + 2 * DAY)])

    times = schedule.next(4, after=NEW_YEAR)

    assert times == [NEW_YEAR + DAY, NEW_YEAR + 2 * DAY, NEW_YEAR + 2.5 * DAY, NEW_YEAR + 3 * DAY]


def test_the_same_time_with_other_parameters_is_another_run():
    days = DatesClock([NEW_YEAR], {"x": 1})
    schedule = Schedule([days, DatesClock([NEW_YEAR], {"x": 2}), DatesClock([NEW_YEAR], {"x": 1})])

    events = schedule.next(9, after=NEW_YEAR - DAY, return_events=True)

    assert [event.parameter_defaults["x"] for event in events] == [1, 2]


def test_clocks_of_several_zones_come_in_order():
    east = CronClock("0 9 * * 1-5", start_date=datetime(2019, 3, 14, tzinfo=ZoneInfo("US/Eastern")))
    west = CronClock("30 6 * * 1-5", start_date=datetime(2019, 3, 14, tzinfo=ZoneInfo("US/Pacific")))

    times = Schedule([west, east]).next(4, after=datetime(2019, 5, 1, tzinfo=UTC))

    assert [f"{at:%d %H:%M}" for at in times] == ["01 13:00", "01 13:30", "02 13:00", "02 13:30"]


def test_all_filters_one_or_filter_and_no_not_filter_say_yes():
    schedule = Schedule(
        clocks=[IntervalClock(HOUR)],
        filters=[filters.is_weekday],
        or_filters=[filters.at_time(time(9)), filters.at_time(time(15))],
        not_filters=[filters.on_date(1, 8)],
        adjustments=[adjustments.add(3 * HOUR)],
    )

    times = schedule.next(8, after=datetime(2019, 1, 3, tzinfo=UTC))

    assert [f"{at:%d %H}" for at in times] == [
        "03 12", "03 18", "04 12", "04 18",  # Thursday and Friday
        "07 12", "07 18",
        "09 12", "09 18",  # not the 8th
    ]  # fmt: skip


def test_filters_read_the_wall_clock_of_the_clock():
    nine = [filters.at_time(time(9))]
    schedule = Schedule([IntervalClock(HOUR, start_date=datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")))], nine)

    (at,) = schedule.next(1, after=NEW_YEAR)

    assert at == datetime(2026, 7, 1, 7, tzinfo=UTC)


def test_a_time_that_one_zone_refuses_may_come_from_another():
    tokyo_and_utc = [CronClock("0 18 * * *", timezone="Asia/Tokyo"), CronClock("0 9 * * *")]
    schedule = Schedule(tokyo_and_utc, filters=[filters.at_time(time(9))])

    times = schedule.next(1, after=NEW_YEAR)

    assert times == [NEW_YEAR + 9 * HOUR]


def test_next_gives_up_after_ten_thousand_times_looked_at():
    looked_at = []
    schedule = Schedule([IntervalClock(HOUR)], filters=[lambda dt: bool(looked_at.append(dt))])

    times = schedule.next(1, after=NEW_YEAR)

    assert times == []
    assert len(looked_at) == 10_000


@pytest.mark.parametrize("n", [0, -1])
def test_none_are_given_if_none_are_asked_for(n):
    assert Schedule([IntervalClock(HOUR)]).next(n, after=NEW_YEAR) == []


def test_events_are_made_lazily_and_without_end():
    events = Schedule([IntervalClock(HOUR)]).events(NEW_YEAR)

    last = next(islice(events, 10_999, None))

    assert last == NEW_YEAR + 11_000 * HOUR


def test_no_clocks_no_times():
    assert Schedule([]).next(3, after=NEW_YEAR) == []


def test_times_moved_to_one_are_one_run():
    daily = Schedule([CronClock("0 9 * * *")], adjustments=[adjustments.next_weekday])

    times = daily.next(3, after=SATURDAY)

    assert [f"{at:%a %d %H}" for at in times] == ["Mon 05 09", "Tue 06 09", "Wed 07 09"]


def test_moved_times_come_in_order():
    schedule = Schedule([CronClock("0 */8 * * 6-7")], adjustments=[adjustments.next_weekday])

    times = schedule.next(4, after=SATURDAY)

    assert [f"{at:%a %d %H}" for at in times] == ["Mon 05 00", "Mon 05 08", "Mon 05 16", "Mon 12 00"]


def test_a_restart_finds_what_was_moved_beyond_it():
    weekly = Schedule([CronClock("0 9 * * 6")], adjustments=[adjustments.next_weekday])

    times = weekly.next(1, after=SATURDAY + DAY)

    assert [f"{at:%a %d %H}" for at in times] == ["Mon 05 09"]


@pytest.mark.parametrize("interval", [-3 * DAY, -HOUR, timedelta(0), HOUR, 400 * DAY])
def test_added_time_moves_the_whole_sequence(interval):
    plain = Schedule([IntervalClock(HOUR)])
    moved = Schedule([IntervalClock(HOUR)], adjustments=[adjustments.add(interval)])

    times = moved.next(5, after=datetime(2026, 1, 1, tzinfo=UTC))

    assert times == [at + interval for at in plain.next(5, after=datetime(2026, 1, 1, tzinfo=UTC) - interval)]


def test_an_adjustment_of_ones_own_never_brings_a_time_before_after():
    schedule = Schedule([CronClock("0 9 * * *")], adjustments=[lambda dt: dt - DAY])

    times = schedule.next(2, after=datetime(2026, 1, 1, 12, tzinfo=UTC))

    assert times == [datetime(2026, 1, 2, 9, tzinfo=UTC), datetime(2026, 1, 3, 9, tzinfo=UTC)]


def test_an_adjustment_that_forgets_the_zone_means_the_wall_clock():
    berlin = CronClock("0 9 * * *", timezone="Europe/Berlin")
    schedule = Schedule([berlin], adjustments=[lambda dt: datetime.combine(dt.date(), time(10))])

    times = schedule.next(1, after=NEW_YEAR)

    assert times == [NEW_YEAR + 9 * HOUR]


def test_start_and_end_are_the_outermost_of_the_clocks():
    first = IntervalClock(HOUR, start_date=NEW_YEAR, end_date=NEW_YEAR + DAY)
    second = IntervalClock(HOUR, start_date=NEW_YEAR + DAY, end_date=NEW_YEAR + 2 * DAY)

    schedule = Schedule([first, second, IntervalClock(HOUR)])

    assert (schedule.start_date, schedule.end_date) == (NEW_YEAR, NEW_YEAR + 2 * DAY)
    assert (Schedule([]).start_date, Schedule([]).end_date) == (None, None)


def test_schedules_of_one_clock_have_their_short_names():
    class Rule(list):
        """Stands for dateutil's rrule."""

        xafter = list.index

    end = NEW_YEAR + 2 * DAY
    interval = IntervalSchedule(NEW_YEAR, DAY, end)
    cron = CronSchedule("@daily", NEW_YEAR, end)
    rule = RRuleSchedule(Rule([NEW_YEAR, NEW_YEAR + DAY, end]), NEW_YEAR, end)

    times = [schedule.next(9, after=NEW_YEAR - DAY) for schedule in (interval, cron, rule)]

    assert times == [[NEW_YEAR, NEW_YEAR + DAY, end]] * 3
