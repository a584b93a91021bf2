"""A page that looks at a run, in Python: folds what it is told as tests/golden/README.md says, and asks where it lost something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.run import Run


class Reader:
    """What one page knows.

    Attributes:
        asks: it has lost a batch, and waits for everything anew.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.asks = False
        self._batch = 0
        self._is_told = False
        self._clear()

    def _clear(self) -> None:
        self.stands = {(node, UNMAPPED): [S.PENDING, 0, 1] for node in range(self._size)}
        self.width: dict[int, int] = {}
        self.attached: dict[tuple[int, int], dict[str, str]] = {}
        self.run_state = S.PENDING
        self.stopping: int | None = None
        self.seq = 0

    def hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "snapshot":
            self._batch, self.asks, self._is_told = message["batch"], False, True
            self._take_all(message)
        elif message["batch"] <= self._batch or self.asks:
            return
        elif message["batch"] != self._batch + 1 or not self._is_told:
            self.asks = True
        else:
            self._batch = message["batch"]
            columns = message["columns"]
            for place in range(len(columns["seq"])):
                row = {name: column[place] for name, column in columns.items()}
                self._apply(row, message.get("data", {}).get(str(place), {}))

    def _take_all(self, message: Mapping[str, Any]) -> None:
        self._clear()
        self.seq, self.run_state, self.stopping = message["seq"], S(message["run_state"]), message["stopping"]
        for node, width in message["width"].items():
            self._expand(int(node), width)
        for node, letters in message.get("states", {}).items():
            for index, letter in enumerate(letters):
                self.stands[int(node), index][0] = S(ord(letter) - 48)
            counts = [letters.count(chr(48 + state)) for state in S]
            assert message["folded"][node] == {
                str(int(state)): count for state, count in zip(S, counts, strict=True) if count
            }
        columns = message["columns"]
        rows = zip(*(columns[name] for name in ("node", "index", "state", "attempt", "loop")), strict=True)
        for node, index, state, attempt, loop in rows:
            self.stands[node, index] = [S(state), attempt, loop]
        for node, index, key, title in message["attached"]:
            self.attached.setdefault((node, index), {})[key] = title

    def _apply(self, row: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        assert row["seq"] == self.seq + 1
        self.seq = row["seq"]
        state, key = S(row["state"]), (row["node"], row["index"])
        match row["kind"]:
            case "run":
                self.run_state = state
                self.stopping = data.get("stopping", self.stopping)
                for one in self.stands.values() if IS_FINAL[state] else ():
                    if not IS_FINAL[one[0]]:
                        one[0] = S.CRASHED if state is S.CRASHED and one[0] is S.RUNNING else S.NOT_RUN
            case "task":
                one = self.stands[key]
                one[0] = state
                if state is S.RUNNING:
                    one[1] = row["attempt"]
                if state is S.LOOPED:
                    one[1:] = [0, row["loop"] + 1]
            case "expanded":
                self._expand(row["node"], data["width"])
                self.stands[key][0] = S.EXPANDED
            case "artifact":
                self.attached.setdefault(key, {})[data["key"]] = data.get("title") or data["key"]
            case "reopened":
                self.stands[key][0] = state
            case "verdict" if self.stands[key][0] is S.PAUSED:
                self.stands[key][0] = S.PENDING

    def _expand(self, node: int, width: int) -> None:
        self.width[node] = width
        self.stands.update({(node, index): [S.PENDING, 0, 1] for index in range(width)})

    def agrees_with(self, run: Run, *, folded: frozenset[int] = frozenset()) -> bool:
        """Whether it has come to where the run is; of children that are folded into their task, only states are told."""
        theirs = {run.place_of(number): state for number, state in enumerate(run.state)}
        more = {
            run.place_of(number): [run.attempt[number], run.loops.get(number, 0) + 1]
            for number in range(len(run.state))
        }
        return (
            self.seq == run.seq
            and self.run_state is run.run_state
            and self.stopping == run.stopping
            and {key: one[0] for key, one in self.stands.items()} == theirs
            and self.attached == {run.place_of(number): known for number, known in run.attached.items()}
            and all(one[1:] == more[key] for key, one in self.stands.items() if key[0] not in folded or key[1] < 0)
        )
