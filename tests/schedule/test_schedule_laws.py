"""What holds for every schedule, in every zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings, strategies as st

from notebook_flows.schedule import CronClock, CronError, IntervalClock, Schedule, adjustments, filters
from notebook_flows.schedule.zones import moment_of

ODD_ZONES = [
    "Africa/Casablanca", "Africa/Cairo", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago",
    "America/Sao_Paulo", "Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Pyongyang", "Asia/Tehran",
    "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kwajalein", "UTC",
]  # fmt: skip
zones = st.sampled_from(ODD_ZONES).map(ZoneInfo)
moments = st.integers(0, 50 * 365 * 24 * 60).map(
    lambda count: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(minutes=count)
)
minutes = st.sampled_from(["*", "0", "30", "*/15", "5,35", "0-59/20", "59"])
hours = st.sampled_from(["*", "0", "1", "2", "2,3", "*/2", "9-17", "23"])
expressions = st.builds("{} {} {} {} {}".format, minutes, hours, st.just("*"), st.just("*"), st.sampled_from("**16"))
cron_clocks = st.builds(lambda cron, zone: CronClock(cron, timezone=zone), expressions, zones)
intervals = st.one_of(
    st.timedeltas(timedelta(seconds=1), timedelta(hours=30)),
    st.sampled_from([timedelta(hours=1), timedelta(days=1), timedelta(days=2), timedelta(days=7)]),
)
starts = st.builds(lambda moment, zone: moment.astimezone(zone), moments, zones)
interval_clocks = st.builds(IntervalClock, intervals, starts)
clocks = st.one_of(cron_clocks, interval_clocks)
some_adjustments = st.lists(
    st.sampled_from(
        [adjustments.next_weekday, adjustments.add(timedelta(hours=5)), adjustments.add(timedelta(hours=-5))]
    ),
    max_size=2,
)
some_filters = st.lists(
    st.sampled_from([filters.is_weekday, filters.is_month_end, lambda dt: dt.hour < 12]), max_size=2
)


def around_changes(test):
    """Begin where clocks are about to be changed, in each odd zone of the lists above."""
    for zone, text in [
        ("America/New_York", "2026-11-01 04:30"),
        ("Australia/Lord_Howe", "2026-04-04 14:00"),
        ("Pacific/Apia", "2011-12-30 08:00"),
        ("America/Nuuk", "2024-03-30 22:00"),
    ]:
        clock = CronClock("*/15 * * * *", timezone=zone)
        test = example(clock=clock, after=datetime.fromisoformat(text).replace(tzinfo=UTC))(test)
    return test


@around_changes
@given(clock=clocks, after=moments)
def test_ticks_are_later_than_after_and_strictly_increase(clock, after):
    ticks = [event.start_time for event in islice(clock.events(after), 30)]

    assert all(earlier < later for earlier, later in pairwise([after, *ticks]))


@around_changes
@given(clock=clocks, after=moments)
def test_going_on_after_any_event_continues_the_same_sequence(clock, after):
    whole = [event.start_time for event in islice(clock.events(after), 12)]

    resumed = [[event.start_time for event in islice(clock.events(at), 11 - i)] for i, at in enumerate(whole)]

    assert resumed == [whole[i + 1 :] for i in range(12)]


@given(clock=clocks, after=moments, wait=st.timedeltas(timedelta(0), timedelta(days=1)))
def test_looking_between_events_finds_the_same_events(clock, after, wait):
    whole = [event.start_time for event in islice(clock.events(after), 20)]

    later = [event.start_time for event in islice(clock.events(after + wait), 5)]

    expected = [at for at in whole if at > after + wait][:5]
    assert later[: len(expected)] == expected


@given(expression=expressions, zone=zones, kept=some_filters, moved=some_adjustments, after=moments)
def test_moved_schedules_too_increase_and_continue(expression, zone, kept, moved, after):
    seldom = expression.replace("*", "0", 1) if expression.startswith("* ") else expression
    clock = CronClock(seldom, timezone=zone, end_date=after + timedelta(days=10))
    schedule = Schedule([clock], filters=kept, adjustments=moved)

    whole = schedule.next(6, after=after)
    resumed = [schedule.next(5 - i, after=at) for i, at in enumerate(whole)]

    assert all(earlier < later for earlier, later in pairwise([after, *whole]))
    assert resumed == [whole[i + 1 :] for i in range(len(whole))]


@given(clock=clocks, kept=some_filters, after=moments)
def test_filters_only_remove(clock, kept, after):
    everything = [event.start_time for event in islice(clock.events(after), 60)]
    clock.end_date = everything[-1]

    filtered = Schedule([clock], filters=kept).next(60, after=after)

    assert filtered == [at for at in everything if all(passes(at.astimezone(clock.zone)) for passes in kept)]


@given(first=clocks, second=clocks, after=moments)
def test_two_clocks_give_the_union_of_their_times(first, second, after):
    together = Schedule([first, second]).next(20, after=after)

    ticks = {event.start_time for clock in (first, second) for event in islice(clock.events(after), 20)}
    assert together == sorted(ticks)[:20]


@given(zone=zones, after=moments)
def test_a_rhythm_is_every_minute_at_which_the_wall_clock_fits(zone, after):
    rhythm = CronClock("*/10 * * * *", timezone=zone, end_date=after + timedelta(days=2))

    ticks = [event.start_time for event in rhythm.events(after)]

    minutes = (after + timedelta(minutes=i) for i in range(1, 2 * 24 * 60 + 1))
    local = ((at, at.astimezone(zone)) for at in minutes)
    assert ticks == [at for at, shown in local if shown.minute % 10 == 0 and shown.second == 0]


@cache
def dates_of(zone: ZoneInfo, first: date, last: date) -> list[date]:
    """Every date that the zone has, from first to last."""
    every = (first + timedelta(days=i) for i in range((last - first).days + 1))
    return [day for day in every if moment_of(datetime.combine(day, time(12)), zone) is not None]


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("expression", ["0 0 * * *", "30 2 * * *"])
def test_a_daily_expression_ticks_once_on_each_local_date_of_ten_years(zone, expression):
    zone = ZoneInfo(zone)
    clock = CronClock(expression, timezone=zone, end_date=datetime(2015, 12, 31, 23, 59, tzinfo=zone))

    ticks = clock.events(datetime(2005, 12, 31, 23, 59, tzinfo=zone))

    assert [event.local_time.date() for event in ticks] == dates_of(zone, date(2006, 1, 1), date(2015, 12, 31))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(available_timezones())), number=st.integers(0, 10_000), year=st.integers(1975, 2035))
def test_any_daily_expression_ticks_as_often_as_any_zone_has_dates(name, number, year):
    zone = ZoneInfo(name)
    after, end = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 12, 31, 23, 59, 59, tzinfo=zone)
    clock = CronClock(f"{number % 60} {number // 60 % 24} * * *", timezone=zone, end_date=end)

    ticks = list(clock.events(after - timedelta(microseconds=1)))

    assert len(ticks) == len(dates_of(zone, date(year, 1, 1), date(year + 1, 12, 31)))


@given(
    st.one_of(
        st.text(max_size=30), st.lists(st.text("0123456789*/-,#LW?", max_size=6), min_size=5, max_size=6).map(" ".join)
    )
)
def test_any_text_is_a_cron_expression_or_refused_as_one(text):
    try:
        clock = CronClock(text)
    except CronError as refused:
        assert repr(text) in str(refused)  # noqa: PT017 - both ends are right
    else:
        assert next(clock.events(datetime(2026, 1, 1, tzinfo=UTC)), None) is not None
