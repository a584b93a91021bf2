"""The runs that tasks of a run have begun, such as those of notebooks: their own tasks, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.cli.history import SHORT_ID, counts_of, durations_of, folded, graph_of, seconds_of
from notebook_flows.core.lifecycle import facts_of
from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow

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
        place = child.environment.get("parent_task") or {}
        node, index = place.get("node"), place.get("index", -1)
        name = names[node] if isinstance(node, int) and node < len(names) else child.flow
        name += f"[{index}]" if index >= 0 else ""
        head = f"Inside {printable(name)}: {_told(child)}"
        body = _tree(log, child, width) if in_full else ""
        parts.append(f"{head}\n{body}" if body else head)
    return ("\n\n" if in_full else "\n").join(parts)


def _by_place(rows: Sequence[RunRow]) -> list[RunRow]:
    """In the order of the tasks that have begun them, and then of time."""

    def key(row: RunRow) -> tuple[int, int, int]:
        place = row.environment.get("parent_task") or {}
        return int(place.get("node", 0)), int(place.get("index", -1)), row.created_us

    return sorted(rows, key=key)


def _told(row: RunRow) -> str:
    from notebook_flows.views.table import told_counts
    from notebook_flows.views.text import told_duration

    seconds = seconds_of(row)
    took = "" if seconds is None else f" after {told_duration(seconds)}"
    counts = told_counts(counts_of(row))
    return f"run {row.run_id[:SHORT_ID]} of {row.flow!r}, {facts_of(row.state).word}{took}: {counts or 'no tasks'}."


def _tree(log: AnyLog, row: RunRow, width: int) -> str:
    from notebook_flows.views.tree import task_tree

    try:
        graph = graph_of(log, row.run_id)
    except StoreError:  # it has only just begun
        return ""
    run = folded(log, row.run_id, graph)
    upstream = [list(dict.fromkeys(one.upstream for one in into)) for into in run.plan.graph.inputs]
    states = run.state[: len(upstream)]
    durations = durations_of(log.task_runs(row.run_id))
    tree = task_tree(run.plan.names, upstream, states, durations, width=max(width - len(INDENT), 20))
    return "\n".join(INDENT + line for line in tree.splitlines())
