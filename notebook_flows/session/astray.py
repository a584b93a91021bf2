"""Tasks that were run by hand with values that they do not take in a run: of a cell below, or of one that is not the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.views.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.session.record import CellRecord


def taken_astray(
    records: Mapping[str, CellRecord], connections: Connections, taken: Callable[[str], Mapping[str, str]]
) -> dict[str, str]:
    """Task -> which other value it took, in a few words.

    Args:
        records: key -> cell, in document order.
        connections: of them.
        taken: gives name -> key of the cell that had bound it when a cell was executed by hand.
    """
    place = {key: number for number, key in enumerate(records)}
    found = {}
    for key in connections.tasks:
        held = taken(key)
        for name, definers in connections.cells[key].inputs.items():
            owner = held.get(name)
            if not definers or owner is None or owner in definers or owner not in place:
                continue
            if place[owner] < place[key] and connections.cells[owner].alone:
                continue  # nobody can see what it binds: it may be the nearest
            if all(_import_the_same(records[owner], records[one], name) for one in definers):
                continue
            whose = "as it had left it itself" if owner == key else f"from {printable(records[owner].name)!r}"
            found[key] = (
                f"took {name} {whose} when it was run by hand, not from {printable(records[definers[0]].name)!r}"
            )
            break
    return found


def _import_the_same(one: CellRecord, other: CellRecord, name: str) -> bool:
    module = one.facts.imports.get(name)
    return module is not None and module == other.facts.imports.get(name)
