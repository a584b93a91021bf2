"""The cells of the notebook that a kernel serves: all that were executed and, where a file is known, all there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.taskcell import without_task_line
from notebook_flows.session.order import Arrangement, arranged
from notebook_flows.session.record import CellRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from notebook_flows.analysis import Cell
    from notebook_flows.session.saved import Document


class CellBook:
    """Which cells there are, and in which order.

    A cell is the same cell as before if it has the same id. Where the front end tells no ids, it is the same if its
    text is the same, or what stands below its task line, or the name that its task line gives.

    Args:
        document: tells the document as it is saved now, or None.
        on_rename: called with the old and the new key of a cell whose id has become known.
    """

    def __init__(
        self,
        document: Callable[[], Document | None] | None = None,
        *,
        on_rename: Callable[[str, str], None] | None = None,
    ) -> None:
        self._document = document or _no_document
        self._on_rename = on_rename
        self._executed: dict[str, CellRecord] = {}
        self._last: str | None = None
        self._numbers = 0

    # -- what happens ------------------------------------------------------------------------------------------------

    def register(
        self,
        source: str,
        *,
        cell_id: str | None = None,
        tags: Sequence[str] = (),
        parent: Mapping[str, Any] | None = None,
        execution_count: int | None = None,
        at_us: int = 0,
    ) -> CellRecord:
        """A cell is executed: what is known of it from now on.

        Args:
            source: as its author wrote it.
            cell_id: as the front end tells it.
            tags: as far as the front end tells them.
            parent: the request.
            execution_count: the number in ``In[...]``.
            at_us: when; 0: before the session began.
        """
        before = self._known(source, cell_id, tuple(tags))
        if before is None:
            key = cell_id or self._new_key()
            before = CellRecord(key=key, source=source, after=self._last)
        elif cell_id is not None and before.key != cell_id:
            before = self._renamed(before, cell_id)
        record = replace(
            before,
            source=source,
            cell_id=cell_id,
            tags=tuple(tags),
            times=before.times + 1,
            execution_count=execution_count,
            executed_us=at_us,
            has_succeeded=None,
            parent=parent,
        )
        self._executed[record.key] = record
        self._last = record.key
        return record

    def ended(self, key: str, *, has_succeeded: bool) -> None:
        """Its execution has ended."""
        if key in self._executed:
            self._executed[key] = replace(self._executed[key], has_succeeded=has_succeeded)

    def removed(self, keys: Collection[str]) -> None:
        """Somebody has deleted these cells."""
        for key in keys:
            self._executed.pop(key, None)

    # -- what is known -----------------------------------------------------------------------------------------------

    def arrangement(self) -> Arrangement:
        """All cells as of now. Cells that are gone are forgotten."""
        found = arranged(tuple(self._executed.values()), self._document())
        for key in found.gone:
            del self._executed[key]
        return found

    def records(self) -> tuple[CellRecord, ...]:
        """All cells, in the order of the document."""
        return self.arrangement().records

    def cells(self) -> list[Cell]:
        """All cells, in the order of the document, as `analysis.connect` gets them."""
        return [record.as_cell() for record in self.records()]

    @property
    def is_empty(self) -> bool:
        """No cell has been executed yet."""
        return not self._executed

    @property
    def order_source(self) -> str:
        """Who told the order of the cells."""
        return self.arrangement().source

    def record(self, key: str) -> CellRecord | None:
        """One cell."""
        return next((one for one in self.records() if one.key == key), None)

    def executed(self, key: str) -> CellRecord | None:
        """One cell as it was executed last, without a look at the document."""
        return self._executed.get(key)

    def tasks(self) -> tuple[CellRecord, ...]:
        """The task cells, in the order of the document."""
        return tuple(one for one in self.records() if one.is_task)

    def edited_not_executed(self) -> tuple[CellRecord, ...]:
        """Cells whose text in the file is newer, and another one, than what was executed."""
        return tuple(one for one in self.records() if one.times and one.saved_source is not None)

    @property
    def parameters_cell(self) -> CellRecord | None:
        """The cell tagged ``parameters``; without one, the first that begins with the comment ``# parameters``."""
        found = [one for one in self.records() if one.has_parameters]
        tagged = [one for one in found if "parameters" in one.tags]
        return next(iter(tagged or found), None)

    # -- the same cell -------------------------------------------------------------------------------------------------

    def _known(self, source: str, cell_id: str | None, tags: tuple[str, ...]) -> CellRecord | None:
        if cell_id is not None and cell_id in self._executed:
            return self._executed[cell_id]
        nameless = [one for one in self._executed.values() if one.cell_id is None]
        same = [one for one in nameless if one.source.strip() == source.strip()]
        if cell_id is not None or not nameless:
            return same[0] if same else None
        if same:
            return self._twin(same, source)
        task = CellRecord(key="", source=source, tags=tags).task
        if task is None:
            return None
        below = _below_task_line(source)
        for one in nameless:
            other = one.task
            if other is not None and (
                (task.name is not None and task.name == other.name) or (below and below == _below_task_line(one.source))
            ):
                return one
        return None

    def _twin(self, same: list[CellRecord], source: str) -> CellRecord | None:
        """Of several cells with the same text, the one whose turn it is; None: one that was not executed yet."""
        document = self._document()
        text = source.strip()
        twins = sum(cell.source.strip() == text for cell in document.cells) if document is not None else 1
        if len(same) < twins:
            return None
        return min(same, key=lambda one: one.times)

    def _renamed(self, record: CellRecord, cell_id: str) -> CellRecord:
        """A cell that was known without its id."""
        renamed = replace(record, key=cell_id)
        self._executed = {
            (cell_id if key == record.key else key): (renamed if key == record.key else one)
            for key, one in self._executed.items()
        }
        if self._last == record.key:
            self._last = cell_id
        if self._on_rename is not None:
            self._on_rename(record.key, cell_id)
        return renamed

    def _new_key(self) -> str:
        self._numbers += 1
        return f"cell-{self._numbers}"


def _no_document() -> None:
    return None


def _below_task_line(source: str) -> str:
    text = without_task_line(source)
    return "\n".join(line for line in text.split("\n") if not line.lstrip("# ").startswith("%%task")).strip()
