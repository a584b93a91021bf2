"""Notebooks of very many cells: few edges, and yet all that has to wait does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st
from notebooks import connected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notebook_flows.analysis import Connections
    from notebook_flows.analysis.connections import Edge

MANY = 300
LINES = (
    "s = 'y = 1'",
    "exec(s)",
    "exec('z = 2')",
    "from m import *",
    "y = s",
    "if s: y = 2",
    "print(y, s)",
    "z = y.upper()",
    "del y",
)


@pytest.mark.parametrize(
    "sources",
    [
        [f"%%task t{n}\nexec(s)\na{n} = b{n} = c{n} = d{n} = e{n} = 1" for n in range(MANY)],
        [f"exec(s)\na{n} = b{n} = c{n} = d{n} = e{n} = 1" for n in range(MANY)],
        [f"%%task t{n}\nexec(s)\na{n} = 1\nprint(a{max(n - 1, 0)}, a{max(n - 7, 0)})" for n in range(MANY)],
        [f"%%task t{n}\nfrom m{n} import *\nx{n} = len([y{n}])" for n in range(MANY)],
        [f"%%task t{n}\nrows.append({n})" for n in range(MANY)],
        [f"%%task t{n}\ndef f{n}(x):\n    return x + {n}\n" for n in range(MANY)],
    ],
    ids=["tasks that exec", "cells that exec", "readers between", "star imports", "one object", "functions"],
)
def test_edges_are_as_many_as_cells_and_not_their_square(sources: list[str]) -> None:
    found = connected("s = 'a = 1'\nrows = []", *sources)

    assert len(found.dataflow) <= 6 * MANY
    assert len(found.order) <= 6 * MANY


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(LINES), min_size=1, max_size=2)), max_size=12))
def test_whoever_may_have_bound_a_name_is_waited_for_by_some_way(cells: list[tuple[bool, list[str]]]) -> None:
    sources = ["\n".join([f"%%task t{n}", *lines] if is_task else lines) for n, (is_task, lines) in enumerate(cells)]

    found = connected("s = y = z = ''", *sources)

    by_data, by_order = _all_above(found, found.dataflow), _all_above(found, found.order)
    for key, links in found.cells.items():
        definers = {definer for several in links.inputs.values() for definer in several}
        assert definers <= by_data[key]
        assert {one for one in definers if key in found.tasks or one in found.tasks} <= by_order[key]


def _all_above(connections: Connections, edges: Iterable[Edge]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {key: set() for key in connections.cells}
    above: dict[str, list[str]] = {}
    for edge in edges:
        above.setdefault(edge.downstream_key, []).append(edge.upstream_key)
    for key in connections.cells:  # in document order: those above are done
        for other in above.get(key, ()):
            found[key] |= found[other] | {other}
    return found
