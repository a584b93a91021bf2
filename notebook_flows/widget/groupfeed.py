"""What a page is told of a very large run: its tasks in groups, and how many of each stand where.

Nothing is folded: where the engine itself has come to is looked at now and then, and costs the run next to nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.widget.board import FIRST_CHARACTER, Board, is_end
from notebook_flows.widget.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.run import Run

MOST_GROUPS = 200
EVERY_S = 0.25
_CHARACTER = {state: chr(FIRST_CHARACTER + state) for state in S}
_NUMBER = re.compile(r"[\s_\-[(]*\d+[\])]?$")


def grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Tasks by name; by the name without the number at its end, where there are too many; else all in one.

    >>> grouped(["load", "clean", "load"])
    {'load': [0, 2], 'clean': [1]}
    """
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        found.setdefault(name, []).append(number)
    if len(found) <= MOST_GROUPS:
        return found
    stems: dict[str, list[int]] = {}
    for name, numbers in found.items():
        stems.setdefault(_NUMBER.sub("", name) or name, []).extend(numbers)
    if len(stems) <= MOST_GROUPS:
        return {stem: sorted(numbers) for stem, numbers in stems.items()}
    return {"tasks": list(range(len(names)))}


def groups_message(name: str, groups: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The flow as a page is told it at first: each group as a mapped task whose children are the tasks."""
    nodes = [
        {"id": None, "task": number, "name": group, "kind": "mapped", "mapped": True}
        for number, group in enumerate(groups)
    ]
    return {"type": "flow", "name": name, "svg": None, "nodes": nodes, "edges": []}


class GroupFeed(Feed):
    """The batches of one run whose tasks are told in groups; all of them are snapshots.

    Args:
        groups: the numbers of the tasks of each.
        facts: of the run.
        batch: the number of the last batch that went through this channel.

    Attributes:
        run: where it stands, as the engine keeps it; None: it has not begun.
    """

    def __init__(self, groups: Sequence[Sequence[int]], facts: Mapping[str, Any], *, batch: int = 0) -> None:
        super().__init__(Board(0), facts, batch=batch)
        self._groups = groups
        self.run: Run | None = None
        self._seen = -1
        self._began_us: int | None = None
        self._over_us: int | None = None

    def expect(self, run: Run, run_id: str) -> None:
        """The next run, which is about to begin."""
        self.run, self._seen, self._began_us, self._over_us = run, -1, None, None
        self.facts["id"] = run_id
        self._wants_all = True

    def place_of(self, group: int, index: int) -> int | None:
        """The number of a task, by its place in a group."""
        if not 0 <= group < len(self._groups) or not 0 <= index < len(self._groups[group]):
            return None
        return self._groups[group][index]

    @property
    def has_begun(self) -> bool:
        """Whether anything has happened in the run."""
        return self.run is not None and self.run.seq > 0

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell."""
        return self._wants_all or (self.run is not None and self.run.seq != self._seen)

    def take(self, now_s: float, now_us: int) -> dict[str, Any] | None:
        """Where the run stands now; None: as it stood before."""
        if not self.has_news:
            return None
        self._wants_all = False
        self._told_s = now_s
        self.batch += 1
        return self._snapshot(now_us)

    def _standing(self, now_us: int) -> dict[str, Any]:
        run = self.run
        state = S.PENDING if run is None else run.run_state
        is_over = is_end(state)
        if state is not S.PENDING and self._began_us is None:
            self._began_us = now_us
        if is_over and self._over_us is None:
            self._over_us = now_us
        if run is not None:
            self._seen = run.seq
        letters = [self._letters(numbers) for numbers in self._groups]
        counts = [
            {str(int(one)): count for one, character in _CHARACTER.items() if (count := text.count(character))}
            for text in letters
        ]
        places = list(range(len(letters)))
        has_ended = [is_over or all(IS_FINAL[S(int(one))] for one in count) for count in counts]
        return {
            "seq": 0 if run is None else run.seq,
            "run_state": int(state),
            "stopping": None if run is None or not run.stopping else int(run.stopping),
            "message": None,
            "started_us": self._began_us,
            "ended_us": self._over_us,
            "width": {str(place): len(text) for place, text in enumerate(letters)},
            "folded": {str(place): count for place, count in enumerate(counts)},
            "states": {str(place): text for place, text in enumerate(letters)},
            "columns": {
                "node": places,
                "index": [UNMAPPED] * len(places),
                "state": [int(S.MAPPED if ended else S.EXPANDED) for ended in has_ended],
                "attempt": [0] * len(places),
                "loop": [1] * len(places),
                "started_us": [self._began_us] * len(places),
                "ended_us": [self._over_us] * len(places),
            },
            "attached": [],
        }

    def _letters(self, numbers: Sequence[int]) -> str:
        """How the tasks of a group stand, a character each."""
        if self.run is None:
            return _CHARACTER[S.PENDING] * len(numbers)
        states = self.run.state
        return "".join([_CHARACTER[states[number]] for number in numbers])
