"""What a clock says at each tick: when a flow is to run, and with what."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from notebook_flows.schedule.zones import as_utc, as_zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo


class ClockEvent:
    """One moment at which a flow is to run, and how.

    Events compare with one another and with datetimes, by the moment.

    Args:
        start_time: when; kept in UTC.
        parameter_defaults: parameters of this run, over the flow's own defaults.
        labels: words that the run is to carry.
        zone: where the wall clock hangs that filters and adjustments read; by default the zone of ``start_time``.
    """

    __slots__ = ("labels", "parameter_defaults", "start_time", "zone")

    def __init__(
        self,
        start_time: datetime,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        *,
        zone: tzinfo | None = None,
    ) -> None:
        self.start_time = as_utc(start_time, "An event's start_time")
        self.parameter_defaults = dict(parameter_defaults or {})
        self.labels = None if labels is None else list(labels)
        self.zone = as_zone(zone or start_time.tzinfo)

    @property
    def local_time(self) -> datetime:
        """The same moment as the clocks of the zone show it."""
        return self.start_time.astimezone(self.zone)

    def moved_to(self, moment: datetime) -> ClockEvent:
        """The same run at another moment; without a zone it is a time on the same wall clock."""
        if getattr(moment, "tzinfo", self.zone) is None:
            moment = moment.replace(tzinfo=self.zone)
        return ClockEvent(moment, self.parameter_defaults, self.labels, zone=self.zone)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, datetime):
            return self.start_time == as_utc(other)
        if not isinstance(other, ClockEvent):
            return NotImplemented
        mine, theirs = (self.parameter_defaults, self.labels), (other.parameter_defaults, other.labels)
        return self.start_time == other.start_time and mine == theirs

    def __lt__(self, other: datetime | ClockEvent) -> bool:
        if not isinstance(other, datetime | ClockEvent):
            return NotImplemented
        return self.start_time < _moment(other)

    def __gt__(self, other: datetime | ClockEvent) -> bool:
        if not isinstance(other, datetime | ClockEvent):
            return NotImplemented
        return self.start_time > _moment(other)

    def __hash__(self) -> int:
        return hash(self.start_time)

    def __repr__(self) -> str:
        return f"<{self.local_time},{self.labels},{self.parameter_defaults}>"


def _moment(other: datetime | ClockEvent) -> datetime:
    return other.start_time if isinstance(other, ClockEvent) else as_utc(other)
