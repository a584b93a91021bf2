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


def prints_of(sight: Sight, connections: Connections, key: str, secret_key: bytes) -> dict[str, str]:
    """The fingerprints of these values; empty: it has none."""
    wanted = ordinary_inputs(connections, key)
    made = frozenset[str]().union(*(connections.cells[task].outputs for task in connections.tasks))
    # Functions read what tasks have made, too; that counts by itself, and another kernel does not have it yet.
    names = {name: value for name, value in sight.names.items() if name in wanted or name not in made}
    seen = replace(sight, names=names)
    return {name: print_or_none(seen, names[name], secret_key) or "" for name in sorted(wanted & names.keys())}


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
    differ: set[str] = set()
    for key, known in remembered.items():
        links = connections.cells[key]
        here = [
            name for name in ordinary_inputs(connections, key) if any(has_run(other) for other in links.inputs[name])
        ]
        if not here:
            continue
        then = known.reference.get(INPUTS, {})
        now = prints_of(sight_of(parameters, names), connections, key, secret_key)
        if any(not now.get(name) or now[name] != then.get(name) for name in here):
            differ.add(key)
    gone = fed_by(feeders(connections), differ) if differ else set()
    return {key: known for key, known in remembered.items() if key not in gone}
