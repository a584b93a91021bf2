"""In which order the cells stand: as in the saved file, else as they were executed first.

No front end tells the kernel where its cells stand: JupyterLab's requests name the cell, and cells that were deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from notebook_flows.session.record import CellRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.session.saved import Document, DocumentCell

ALIKE = 0.6
"""From which likeness on, 0 to 1, a text that was edited is still the same cell, where no id tells."""
FIRST_EXECUTION = "the first execution"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrangement:
    """The notebook's cells.

    Attributes:
        records: in order; cells that were never executed are among them where a document is known.
        source: who told the order.
        gone: keys of cells that were executed and are not in the notebook any more.
    """

    records: tuple[CellRecord, ...]
    source: str
    gone: frozenset[str] = frozenset()


def arranged(executed: Sequence[CellRecord], document: Document | None = None) -> Arrangement:
    """The cells in the order of the document.

    Args:
        executed: in the order of first execution.
        document: the code cells, as they were saved last.
    """
    matched = _matched(executed, document) if document is not None else {}
    cells = _of_the_notebook(executed, matched)
    if document is None or (cells and not matched and not document.is_whole):  # the file of another notebook
        found = _as_executed(cells)
    else:
        found = _as_saved(cells, document, matched)
    gone = {one.key for one in executed} - {one.key for one in found.records}
    return replace(found, gone=frozenset(gone))


def _of_the_notebook(executed: Sequence[CellRecord], matched: dict[str, int]) -> list[CellRecord]:
    """Not what a console on the same kernel has executed: it tells no ids where the notebook does."""
    if not any(one.cell_id for one in executed):
        return list(executed)
    return [one for one in executed if one.cell_id or not one.executed_us or one.key in matched]


def _as_executed(executed: Sequence[CellRecord]) -> Arrangement:
    """Without ids nothing tells that a cell that failed was edited, or given up: only tasks stay, to be tried again."""
    kept = [one for one in executed if one.cell_id or one.is_task or one.has_succeeded is not False]
    return Arrangement(records=_numbered(kept), source=FIRST_EXECUTION)


def _as_saved(executed: Sequence[CellRecord], document: Document, matched: dict[str, int]) -> Arrangement:
    holder = {place: key for key, place in matched.items()}
    by_key = {one.key: one for one in executed}
    found = [
        _with_saved(by_key[holder[place]], cell, document.written_us)
        if place in holder
        else _never_executed(cell, place)
        for place, cell in enumerate(document.cells)
    ]
    written_us = document.written_us
    newer = [] if document.is_whole else [one for one in executed if one.executed_us > written_us]
    unplaced = [one for one in newer if one.key not in matched]
    return Arrangement(records=_numbered(_inserted(found, unplaced)), source=document.origin)


def _with_saved(record: CellRecord, cell: DocumentCell, written_us: int) -> CellRecord:
    """What the file says of a cell counts if the file is newer than the cell's last execution."""
    is_newer = written_us > record.executed_us
    if is_newer and record.mistake is not None:  # nothing of it has run: it is as if it was never executed
        return replace(record, source=cell.source, tags=cell.tags, times=0, has_succeeded=None)
    return replace(
        record,
        saved_source=cell.source if is_newer and cell.source != record.source else None,
        tags=cell.tags if is_newer or not record.tags else record.tags,
    )


def _never_executed(cell: DocumentCell, place: int) -> CellRecord:
    return CellRecord(key=cell.cell_id or f"place-{place}", source=cell.source, cell_id=cell.cell_id, tags=cell.tags)


def _numbered(records: Iterable[CellRecord]) -> tuple[CellRecord, ...]:
    return tuple(replace(one, place=place) for place, one in enumerate(records))


def _inserted(placed: list[CellRecord], unplaced: Iterable[CellRecord]) -> list[CellRecord]:
    """Cells that are in no document yet stand right behind the cell that was executed before them."""
    found = list(placed)
    for record in unplaced:
        before = next((at for at, one in enumerate(found) if one.key == record.after), len(found) - 1)
        found.insert(before + 1, record)
    return found


# -- which executed cell is which cell of the document -----------------------------------------------------------------


def _matched(executed: Sequence[CellRecord], document: Document) -> dict[str, int]:
    """Key of an executed cell -> its place in the document: by id, then text, then task name, then likeness."""
    matching = _Matching(executed, document.cells)
    place_of_id = {cell.cell_id: place for place, cell in enumerate(document.cells) if cell.cell_id}
    for record in executed:
        if record.cell_id in place_of_id:
            matching.take(record, place_of_id[record.cell_id])
    if document.is_whole:
        return matching.found
    has_ids = bool(matching.found)
    for tell in (_text, _given_name):
        matching.by(tell)
    if not has_ids:
        matching.by_likeness(document.written_us)
    return matching.found


class _Matching:
    def __init__(self, executed: Sequence[CellRecord], cells: Sequence[DocumentCell]) -> None:
        self.found: dict[str, int] = {}
        self._left = {record.key: record for record in executed}
        self._open = dict(enumerate(cells))

    def take(self, record: CellRecord, place: int) -> None:
        """They are the same."""
        if record.key in self._left and place in self._open:
            self.found[record.key] = place
            del self._left[record.key], self._open[place]

    def by(self, tell: _Tell) -> None:
        """Those of which the same is told are the same, in order."""
        places: dict[str, list[int]] = {}
        for place, cell in reversed(self._open.items()):
            told = tell(CellRecord(key="", source=cell.source, tags=cell.tags))
            if told:
                places.setdefault(told, []).append(place)
        for record in tuple(self._left.values()):
            open_places = places.get(tell(record) or "")
            if open_places:
                self.take(record, open_places.pop())

    def by_likeness(self, written_us: int) -> None:
        """A cell whose text was edited, where no id tells: the most alike of what is left."""
        for record in tuple(self._left.values()):
            if record.executed_us > written_us:
                continue
            likeness = {place: _likeness(record.source, cell.source) for place, cell in self._open.items()}
            best = max(likeness, key=lambda place: likeness[place], default=None)
            if best is not None and likeness[best] >= ALIKE:
                self.take(record, best)


if TYPE_CHECKING:
    from collections.abc import Callable

    _Tell = Callable[[CellRecord], str | None]


def _text(record: CellRecord) -> str | None:
    return record.source.strip()


def _given_name(record: CellRecord) -> str | None:
    return record.task.name if record.task is not None else None


def _likeness(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0
