"""What is wrong with the cells of a notebook, as far as it can be told before anything runs: all of it at once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from notebook_flows.analysis.magicslips import sure_slip

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from notebook_flows.analysis.connections import Cell, Connections

RAISES_TAG = "raises-exception"
_LOOKS_FOR_NAMES = re.compile(r"\b(?:except|suppress)\b.*\bNameError\b")


def problems_of(
    cells: Sequence[Cell],
    connections: Connections,
    *,
    mistakes: Mapping[str, str] | None = None,
    held: Collection[str] = (),
    forgiven: Collection[str] = (),
) -> list[str]:
    """A sentence for each problem, in document order; what concerns several cells comes last.

    Args:
        cells: in document order.
        connections: of these cells.
        mistakes: {key: why the cell's task line cannot be understood}.
        held: names that are there without a cell that binds them, as parameters without a default. One that a cell
            below binds is missing all the same when the notebook runs from the top.
        forgiven: keys of cells that may raise (see `may_raise`): a missing name, or no Python, is no problem there.
    """
    found = []
    for cell in cells:
        if mistakes and cell.key in mistakes:
            found.append(f"Cell {cell.name!r}: {mistakes[cell.key]}")
        is_forgiven = cell.key in forgiven
        found += [
            one.text
            for one in connections.unresolved
            if one.key == cell.key
            and (one.name in cell.needs or not (is_forgiven or (one.below is None and one.name in held)))
        ]
        if "syntax" in cell.facts.opaque and not is_forgiven:
            why = f": {cell.facts.mistake}" if cell.facts.mistake else "."
            found.append(f"Cell {cell.name!r} is no Python that could be read{why}")
        if not is_forgiven:
            slips = (sure_slip(reason) for reason in cell.facts.opaque)
            found += [f"Cell {cell.name!r}: {slip}" for slip in slips if slip is not None]
        if cell.is_task and cell.facts.history:
            read = ", ".join(sorted(cell.facts.history))
            found.append(
                f"Task {cell.name!r} reads {read}, which IPython binds anew at each cell: give the value a name."
            )
    named = Counter(cell.name for cell in cells if cell.is_task)
    found += [
        f"{count} task cells are called {name!r}: give them names of their own."
        for name, count in named.items()
        if count > 1
    ]
    return found


def may_raise(source: str, tags: Collection[str]) -> bool:
    r"""Whether a cell is meant to go on without a name: it is tagged so, or looks whether there is one.

    >>> may_raise("try:\n    model\nexcept NameError:\n    model = train()", ())
    True
    """
    return RAISES_TAG in tags or _LOOKS_FOR_NAMES.search(source) is not None
