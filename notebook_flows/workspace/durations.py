"""How long the tasks of a flow took in earlier runs, by the history: what progress and the time left go by."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import FlowError
from notebook_flows.workspace.histories import event_log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from notebook_flows.store.rows import TaskRunRow

RUNS = 3
"""So many of the latest runs tell how long a task takes, and earlier ones only of tasks that these did not run..."""
MOST_RUNS = 8
"""... as after a few partial runs, or runs in which most was cached; more are never looked at."""
MOST_TASKS = 500
"""Larger flows are not looked up: nobody waits for that before a run, or pays for it."""
MOST_TASK_RUNS = 2_000
"""Nor are runs with more task runs, which mapping can make of a small flow."""


def median_durations(flow_name: str, slugs: Sequence[str]) -> dict[int, float]:
    """How long each task takes, as far as earlier runs tell.

    Args:
        flow_name: the runs of flows with this name count.
        slugs: of the n tasks.
    Returns:
        {task's number: seconds, the median}; of a mapped task, those of one child.
    """
    if len(slugs) > MOST_TASKS:
        return {}
    found = medians_by_slug(flow_name, slugs)
    number_of = {slug: number for number, slug in enumerate(slugs)}
    return {number_of[slug]: seconds for slug, seconds in found.items() if slug in number_of}


def medians_by_slug(flow_name: str, wanted: Collection[str] = ()) -> dict[str, float]:
    """How long each task of a flow takes, as far as earlier runs tell: {task's slug: seconds, the median}.

    Args:
        flow_name: the runs of flows with this name count.
        wanted: earlier runs are looked at as long as there is nothing known of one of these.
    """
    log = event_log()
    missing = set(wanted)
    runs: list[list[TaskRunRow]] = []
    try:
        for row in log.runs(flow=flow_name, limit=2 * MOST_RUNS):
            if row.ended_us is None or sum(row.counts.values()) > MOST_TASK_RUNS:
                continue
            runs.append(log.task_runs(row.run_id))
            missing -= {one.slug for one in runs[-1] if one.state is S.SUCCESS}
            if len(runs) == MOST_RUNS or (len(runs) >= RUNS and not missing):
                break
    except FlowError:  # a history that cannot be read is told by the run itself
        return {}
    return medians(runs)


def median_of_runs(flow_name: str) -> float | None:
    """How long runs of a flow take that go well, in seconds; None where no earlier one has."""
    try:
        rows = event_log().runs(flow=flow_name, state=S.SUCCESS, limit=RUNS)
    except FlowError:
        return None
    took = [
        (row.ended_us - row.started_us) / 1e6 for row in rows if row.started_us is not None and row.ended_us is not None
    ]
    return median(took) if took else None


def medians(runs: Iterable[Iterable[TaskRunRow]]) -> dict[str, float]:
    """{task's slug: the median of its successful attempts in the latest three runs that have any, in seconds}."""
    took: dict[str, list[float]] = {}
    seen: Counter[str] = Counter()
    for rows in runs:
        own: dict[str, list[float]] = {}
        for row in rows:
            if row.state is S.SUCCESS and row.started_us is not None and row.ended_us is not None:
                own.setdefault(row.slug, []).append(max(0, row.ended_us - row.started_us) / 1e6)
        for slug, seconds in own.items():
            seen[slug] += 1
            if seen[slug] <= RUNS:
                took.setdefault(slug, []).extend(seconds)
    return {slug: median(seconds) for slug, seconds in took.items()}
