"""Earlier runs, for a kernel that a client drives: the client says what may be taken, and hears what is kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.ports import KnownResult
from notebook_flows.session.cellshelf import Asked, Shelf
from notebook_flows.session.ordinaryinputs import INPUTS, OrdinaryPrints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.session.cellresults import Sight
    from notebook_flows.session.cellshelf import Hit
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues


class ServedMemory:
    """Of one headless run.

    Args:
        told: by the client: ``store``, a file or a URL; ``blobs``; ``key``, hexadecimal, with which secrets are hashed;
            ``most``, the bytes that are kept of one result, 0: as many as there are.
    """

    def __init__(self, told: Mapping[str, str]) -> None:
        from notebook_flows.store.keeping import ResultStore, blobs_at
        from notebook_flows.store.parts import part_of
        from notebook_flows.workspace import stored_log

        store, blobs = told["store"], told["blobs"]
        log = stored_log(store if "://" in store else Path(store))
        place = blobs if "://" in blobs else Path(blobs)
        self._key = bytes.fromhex(told["key"])
        most = int(told.get("most", 0)) or None
        self._shelf = Shelf(
            ResultStore(blobs_at(place), most=most, part=lambda: part_of(log)), log.known_results(), self._key
        )
        self._keeps: dict[str, bool] = {}
        self._prints: OrdinaryPrints | None = None
        self._inputs: dict[str, dict[str, str]] = {}

    def find(self, record: CellRecord, connections: Connections, sight: Sight, order: Mapping[str, Any]) -> Hit | None:
        """What makes it needless to run the cell; None: run it."""
        key, links = record.key, connections.cells[record.key]
        self._keeps[key] = bool(order.get("keeps"))
        if self._keeps[key]:
            if self._prints is None:
                self._prints = OrdinaryPrints(connections, self._key)
            self._inputs[key] = self._prints.of(key, sight)
        before = order.get("before")
        asked = Asked(
            caches=bool(order.get("caches")),
            is_off=bool(order.get("is_off")),
            is_fresh=bool(order.get("is_fresh")),
            before=None if before is None else _known(before),
            is_again=not order.get("looks"),
        )
        return self._shelf.find(record, links, sight, asked)

    def told_of_hit(self, key: str, hit: Hit) -> dict[str, Any]:
        """What the client hears of it."""
        found = hit.found
        told = {"run": found.run_id, "took_us": found.took_us, "result": dict(found.reference)}
        return {"cached": told, "said": self._shelf.said(key)}

    def keep(self, record: CellRecord, values: CellValues, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Keep what a cell has made; what the client hears of it."""
        kept = self._shelf.keep(record, values, outputs, keeps=self._keeps.get(record.key, False))
        said = self._shelf.said(record.key)
        told: dict[str, Any] = {"said": said} if said else {}
        if kept is None:
            return told
        if "result" in kept and record.key in self._inputs:
            kept["result"] = {**kept["result"], INPUTS: self._inputs.pop(record.key)}
        inline = kept.get("inline")
        return {**told, "kept": {**kept, "inline": None if inline is None else base64.b64encode(inline).decode()}}


def _known(before: Mapping[str, Any]) -> KnownResult:
    return KnownResult("", str(before["run"]), "", -1, int(before["took_us"]), 0, before["result"], None)
