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
from notebook_flows.engine.wording import short
from notebook_flows.fingerprints import Unhashable
from notebook_flows.session.cellkeys import content_key, why_not_cached
from notebook_flows.session.cellresults import NotUsable, kept, look_before, marked, recalled, with_changes
from notebook_flows.workspace.cellreuse import CellReuse
from notebook_flows.workspace.resuming import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult, RunInfo, RunLog
    from notebook_flows.fingerprints.made import Making
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues
    from notebook_flows.store.keeping import ResultStore

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
        self._sights: dict[str, Sight] = {}
        self._key_of: dict[str, str] = {}
        self._made: dict[str, str | None] = {}
        self._told: set[str] = set()
        self._reuse: CellReuse | None = None
        self._known: Any = None
        self._store: ResultStore | None = None
        self._secret_key = b""
        self._run_id = ""

    def reuse(self, info: RunInfo, log: RunLog, history: Any) -> CellReuse | None:
        """What the engine asks; None: there is no history, so nothing is kept, and nothing is known."""
        if not hasattr(history, "known_results"):
            return None
        from notebook_flows.workspace.histories import result_store, secret_key

        self._known = history.known_results()
        self._store = result_store()
        self._secret_key = secret_key()
        self._run_id = info.run_id
        self._reuse = CellReuse(
            run_id=info.run_id,
            slugs=info.slugs,
            log=log,
            known=self._known,
            used=history.used,
            find=self._find,
            has_result=lambda node, content: self._wish.making.set_result(self._keys[node], content),
        )
        return self._reuse

    # -- before a cell runs --------------------------------------------------------------------------------------------

    def _find(self, node: int) -> Taken | None:
        key = self._keys[node]
        record = self._records[key]
        if not record.is_task:
            return None
        self._made[key] = self._wish.making.of(key)
        sight = self._sights[key] = self._sight(key)
        look_before(sight, self._secret_key)
        before = self._wish.recalled.get(key)
        if before is not None and (taken := self._taken(key, before, sight)) is not None:
            return taken
        if not self._is_cached(key, sight):
            return None
        try:
            own_key = self._key_of[key] = content_key(record, self._connections.cells[key], sight, self._secret_key)
        except Exception as error:  # Unhashable; and what a value of the user's own raises when it is looked at
            said = str(error) if isinstance(error, Unhashable) else short(error)
            self._say(node, logging.WARNING, f"Task {record.name!r} runs, and is not cached: {said}.")
            return None
        found = None if self._wish.is_fresh or key in self._wish.fresh else self._known.find(own_key)
        if found is None:
            return None
        taken = self._taken(key, found, sight)
        if taken is not None and self._reuse is not None:
            self._reuse.was_used.append(own_key)
        return taken

    def _is_cached(self, key: str, sight: Sight) -> bool:
        record = self._records[key]
        if self._wish.is_off or record.options.cache is False:
            return False
        if record.options.cache:
            return True
        if not self._wish.caches:
            return False
        why_not = why_not_cached(record, self._connections.cells[key], sight)
        if why_not:
            self._say(self._node[key], logging.INFO, f"Task {record.name!r} is not cached, for it uses {why_not}.")
        return not why_not

    def _taken(self, key: str, found: KnownResult, sight: Sight) -> Taken | None:
        assert self._store is not None
        node, name = self._node[key], self._records[key].name
        try:
            values, outputs = recalled(self._store, found.reference, found.inline, sight)
        except NotUsable as error:
            self._say(node, logging.WARNING, f"Task {name!r} runs, though run {found.run_id[:8]} has run it: {error}.")
            return None
        values = with_changes(values, sight)
        self._takes(key, values, marked(outputs, found.run_id))
        content = str(found.reference["content"])
        self._wish.making.set_result(key, content)
        said = said_of(found.run_id, found.took_us)
        self._say(node, logging.INFO, f"Task {name!r} is cached. {said}")
        made = self._made.get(key)
        result = {**found.reference, **({"made": made} if made else {})}
        data = {"result": result, "cached": {"run": found.run_id, "saved_us": found.took_us}}
        return Taken(S.CACHED, values, said, data)

    def _say(self, node: int, level: int, text: str) -> None:
        """Into the run's log, once; where somebody looks at warnings, there as well."""
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
        sight = self._sights.pop(key, None)
        if sight is None or self._store is None or not (self._wish.keeps or key in self._key_of):
            return None
        said = kept(self._store, sight, values, outputs, self._secret_key)
        if "why" in said and key in self._key_of:
            name = self._records[key].name
            self._say(self._node[key], logging.WARNING, f"Task {name!r} is not cached: {said['why']}")
        return {**said, "key": self._key_of.get(key), "made": self._made.get(key)}
