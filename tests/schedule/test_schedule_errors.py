"""What is refused when a schedule is built, and in which words."""

import pickle
from datetime import UTC, date, datetime, timedelta

import pytest

from notebook_flows.errors import FlowError
from notebook_flows.schedule import (
    Clock,
    CronClock,
    CronError,
    CronSchedule,
    DatesClock,
    IntervalClock,
    IntervalSchedule,
    RRuleClock,
    Schedule,
    ScheduleError,
    ScheduleTypeError,
    UnknownZoneError,
    adjustments,
    filters,
)

DAY = timedelta(days=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "field", "words"),
    [
        ("*", None, "it has 1 fields; five are needed"),
        ("", None, "it has 0 fields"),
        ("hello world", None, "it has 2 fields"),
        ("* * * * * * *", None, "it has 7 fields"),
        ("61 * * * *", "minute", "the minute '61' cannot be read; a minute is 0-59"),
        ("* 24 * * *", "hour", "the hour '24' cannot be read; an hour is 0-23"),
        ("* * 32 1 1", "day-of-month", "the day-of-month '32' cannot be read; a day of the month is 1-31"),
        ("* * ? * *", "day-of-month", "the day-of-month '?'"),
        ("* * * FEBR *", "month", "the month 'FEBR' cannot be read; a month is 1-12 or JAN-DEC"),
        ("* * * * 8", "day-of-week", "the day-of-week '8'"),
        ("* * * * fri-mon", "day-of-week", "the day-of-week 'FRI-MON'"),
        ("* * * * * 60", "second", "the second '60' cannot be read; a second is 0-59"),
        ("*/0 * * * *", "minute", r"the minute '\*/0'"),
        ("1,,2 * * * *", "minute", "the minute '1,,2'"),
        ("0 0 31 2 *", "day-of-month", "it never comes: no date fits the day-of-month '31' with month '2'"),
        ("0 0 30,31 2 *", "day-of-month", "it never comes"),
        ("@dayly", None, "known aliases are @yearly, .*Did you mean '@daily'"),
        ("@reboot", None, "known aliases are"),
    ],
)
def test_a_bad_cron_expression_is_refused_at_once_and_its_field_named(cron, field, words):
    with pytest.raises(CronError, match=words) as caught:
        CronSchedule(cron)

    assert (caught.value.expression, caught.value.field) == (cron, field)
    assert str(caught.value).startswith(f"Invalid cron string: {cron!r}: ")


def test_days_that_never_meet_are_refused_where_both_have_to_fit():
    with pytest.raises(
        CronError, match="no date fits the day-of-month '8' with month '\\*', day-of-week '1#1'"
    ) as caught:
        CronClock("0 0 8 * 1#1", day_or=False)

    assert caught.value.field == "day-of-month"


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: IntervalClock(60), TypeError, "Interval must be a timedelta. This is a int: 60"),
        (
            lambda: IntervalClock(timedelta(0)),
            ValueError,
            r"greater than 0, such as timedelta\(hours=1\). This one is 0:00:00",
        ),
        (lambda: IntervalClock(-DAY), ValueError, "greater than 0"),
        (IntervalSchedule, TypeError, "Interval must be a timedelta"),
        (lambda: IntervalClock(DAY, start_date=date(2026, 1, 1)), TypeError, "A clock's start_date must be a datetime"),
        (
            lambda: IntervalClock(DAY, NEW_YEAR + DAY, NEW_YEAR),
            ValueError,
            "ends .* before it starts",
        ),
        (lambda: Clock(labels="dev"), TypeError, "labels is a list of words. This is a str: 'dev'"),
        (lambda: CronClock(1), TypeError, "A cron expression is a text"),
        (
            lambda: CronClock("@daily", timezone="Europe/Berln"),
            ValueError,
            "'Europe/Berln'.*Did you mean 'Europe/Berlin'",
        ),
        (lambda: CronClock("@daily", timezone=2), TypeError, "A time zone is a name"),
        (lambda: DatesClock([]), ValueError, "at least one date"),
        (lambda: DatesClock(["2026-01-01"]), TypeError, "A date of a DatesClock must be a datetime"),
        (lambda: RRuleClock("FREQ=DAILY"), TypeError, "rrule_obj must be an rrule or rruleset of dateutil.*CronClock"),
        (lambda: Schedule(IntervalClock(DAY)), TypeError, "clocks should be a list of clocks"),
        (lambda: Schedule(None), TypeError, "clocks should be a list of clocks"),
        (lambda: Schedule(["@daily"]), TypeError, "clocks should be a list of clocks. This is a str: '@daily'"),
        (lambda: Schedule([], filters=filters.is_weekday), TypeError, "filters should be a list of functions"),
        (lambda: Schedule([], not_filters=[True]), TypeError, "not_filters should be a list of functions"),
        (lambda: Schedule([], adjustments=[DAY]), TypeError, "adjustments should be a list of functions"),
        (lambda: Schedule([]).next(1, after="today"), TypeError, "after must be a datetime"),
        (lambda: filters.on_date(2, 30), ValueError, "No year has a day 30 of month 2"),
        (lambda: filters.between_dates(31, 10, 3, 15), ValueError, "Give the month first"),
        (lambda: filters.is_day_of_week(7), ValueError, "0 is Monday and 6 is Sunday"),
        (lambda: adjustments.add(3), TypeError, "must be a timedelta"),
    ],
)
def test_mistakes_are_told_when_the_schedule_is_built(build, error, words):
    with pytest.raises(error, match=words) as caught:
        build()

    assert isinstance(caught.value, FlowError)
    assert isinstance(caught.value, ValueError)


def test_an_adjustment_that_returns_no_time_is_told():
    schedule = Schedule([IntervalClock(DAY)], adjustments=[lambda _: None])

    with pytest.raises(ScheduleTypeError, match="An event's start_time must be a datetime"):
        schedule.next(1, after=NEW_YEAR)


@pytest.mark.parametrize(
    "error",
    [
        ScheduleError("no"),
        ScheduleTypeError("A clock.", 1),
        CronError("* *", "hour", "no"),
        UnknownZoneError("Mars/Olympus", frozenset({"Europe/Berlin"})),
    ],
)
def test_errors_survive_the_way_to_another_process(error):
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
