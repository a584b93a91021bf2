"""Cells that are run, kept and found again without a kernel, as a run of a notebook does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cells_seen import KEY, namespace, seen_by_last

from notebook_flows.engine.ports import KeptContent
from notebook_flows.session.cellshelf import Asked, Shelf
from notebook_flows.session.code import prepare
from notebook_flows.session.exclusive import run_exclusive
from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.private import run_private
from notebook_flows.store.keeping import ResultStore, blobs_at
from notebook_flows.store.memory import MemoryKept
from notebook_flows.workspace.reuse import finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUN = "1a2b3c4d" * 4


class Ran(NamedTuple):
    """What became of a cell.

    Attributes:
        was_taken: from an earlier run.
        bound: what it has made.
        handed_back: what it has changed.
        said: of it.
    """

    was_taken: bool
    bound: Mapping[str, Any]
    handed_back: Mapping[str, Any]
    said: str


class Notebook:
    """Runs of the last of some cells, a task, one after the other."""

    def __init__(self, folder: Path, *, most: int | None = None) -> None:
        self.store = ResultStore(blobs_at(folder / "blobs"), most=most)
        self.known = MemoryKept()

    def run(self, *cells: str, caches: bool = False, keeps: bool = False, names: dict[str, Any] | None = None) -> Ran:
        """In another kernel, unless names are given."""
        home = namespace(*cells[:-1]) if names is None else names
        record, links, sight = seen_by_last(*cells, names=home)
        shelf = Shelf(self.store, self.known, KEY)
        hit = shelf.find(record, links, sight, Asked(caches=caches))
        if hit is not None:
            return Ran(True, hit.values.bound, hit.values.handed_back, _told(shelf, record.key))
        code = prepare(record.body, key=record.key, name=record.name)
        sink = RecordingSink()
        run = run_exclusive if links.alone else run_private
        values = run(code, values={}, user_ns=home, sink=sink)
        kept = shelf.keep(record, values, sink.outputs, keeps=keeps)
        if kept is not None and kept.get("key") and "result" in kept:
            found = finding(RUN, record.key, -1, 1, kept["result"])
            self.known.add([KeptContent(kept["result"]["sha256"], kept["inline"], kept["key"], found)])
        return Ran(False, values.bound, values.handed_back, _told(shelf, record.key))


def _told(shelf: Shelf, key: str) -> str:
    return " ".join(text for _, text in shelf.said(key))
