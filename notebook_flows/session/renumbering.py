"""A run of some tasks, seen on a picture of more: its events by the numbers that the tasks have there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.views.standing import Standings


class Renumbering:
    """Events of tasks that are not on the picture are passed over, and the rest is counted anew.

    Args:
        numbers: {task's number in the run: its number on the picture}.
    """

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self._numbers = numbers
        self._seq = 0

    def events(self, events: Sequence[Event]) -> list[Event]:
        """The same events as the picture hears them; each run begins with its first."""
        told = []
        for event in events:
            if event.seq == 1:
                self._seq = 0
            node = event.node if event.kind is Kind.RUN else self._numbers.get(event.node)
            if node is not None:
                self._seq += 1
                told.append(event._replace(seq=self._seq, node=node, data=self._data_of(event)))
        return told

    def _data_of(self, event: Event) -> Mapping[str, Any] | None:
        if event.kind is not Kind.RUN or not event.data or "presets" not in event.data:
            return event.data
        presets = {
            str(self._numbers[int(number)]): state
            for number, state in event.data["presets"].items()
            if int(number) in self._numbers
        }
        return {**event.data, "presets": presets}

    def standings(self, ours: Standings) -> Standings:
        """How the tasks of the run stand, by their numbers on the picture."""
        return {(self._numbers[task], index): one for (task, index), one in ours.items() if task in self._numbers}
