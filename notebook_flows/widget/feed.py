"""What a page is told of a run, and when: numbered batches, few of them, and everything anew where one was lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import Kind
from notebook_flows.widget.board import LONGEST_MESSAGE, is_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.widget.board import Board

EVERY_S = 0.06
"""Two batches are so far apart at least: no more than 17 in a second."""
FLOOD = 2_000
"""With more events than this since the last batch, where the run stands is told instead of what has happened."""
FLOODED_EVERY_S = 0.25
ANEW_EVERY_S = 10.0
"""How often everything is told anew: what the browser has lost without knowing is there again then."""
SHARE = 50
"""Telling takes no more than one part in so many of the time."""
_TOLD = {Kind.RUN: ("stopping", "message"), Kind.EXPANDED: ("width",), Kind.ARTIFACT: ("key", "title")}
"""What a page needs of an event's data: no graph, no references, no values; what tasks say, it asks for."""


class Feed:
    """The batches of one run, for all who look at it through one channel.

    `tell` may be called in any thread, and does next to nothing; all else is for one thread at a time.

    Args:
        board: where the run stands before its first event.
        facts: of the run: ``id``, ``name``, ``flow``, ``parameters``, ``parent``.
        batch: the number of the last batch that went through this channel.
    """

    def __init__(self, board: Board, facts: Mapping[str, Any], *, batch: int = 0) -> None:
        self.board = board
        self.facts = dict(facts)
        self.batch = batch
        self._new: deque[Sequence[Event]] = deque()
        self._untold: list[Event] = []
        self._wants_all = True
        self._is_flooded = False
        self._told_s = float("-inf")
        self._told_all_s = float("-inf")
        self._cost_s = 0.0

    def tell(self, events: Sequence[Event]) -> None:
        """Take over what has happened."""
        self._new.append(events)

    def resync(self) -> None:
        """Somebody has lost a batch, or has just come: everything is told with the next one."""
        self._wants_all = True

    @property
    def has_begun(self) -> bool:
        """Whether anything has happened in the run."""
        return bool(self._new) or self.board.seq > 0

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._new or self._untold or self._wants_all)

    def due_s(self) -> float:
        """When the next batch may go, by the clock whose time `take` is given."""
        rest_s = FLOODED_EVERY_S if self._is_flooded else EVERY_S
        return self._told_s + max(rest_s, self._cost_s * SHARE)

    def cost(self, seconds: float) -> None:
        """The last batch has taken so long to make and to send, in CPU seconds: the next one waits accordingly."""
        self._cost_s = seconds

    def catch_up(self) -> None:
        """Bring the board up to date, and tell nobody."""
        while self._new:
            events = self._new.popleft()
            self.board.take(events)
            self._untold.extend(events)

    def take(self, now_s: float, now_us: int) -> dict[str, Any] | None:
        """The next batch; None: there is nothing to tell.

        Args:
            now_s: of a clock that never jumps.
            now_us: microseconds since 1970.
        """
        self.catch_up()
        if not self.has_news:
            return None
        untold, self._untold = self._untold, []
        self._is_flooded = len(untold) > FLOOD
        is_turn = any(event.kind is Kind.RUN and (event.seq == 1 or is_end(event.state)) for event in untold)
        is_due = now_s - self._told_all_s >= ANEW_EVERY_S
        self._told_s = now_s
        self.batch += 1
        if self._wants_all or self._is_flooded or is_turn or is_due:
            self._wants_all = False
            self._told_all_s = now_s
            return self._snapshot(now_us)
        return events_message(untold, batch=self.batch, now_us=now_us)

    def _snapshot(self, now_us: int) -> dict[str, Any]:
        return {
            "type": "snapshot",
            "batch": self.batch,
            "run": self.facts,
            "now_us": now_us,
            **self._standing(now_us),
        }

    def _standing(self, now_us: int) -> dict[str, Any]:  # some have to know when it is
        return self.board.as_json()


def events_message(events: Sequence[Event], *, batch: int, now_us: int) -> dict[str, Any]:
    """What a page is told of events, in columns.

    Args:
        events: in order.
        batch: the number of the batch, which follows the one before.
        now_us: microseconds since 1970.
    """
    data = {str(place): told for place, event in enumerate(events) if event.data and (told := _told(event))}
    message = {
        "type": "events",
        "batch": batch,
        "now_us": now_us,
        "columns": {
            "seq": [event.seq for event in events],
            "at_us": [event.at_us for event in events],
            "kind": [event.kind for event in events],
            "node": [event.node for event in events],
            "index": [event.index for event in events],
            "attempt": [event.attempt for event in events],
            "loop": [event.loop for event in events],
            "state": [event.state for event in events],
        },
    }
    return {**message, "data": data} if data else message


def _told(event: Event) -> dict[str, Any]:
    wanted = _TOLD.get(event.kind, ())
    known = event.data or {}
    return {
        key: value[:LONGEST_MESSAGE] if isinstance(value, str) else value
        for key in wanted
        if (value := known.get(key)) is not None
    }
