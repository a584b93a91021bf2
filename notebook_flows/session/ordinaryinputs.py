"""Values that a task takes from ordinary cells: nothing keeps these, so they are compared with those that were there when it ran.

What ordinary cells make counts by their texts where they have not run yet. Where they have, their values are here to be
looked at: one that reads the clock, or that was executed while something else was so, has made another one than last time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.feeding import fed_by, feeders
from notebook_flows.session.cellresults import print_or_none, sight_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.session.cellresults import Sight

INPUTS = "inputs"
"""In a reference to what is kept of a cell: name -> the fingerprint of its value; empty: it has none."""


def ordinary_inputs(connections: Connections, key: str) -> frozenset[str]:
    """The names that a cell reads whose values come from ordinary cells, and were changed by no task."""
    tasks = connections.tasks
    of_tasks = {edge.name for edge in connections.dataflow if edge.downstream_key == key and edge.upstream_key in tasks}
    links = connections.cells[key]
    return frozenset(name for name, above in links.inputs.items() if above and name not in of_tasks)


class OrdinaryPrints:
    """The fingerprints of these values, each of which is looked at once: one large table may flow into many cells.

    Args:
        connections: of all cells.
        secret_key: with which secrets are hashed.
    """

    def __init__(self, connections: Connections, secret_key: bytes) -> None:
        self._connections = connections
        self._secret_key = secret_key
        self._made = frozenset[str]().union(*(connections.cells[task].outputs for task in connections.tasks))
        self._versions: dict[tuple[str, str], set[str]] = {}
        for edge in (*connections.dataflow, *connections.order):  # cells that bind a value, and those that change it
            self._versions.setdefault((edge.downstream_key, edge.name), set()).add(edge.upstream_key)
        self._known: dict[tuple[str, frozenset[str]], str] = {}

    def of(self, key: str, sight: Sight) -> dict[str, str]:
        """Name -> fingerprint, of what a cell takes from ordinary cells and sees now; empty: it has none."""
        wanted = sorted(ordinary_inputs(self._connections, key) & sight.names.keys())
        versions = {name: (name, frozenset(self._versions.get((key, name), ()))) for name in wanted}
        unknown = [name for name in wanted if versions[name] not in self._known]
        if unknown:
            # Functions read what tasks have made, too; that counts by itself, and another kernel does not have it yet.
            names = {name: value for name, value in sight.names.items() if name in versions or name not in self._made}
            seen = replace(sight, names=names)
            for name in unknown:
                self._known[versions[name]] = print_or_none(seen, names[name], self._secret_key) or ""
        return {name: self._known[versions[name]] for name in wanted}


def as_then(
    remembered: Mapping[str, KnownResult],
    connections: Connections,
    names: dict[str, Any],
    parameters: Mapping[str, Any],
    has_run: Callable[[str], bool],
    secret_key: bytes,
) -> dict[str, KnownResult]:
    """Of what is remembered, that of tasks for which the ordinary cells that have run here have made the same as then.

    Args:
        remembered: key -> what an earlier kernel has left of a task.
        connections: of all cells.
        names: of the notebook.
        parameters: name -> value, of those that are given.
        has_run: tells of a cell whether it has run in this kernel.
        secret_key: with which secrets are hashed.
    """
    prints, sight = OrdinaryPrints(connections, secret_key), sight_of(parameters, names)
    differ: set[str] = set()
    for key, known in remembered.items():
        links = connections.cells[key]
        here = [
            name for name in ordinary_inputs(connections, key) if any(has_run(other) for other in links.inputs[name])
        ]
        if not here:
            continue
        then = known.reference.get(INPUTS, {})
        now = prints.of(key, sight)
        if any(not now.get(name) or now[name] != then.get(name) for name in here):
            differ.add(key)
    gone = fed_by(feeders(connections), differ) if differ else set()
    return {key: known for key, known in remembered.items() if key not in gone}
