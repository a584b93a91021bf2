"""The runs that tasks of a run have begun, such as those of notebooks: their own tasks, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.cli.history import SHORT_ID, counts_of, durations_of, folded, seconds_of
from notebook_flows.core.lifecycle import facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow
    from notebook_flows.views.standing import Standings

MOST_LINES = 200
"""With more tasks than this in them, the runs are only counted up, a line for each."""
INDENT = "   "


def told_children(log: AnyLog, row: RunRow, names: Sequence[str], *, width: int) -> str:
    """What ran inside of a run's tasks; empty if nothing did.

    Args:
        log: the history.
        row: the run around.
        names: of its tasks.
        width: how many columns there are.
    """
    from notebook_flows.views.text import printable

    children = _by_place(log.runs(parent=row.run_id, limit=None))
    if not children:
        return ""
    in_full = sum(child.task_count + 2 for child in children) <= MOST_LINES
    parts = []
    for child in children:
        node, index = _place_of(child)
        name = names[node] if 0 <= node < len(names) else child.flow
        name += f"[{index}]" if index >= 0 else ""
        head = f"Inside {printable(name)}: {_told(child)}"
        body = _tree(log, child, width) if in_full else ""
        parts.append(f"{head}\n{body}" if body else head)
    return ("\n\n" if in_full else "\n").join(parts)


def with_cells(
    log: AnyLog, row: RunRow, graph: Mapping[str, Any], standings: Standings
) -> tuple[Mapping[str, Any], Standings]:
    """A run's graph and standings with the tasks of the runs inside of it: each run's below the task that began it.

    Of a task that was tried several times the last try counts. Runs inside of mapped tasks are left out, and so is
    everything where it would be more than a picture can show.
    """
    from notebook_flows.core.events import UNMAPPED
    from notebook_flows.views.diagram import MANY_NODES
    from notebook_flows.views.standing import Standing, standings_of_run

    names, edges = list(graph["names"]), graph["edges"]
    starts, ends = list(edges["from"]), list(edges["to"])
    known = dict(standings)
    last = {_place_of(child)[0]: child for child in _by_place(log.runs(parent=row.run_id, limit=None))}
    for node, child in last.items():
        if not 0 <= node < len(graph["names"]) or _place_of(child)[1] != UNMAPPED:
            continue
        run = folded(log, child.run_id)
        first, size = len(names), len(run.plan.names)
        if first + size > MANY_NODES:
            return graph, standings
        names += run.plan.names
        for number, into in enumerate(run.plan.graph.inputs):
            above = [first + one.upstream for one in into] or [node]
            starts += above
            ends += [first + number] * len(above)
        inside = standings_of_run(run)
        known |= {(first + number, UNMAPPED): inside.get((number, UNMAPPED), Standing(None)) for number in range(size)}
    more = len(starts) - len(edges["from"])
    columns = {**edges, "from": starts, "to": ends, "keys": [*edges["keys"], *[None] * more]}
    return {**graph, "names": names, "slugs": names, "edges": columns}, known


def _place_of(row: RunRow) -> tuple[int, int]:
    """The task that has begun a run, and which of its children; -1 where nobody knows."""
    place = row.environment.get("parent_task") or {}
    return int(place.get("node", -1)), int(place.get("index", -1))


def _by_place(rows: Sequence[RunRow]) -> list[RunRow]:
    """In the order of the tasks that have begun them, and then of time."""
    return sorted(rows, key=lambda row: (*_place_of(row), row.created_us))


def _told(row: RunRow) -> str:
    from notebook_flows.views.table import told_counts
    from notebook_flows.views.text import told_duration

    seconds = seconds_of(row)
    took = "" if seconds is None else f" after {told_duration(seconds)}"
    counts = told_counts(counts_of(row))
    return f"run {row.run_id[:SHORT_ID]} of {row.flow!r}, {facts_of(row.state).word}{took}: {counts or 'no tasks'}."


def _tree(log: AnyLog, row: RunRow, width: int) -> str:
    from notebook_flows.views.reduction import without_implied
    from notebook_flows.views.tree import task_tree

    run = folded(log, row.run_id)
    if not run.plan.names:  # it has only just begun
        return ""
    inputs = without_implied(run.plan.graph.inputs)
    upstream = [list(dict.fromkeys(one.upstream for one in into)) for into in inputs]
    states = run.state[: len(upstream)]
    durations = durations_of(log.task_runs(row.run_id))
    tree = task_tree(run.plan.names, upstream, states, durations, width=max(width - len(INDENT), 20))
    return "\n".join(INDENT + line for line in tree.splitlines())
