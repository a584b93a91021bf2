"""Notebooks without a kernel: ordinary cells that have run, and what a task cell below them sees."""

from __future__ import annotations

import linecache
from typing import Any

from notebook_flows.analysis import connect
from notebook_flows.analysis.taskcell import task_cell
from notebook_flows.session.cellkeys import content_key, why_not_cached
from notebook_flows.session.cellresults import Sight, sight_of
from notebook_flows.session.code import prepare
from notebook_flows.session.record import CellRecord

KEY = b"a key for secrets"
_number = 0


def namespace(*cells: str) -> dict[str, Any]:
    """The names after these ordinary cells, whose texts can be looked up as a kernel's can."""
    global _number
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    for cell in cells:
        _number += 1
        file = f"<ordinary cell {_number}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), names)
    return names


def records_of(*cells: str) -> dict[str, CellRecord]:
    """Cells by their keys: cell-0, cell-1..."""
    return {
        f"cell-{place}": CellRecord(key=f"cell-{place}", source=source, times=1, place=place)
        for place, source in enumerate(cells)
    }


def seen_by_last(*cells: str, names: dict[str, Any] | None = None) -> tuple[CellRecord, Any, Sight]:
    """The last cell, a task, with its links, and what it sees once those above have run."""
    records = records_of(*cells)
    connections = connect([one.as_cell() for one in records.values()])
    record = records[f"cell-{len(cells) - 1}"]
    assert task_cell(record.source) is not None
    home = namespace(*cells[:-1]) if names is None else names
    code = prepare(record.body, key=record.key, name=record.name)
    links = connections.cells[record.key]
    sight = sight_of(
        {},
        home,
        needed=connections.read_from(record.key),
        mutates=links.mutates,
        codes=tuple(step.code for step in code.steps),
    )
    return record, links, sight


def key_after(*cells: str) -> str:
    """The key of the last cell."""
    return content_key(*seen_by_last(*cells), KEY)


def reason_after(*cells: str) -> str:
    """Why the last cell is not cached unless it asks for that."""
    return why_not_cached(*seen_by_last(*cells))
