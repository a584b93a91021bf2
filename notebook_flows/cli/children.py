"""The runs that tasks of a run have begun, such as those of notebooks: their own tasks, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli.history import SHORT_ID, counts_of, durations_of, folded, seconds_of
from notebook_flows.core.lifecycle import facts_of
from notebook_flows.views.text import child_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow
    from notebook_flows.views.standing import Standings

MOST_LINES = 200
"""With more tasks than this in them, the runs are only counted up, a line for each."""
INDENT = "   "


class Inside(NamedTuple):
    """A run that a task has begun.

    Attributes:
        where: the tasks around it, from the outermost one on.
        row: of the run.
    """

    where: Sequence[str]
    row: RunRow


def told_children(log: AnyLog, row: RunRow, names: Sequence[str], *, width: int) -> str:
    """What ran inside of a run's tasks, and inside of theirs, however deep; empty if nothing did.

    Args:
        log: the history.
        row: the run around.
        names: of its tasks.
        width: how many columns there are.
    """
    from notebook_flows.views.text import printable

    found = list(_inside(log, row, names))
    in_full = sum(one.row.task_count + 2 for one in found) <= MOST_LINES
    parts = []
    for where, child in found:
        head = f"Inside {printable(' > '.join(where))}: {_told(child)}"
        body = _tree(log, child, width) if in_full else ""
        parts.append(f"{head}\n{body}" if body else head)
    return ("\n\n" if in_full else "\n").join(parts)


def _inside(log: AnyLog, row: RunRow, names: Sequence[str]) -> Iterator[Inside]:
    """The runs inside of a run, each followed by those inside of it."""
    waiting = [Inside([task_of(child, names)], child) for child in begun_by(log, row)][::-1]
    while waiting:
        one = waiting.pop()
        yield one
        deeper = begun_by(log, one.row)
        if deeper:
            known = folded(log, one.row.run_id).plan.names
            waiting += [Inside([*one.where, task_of(child, known)], child) for child in deeper][::-1]


def begun_by(log: AnyLog, row: RunRow) -> list[RunRow]:
    """The runs that a run's tasks have begun, in the order of these tasks, and then of time."""
    return sorted(log.runs(parent=row.run_id, limit=None), key=lambda child: (*place_of(child), child.created_us))


def task_of(child: RunRow, names: Sequence[str]) -> str:
    """The name of the task that has begun a run."""
    node, index = place_of(child)
    name = names[node] if 0 <= node < len(names) else child.flow
    return child_name(name, index)


def with_cells(
    log: AnyLog, row: RunRow, graph: Mapping[str, Any], standings: Standings
) -> tuple[Mapping[str, Any], Standings]:
    """A run's graph and standings with the tasks of the runs inside of it: each run's below the task that began it.

    Of a task that was tried several times the last try counts. A run of which nobody knows the task, such as that of a
    flow that a cell runs, stands by itself. Runs inside of mapped tasks are left out, and so is everything where it would
    be more than a picture can show.
    """
    from notebook_flows.core.events import UNMAPPED
    from notebook_flows.views.diagram import MANY_NODES
    from notebook_flows.views.standing import Standing, standings_of_run

    names, edges = list(graph["names"]), graph["edges"]
    starts, ends = list(edges["from"]), list(edges["to"])
    known = dict(standings)
    waiting = [(row, 0, len(names))]
    while waiting:
        around, offset, count = waiting.pop()
        begun = begun_by(log, around)
        last = {
            place_of(child) if place_of(child)[0] >= 0 else (-number, UNMAPPED): child
            for number, child in enumerate(begun, 1)
        }
        for (node, index), child in last.items():
            if node >= count or index != UNMAPPED:
                continue
            run = folded(log, child.run_id)
            first, size = len(names), len(run.plan.names)
            if first + size > MANY_NODES:
                return graph, standings
            names += run.plan.names
            for number, into in enumerate(run.plan.graph.inputs):
                above = [first + one.upstream for one in into] or ([offset + node] if node >= 0 else [])
                starts += above
                ends += [first + number] * len(above)
            inside = standings_of_run(run)
            known |= {(first + one, UNMAPPED): inside.get((one, UNMAPPED), Standing(None)) for one in range(size)}
            waiting.append((child, first, size))
    more = len(starts) - len(edges["from"])
    columns = {**edges, "from": starts, "to": ends, "keys": [*edges["keys"], *[None] * more]}
    return {**graph, "names": names, "slugs": names, "edges": columns}, known


def place_of(row: RunRow) -> tuple[int, int]:
    """The task that has begun a run, and which of its children; -1 where nobody knows."""
    place = row.environment.get("parent_task") or {}
    return int(place.get("node", -1)), int(place.get("index", -1))


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
