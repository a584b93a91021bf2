"""How long a task takes is the median of what it took in the latest runs, by the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows import Flow, task
from notebook_flows.core.lifecycle import S
from notebook_flows.store.rows import TaskRunRow
from notebook_flows.workspace.durations import MOST_TASKS, median_durations, medians

if TYPE_CHECKING:
    import pytest


def row(slug: str, seconds: float | None, *, state: S = S.SUCCESS, index: int = -1) -> TaskRunRow:
    ended_us = None if seconds is None else round(seconds * 1e6)
    return TaskRunRow(
        slug=slug, node=0, index=index, attempt=1, loop=1, state=state, started_us=0, ended_us=ended_us, message="",
        result=None, seq=1,
    )  # fmt: skip


def test_the_median_of_what_went_well_counts() -> None:
    runs = [
        [row("load-1", 1.0), row("clean-1", 9.0, state=S.FAILED)],
        [row("load-1", 30.0), row("map-1", 2.0, index=0), row("map-1", 4.0, index=1)],
        [row("load-1", 2.0), row("load-1", None, state=S.RUNNING)],
    ]

    assert medians(runs) == {"load-1": 2.0, "map-1": 3.0}


def test_earlier_runs_of_a_flow_tell_how_long_its_tasks_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory")

    @task
    def known() -> int:
        return 1

    with Flow("estimated by its history") as flow:
        known()
    flow.run()

    found = median_durations(flow.name, [*flow.slugs.values(), "unknown-1"])

    assert list(found) == [0]
    assert 0 <= found[0] < 60
    assert median_durations(flow.name, ["known-1"] * (MOST_TASKS + 1)) == {}
