"""How long the tasks of a flow took in earlier runs, by the history: what progress and the time left go by."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import FlowError
from notebook_flows.workspace.histories import event_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.store.rows import TaskRunRow

RUNS = 3
"""So many of the latest runs are looked at."""
MOST_TASKS = 500
"""Larger flows are not looked up: nobody waits for that before a run, or pays for it."""


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
    log = event_log()
    try:
        runs = [one for one in log.runs(flow=flow_name, limit=2 * RUNS) if one.ended_us is not None][:RUNS]
        found = medians([log.task_runs(one.run_id) for one in runs])
    except FlowError:  # a history that cannot be read is told by the run itself
        return {}
    number_of = {slug: number for number, slug in enumerate(slugs)}
    return {number_of[slug]: seconds for slug, seconds in found.items() if slug in number_of}


def medians(runs: Iterable[Iterable[TaskRunRow]]) -> dict[str, float]:
    """{task's slug: the median of its successful attempts, in seconds}."""
    took: dict[str, list[float]] = {}
    for rows in runs:
        for row in rows:
            if row.state is S.SUCCESS and row.started_us is not None and row.ended_us is not None:
                took.setdefault(row.slug, []).append(max(0, row.ended_us - row.started_us) / 1e6)
    return {slug: median(seconds) for slug, seconds in took.items()}
