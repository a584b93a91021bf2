"""When flows run: schedules as pure sequences of times."""

from notebook_flows.schedule import adjustments, clocks, filters
from notebook_flows.schedule.clocks import Clock, ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock
from notebook_flows.schedule.errors import CronError, ScheduleError, ScheduleTypeError, UnknownZoneError
from notebook_flows.schedule.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule

__all__ = [
    "Clock",
    "ClockEvent",
    "CronClock",
    "CronError",
    "CronSchedule",
    "DatesClock",
    "IntervalClock",
    "IntervalSchedule",
    "RRuleClock",
    "RRuleSchedule",
    "Schedule",
    "ScheduleError",
    "ScheduleTypeError",
    "UnknownZoneError",
    "adjustments",
    "clocks",
    "filters",
]
