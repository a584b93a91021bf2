"""Clocks of single dates and of dateutil's rules, and what clocks have in common."""

import operator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from notebook_flows.schedule import Clock, ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def wall(text: str) -> datetime:
    """A time without a zone."""
    return datetime.fromisoformat(text)


class Rule(list):
    """Stands for dateutil's rrule: what can be walked from its start."""

    def xafter(self, dt, count=None, inc=False):
        raise NotImplementedError


def test_dates_come_in_order_and_once():
    clock = DatesClock([NOON + DAY, NOON, NOON + DAY, NOON + 2 * DAY])

    events = list(clock.events(NOON))

    assert events == [NOON + DAY, NOON + 2 * DAY]
    assert (clock.start_date, clock.end_date) == (NOON, NOON + 2 * DAY)


def test_dates_keep_their_own_wall_clocks():
    here, there = NOON.astimezone(ZoneInfo("Asia/Tokyo")), (NOON + DAY).astimezone(ZoneInfo("America/New_York"))

    shown = [f"{event.local_time:%H:%M}" for event in DatesClock([here, there]).events(NOON - DAY)]

    assert shown == ["21:00", "07:00"]


def test_occurrences_of_a_rule_are_ticks_between_start_and_end():
    rule = Rule(wall("2026-01-01 12:00") + i * DAY for i in range(10))
    clock = RRuleClock(rule, start_date=NOON + 2 * DAY, end_date=NOON + 4 * DAY)

    events = list(clock.events(NOON))

    assert events == [NOON + 2 * DAY, NOON + 3 * DAY, NOON + 4 * DAY]


def test_a_rule_with_a_zone_ticks_at_wall_times():
    new_york = ZoneInfo("America/New_York")
    rule = Rule(datetime(2026, 3, day, 2, 30, tzinfo=new_york) for day in (7, 8, 9))

    shown = [f"{event.local_time:%d %H:%M}" for event in RRuleClock(rule).events(NOON)]

    assert shown == ["07 02:30", "08 03:00", "09 02:30"]


@pytest.mark.parametrize(
    "clock",
    [
        IntervalClock(DAY, parameter_defaults={"x": 1}, labels=["dev"]),
        CronClock("@daily", parameter_defaults={"x": 1}, labels=["dev"]),
        DatesClock([NOON + DAY], parameter_defaults={"x": 1}, labels=["dev"]),
        RRuleClock(Rule([NOON + DAY]), parameter_defaults={"x": 1}, labels=["dev"]),
    ],
    ids=lambda clock: type(clock).__name__,
)
def test_every_event_carries_parameters_and_labels_of_its_own(clock):
    first = next(clock.events(NOON))
    first.parameter_defaults["x"] = "changed by one run"
    first.labels.append("changed")

    again = next(clock.events(NOON))

    assert again.parameter_defaults == {"x": 1}
    assert again.labels == ["dev"]


@pytest.mark.parametrize(
    "make", [lambda **dates: IntervalClock(DAY, **dates), lambda **dates: CronClock("@daily", **dates)]
)
def test_dates_without_a_zone_are_utc(make):
    clock = make(start_date=wall("2026-01-01"), end_date=wall("2026-01-02"))

    events = list(islice(clock.events(wall("2025-01-01")), 3))

    assert events == [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]


def test_events_compare_with_times_and_with_one_another():
    event, later = ClockEvent(NOON), ClockEvent(NOON + DAY)

    assert event == NOON
    assert event == NOON.astimezone(ZoneInfo("Asia/Tokyo"))
    assert event < later
    assert later > NOON
    assert event != ClockEvent(NOON, parameter_defaults={"x": 1})
    assert event != ClockEvent(NOON, labels=["dev"])
    assert event != "noon"
    assert len({event, ClockEvent(NOON), later}) == 2
    assert repr(event) == "<2026-01-01 12:00:00+00:00,None,{}>"


def test_both_passes_of_an_hour_are_different_events():
    first = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"))

    one, other = ClockEvent(first), ClockEvent(first.replace(fold=1))

    assert one < other
    assert one != other
    assert one == first


@pytest.mark.parametrize("compare", [operator.lt, operator.gt])
def test_events_compare_with_nothing_else(compare):
    with pytest.raises(TypeError):
        compare(ClockEvent(NOON), "noon")


def test_a_clock_of_ones_own_says_its_times():
    with pytest.raises(NotImplementedError, match=r"events\(self, after\)"):
        Clock().events(NOON)
