"""What one run of cells takes from earlier ones, and what it leaves to later ones; in the kernel that the engine runs in."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import LogLine
from notebook_flows.engine.logs import sink_of
from notebook_flows.engine.ports import Taken
from notebook_flows.session.cellshelf import Asked, Shelf
from notebook_flows.session.ordinaryinputs import INPUTS, OrdinaryPrints
from notebook_flows.workspace.cellreuse import CellReuse
from notebook_flows.workspace.resuming import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult, RunInfo, RunLog
    from notebook_flows.fingerprints.made import Making
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.cellshelf import Hit
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues

LOGGER = "notebook_flows.cache"


@dataclass(frozen=True, kw_only=True)
class Remembering:
    """What a run may take, and what it keeps.

    Attributes:
        making: what cells are made of; hears of new results.
        keeps: the results of all task cells are kept; else only those of cached ones.
        caches: cells without ``--cache`` are cached, too, unless they act on the world outside.
        is_off, is_fresh: no cell is cached; cached ones run, and are kept anew.
        fresh: keys of cells that are to run, whatever is kept of them.
        recalled: key -> what an earlier run has kept of the cell, which has not changed since.
    """

    making: Making
    keeps: bool = True
    caches: bool = False
    is_off: bool = False
    is_fresh: bool = False
    fresh: frozenset[str] = frozenset()
    recalled: Mapping[str, KnownResult] = field(default_factory=dict)


class CellMemory:
    """Answers the engine of one run.

    Args:
        remembering: what is wanted.
        records: key -> cell, of those that run, in the order of the flow's tasks.
        connections: of all cells.
        sight: gives what the cell with a key sees now.
        takes: called with the key of a cell, its values and outputs, when these are taken from an earlier run.
    """

    def __init__(
        self,
        remembering: Remembering,
        records: Mapping[str, CellRecord],
        connections: Connections,
        *,
        sight: Callable[[str], Sight],
        takes: Callable[[str, CellValues, Sequence[Mapping[str, Any]]], None],
    ) -> None:
        self._wish = remembering
        self._records = records
        self._keys = [key for key in connections.cells if key in records]
        self._node = {key: node for node, key in enumerate(self._keys)}
        self._connections = connections
        self._sight = sight
        self._takes = takes
        self._made: dict[str, str | None] = {}
        self._inputs: dict[str, dict[str, str]] = {}
        self._prints: OrdinaryPrints | None = None
        self._told: set[str] = set()
        self._reuse: CellReuse | None = None
        self._shelf: Shelf | None = None
        self._run_id = ""

    def reuse(self, info: RunInfo, log: RunLog, history: Any) -> CellReuse | None:
        """What the engine asks; None: there is no history, so nothing is kept, and nothing is known."""
        if not hasattr(history, "known_results"):
            return None
        from notebook_flows.workspace.histories import result_store, secret_key

        known = history.known_results()
        self._shelf = Shelf(result_store(), known, secret_key())
        self._prints = OrdinaryPrints(self._connections, secret_key()) if self._wish.keeps else None
        self._run_id = info.run_id
        self._reuse = CellReuse(
            run_id=info.run_id,
            slugs=info.slugs,
            log=log,
            known=known,
            used=history.used,
            find=self._find,
            begins_again=lambda node: self._find(node, is_again=True),
            has_result=lambda node, content: self._wish.making.set_result(self._keys[node], content),
        )
        return self._reuse

    # -- before a cell runs --------------------------------------------------------------------------------------------

    def _find(self, node: int, *, is_again: bool = False) -> Taken | None:
        key = self._keys[node]
        record = self._records[key]
        if not record.is_task or self._shelf is None:
            return None
        wish = self._wish
        self._made[key] = wish.making.of(key)
        sight = self._sight(key)
        if self._prints is not None:
            self._inputs[key] = self._prints.of(key, sight)
        asked = Asked(
            caches=wish.caches,
            is_off=wish.is_off,
            is_fresh=wish.is_fresh or key in wish.fresh,
            before=wish.recalled.get(key),
            is_again=is_again,
        )
        hit = self._shelf.find(record, self._connections.cells[key], sight, asked)
        for level, text in self._shelf.said(key):
            self._say(node, level, text)
        return None if hit is None else self._taken(node, key, hit)

    def _taken(self, node: int, key: str, hit: Hit) -> Taken:
        found = hit.found
        self._takes(key, hit.values, hit.outputs)
        self._wish.making.set_result(key, str(found.reference["content"]))
        if found.key and self._reuse is not None:
            self._reuse.was_used.append(found.key)
        said = said_of(found.run_id, found.took_us)
        self._say(node, logging.INFO, f"Task {self._records[key].name!r} is cached. {said}")
        made = self._made.get(key)
        result = {**found.reference, **({"made": made} if made else {})}
        data = {"result": result, "cached": {"run": found.run_id, "saved_us": found.took_us}}
        return Taken(S.CACHED, hit.values, said, data)

    def _say(self, node: int, level: int, text: str) -> None:
        """Into the run's log, once."""
        if text in self._told:
            return
        self._told.add(text)
        sink = sink_of(self._run_id)
        if sink is not None:
            sink([LogLine(time_ns() // 1000, level, LOGGER, text, node, -1, 1)])

    # -- after a cell has run ------------------------------------------------------------------------------------------

    def kept(self, key: str, values: CellValues, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Keep what a cell has made; called where it has run.

        Returns:
            For the outcome: as `CellReuse.ended` gets it; None: nothing is kept of it.
        """
        if self._shelf is None or not self._records[key].is_task:
            return None
        said = self._shelf.keep(self._records[key], values, outputs, keeps=self._wish.keeps)
        for level, text in self._shelf.said(key):
            self._say(self._node[key], level, text)
        if said is None:
            return None
        if "result" in said and key in self._inputs:
            said["result"] = {**said["result"], INPUTS: self._inputs.pop(key)}
        return {**said, "made": self._made.get(key)}
