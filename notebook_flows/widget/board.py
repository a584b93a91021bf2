"""Where each task run stands, and when it began and ended: what a page is told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.run import Children, left_as

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from notebook_flows.core.events import Event

MOST_LISTED = 300
"""A mapped task with more children tells their states only, one character for each."""
FIRST_CHARACTER = 48
LONGEST_MESSAGE = 500

# looked up once: each event of a run comes past
_TASK = Kind.TASK
_RUNNING, _PENDING = S.RUNNING, S.PENDING


class Tried(NamedTuple):
    """One attempt that is over and was not the last.

    Attributes:
        attempt: 1 for the first try.
        started_us: microseconds since 1970; None where nobody knows.
        ended_us: the same.
        state: how it ended.
        message: what there is to say about it.
    """

    attempt: int
    started_us: int | None
    ended_us: int | None
    state: S
    message: str


def is_end(state: S) -> bool:
    """Whether nothing more happens by itself in a run that is in this state."""
    return state is S.PAUSED or IS_FINAL[state]


class Board:
    """A run, folded from its events like `core.run.Run`, with times and messages, and without what only the engine needs.

    Task runs are numbered as there: the n tasks first, then children in the order of their making.

    Args:
        size: n.
        bystanders: tasks that are shown, and are not in the run: they stay as they are.

    Attributes:
        state: of each task run.
        attempt: of each task run, how often it was tried in this round.
        started_us: when its last attempt began; None before.
        ended_us: when that ended.
        loops: {task run: its round}, of those that are past the first.
        children: {mapped task: its task runs}.
        origin: of the task runs from n on, (task, index).
        messages: {task run: what there is to say about it}.
        tried: {task run: its attempts before the last one}.
        took: {task run: what its last event has told besides}, where there was anything.
        attached: {task run: {an artifact's key: its title, or the key}}.
    """

    def __init__(self, size: int, bystanders: Collection[int] = ()) -> None:
        self.size = size
        self.bystanders = frozenset(bystanders)
        self.state: list[S] = [_PENDING] * size
        self.attempt: list[int] = [0] * size
        self.started_us: list[int | None] = [None] * size
        self.ended_us: list[int | None] = [None] * size
        self.loops: dict[int, int] = {}
        self.children: dict[int, Children] = {}
        self.origin: list[tuple[int, int]] = []
        self.messages: dict[int, str] = {}
        self.tried: dict[int, list[Tried]] = {}
        self.took: dict[int, Mapping[str, Any]] = {}
        self.attached: dict[int, dict[str, str]] = {}
        self.run_state = _PENDING
        self.stopping: S | None = None
        self.message: str | None = None
        self.seq = 0
        self.began_us: int | None = None
        self.over_us: int | None = None

    def after(self, before: Board | None) -> Board:
        """The same board; its bystanders stand as they stood on another one of the same tasks, without the times of then."""
        if before is None:
            return self
        for number in self.bystanders:
            self.state[number] = before.state[number]
            if number in before.messages:
                self.messages[number] = before.messages[number]
            if number in before.attached:
                self.attached[number] = before.attached[number]
        return self

    def stand_as(self, number: int, other: Board, theirs: int) -> None:
        """A task stands as one of another board does, with times, attempts and all that is said of it."""
        self.state[number], self.attempt[number] = other.state[theirs], other.attempt[theirs]
        self.started_us[number], self.ended_us[number] = other.started_us[theirs], other.ended_us[theirs]
        said: list[tuple[dict[int, Any], dict[int, Any]]] = [
            (self.messages, other.messages),
            (self.tried, other.tried),
            (self.took, other.took),
            (self.attached, other.attached),
        ]
        for mine, its in said:
            if theirs in its:
                mine[number] = its[theirs]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens in it by itself."""
        return is_end(self.run_state)

    def number_of(self, node: int, index: int) -> int | None:
        """The number of a task run; None: there is none."""
        if index == UNMAPPED:
            return node if 0 <= node < self.size else None
        children = self.children.get(node)
        return children.first + index if children is not None and 0 <= index < children.width else None

    # -- what happens --------------------------------------------------------------------------------------------------

    def take(self, events: Iterable[Event]) -> None:
        """Fold events in, which follow those before."""
        state, attempts, started, ended = self.state, self.attempt, self.started_us, self.ended_us
        children = self.children
        for event in events:
            seq, at_us, kind, node, index, attempt, _, new, data = event
            self.seq = seq
            if kind is not _TASK:
                self._take_other(event)
                continue
            number = node if index == UNMAPPED else children[node].first + index
            if new is _RUNNING:
                attempts[number] = attempt
                started[number] = at_us
                ended[number] = None
            elif state[number] is _RUNNING or IS_FINAL[new]:
                ended[number] = at_us
            state[number] = new
            if data is not None or not IS_FINAL[new]:
                self._take_more(number, event)

    def _take_more(self, number: int, event: Event) -> None:
        """What few events of task runs have to say."""
        message = str((event.data or {}).get("message", ""))[:LONGEST_MESSAGE]
        if message:
            self.messages[number] = message
        else:
            self.messages.pop(number, None)
        if event.data is not None:
            self.took[number] = event.data
        else:
            self.took.pop(number, None)  # another attempt: what was told of the one before is past
        if event.state in {S.RETRYING, S.LOOPED}:
            self.tried.setdefault(number, []).append(
                Tried(self.attempt[number], self.started_us[number], self.ended_us[number], event.state, message)
            )
        if event.state is S.LOOPED:
            self.loops[number] = event.loop + 1
            self.attempt[number] = 0

    def _take_other(self, event: Event) -> None:
        if event.kind is Kind.RUN:
            self._take_of_run(event)
        elif event.kind is Kind.EXPANDED:
            self.expand(event.node, int((event.data or {}).get("width", 0)))
            self.started_us[event.node] = event.at_us
        elif event.kind is Kind.REOPENED:
            number = self.number_of(event.node, event.index)
            if number is not None:
                self._reopen(number, event)
        elif event.kind is Kind.VERDICT:
            number = self.number_of(event.node, event.index)
            if number is not None and self.state[number] is S.PAUSED:
                self.state[number] = _PENDING
        elif event.kind is Kind.ARTIFACT and event.data is not None:
            number = self.number_of(event.node, event.index)
            if number is not None:
                key = str(event.data["key"])
                self.attached.setdefault(number, {})[key] = str(event.data.get("title") or key)[:LONGEST_MESSAGE]

    def _reopen(self, number: int, event: Event) -> None:
        """It had ended, and waits for another try, or for its children."""
        if self.attempt[number]:
            message, was = self.messages.get(number, ""), self.state[number]
            tried = Tried(self.attempt[number], self.started_us[number], self.ended_us[number], was, message)
            self.tried.setdefault(number, []).append(tried)
        self.messages.pop(number, None)
        self.took.pop(number, None)
        self.state[number] = event.state
        self.ended_us[number] = None
        if event.state is not S.EXPANDED:
            self.started_us[number] = None

    def _take_of_run(self, event: Event) -> None:
        data = event.data or {}
        self.run_state = event.state
        for number, state in data.get(
            "presets", {}
        ).items():  # tasks that do not run: how they stand from the beginning
            self.state[int(number)] = S(state)
        if event.state is _RUNNING:
            self.began_us = event.at_us if self.began_us is None else self.began_us
            self.over_us = None
        if "stopping" in data:
            self.stopping = S(data["stopping"])
        if isinstance(data.get("message"), str):
            self.message = data["message"][:LONGEST_MESSAGE]
        if self.is_over:
            self.over_us = event.at_us
        if not IS_FINAL[event.state]:
            return
        for number, state in enumerate(self.state):
            if not IS_FINAL[state] and number not in self.bystanders:
                if state is _RUNNING:
                    self.ended_us[number] = event.at_us
                self.state[number] = left_as(state, event.state)

    def expand(self, node: int, width: int) -> None:
        """A mapped task has so many children from now on, none of which has begun."""
        self.children[node] = Children(len(self.state), width)
        self.state[node] = S.EXPANDED
        self.state.extend([_PENDING] * width)
        self.attempt.extend([0] * width)
        self.started_us.extend([None] * width)
        self.ended_us.extend([None] * width)
        self.origin.extend((node, index) for index in range(width))

    # -- as it is told -------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """All that a snapshot tells of it but the run's own facts; O(task runs that have begun)."""
        told: list[int] = [number for number in range(self.size) if self._is_news(number)]
        states: dict[str, str] = {}
        folded: dict[str, dict[str, int]] = {}
        for node, (first, width) in self.children.items():
            numbers = range(first, first + width)
            if width <= MOST_LISTED:
                told.extend(number for number in numbers if self._is_news(number))
                continue
            known = self.state[first : first + width]
            states[str(node)] = "".join([chr(FIRST_CHARACTER + state) for state in known])
            folded[str(node)] = {str(int(state)): known.count(state) for state in sorted(set(known))}
            told.extend(number for number in numbers if number in self.messages)
        told_more = {"folded": folded, "states": states} if states else {}
        return {
            "seq": self.seq,
            "run_state": int(self.run_state),
            "stopping": None if self.stopping is None else int(self.stopping),
            "message": self.message,
            "started_us": self.began_us,
            "ended_us": self.over_us,
            "width": {str(node): children.width for node, children in self.children.items()},
            "columns": self._columns(told),
            "attached": [
                [*self.place_of(number), key, title]
                for number, known in self.attached.items()
                for key, title in known.items()
            ],
            **told_more,
        }

    def _is_news(self, number: int) -> bool:
        """A page takes those that it is not told of to be pending."""
        return self.state[number] is not _PENDING or self.attempt[number] != 0 or number in self.loops

    def place_of(self, number: int) -> tuple[int, int]:
        """(task, index) of a task run."""
        return (number, UNMAPPED) if number < self.size else self.origin[number - self.size]

    def _columns(self, numbers: Sequence[int]) -> dict[str, list[Any]]:
        places, loops = [self.place_of(number) for number in numbers], self.loops
        return {
            "node": [node for node, _ in places],
            "index": [index for _, index in places],
            "state": [self.state[number] for number in numbers],
            "attempt": [self.attempt[number] for number in numbers],
            "loop": [loops.get(number, 1) for number in numbers],
            "started_us": [self.started_us[number] for number in numbers],
            "ended_us": [self.ended_us[number] for number in numbers],
        }
