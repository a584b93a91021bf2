"""What is attached is there again: in every history, from every place where tasks run, whatever becomes of the run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from notebook_flows import Flow, artifact, task
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace.attachments import content_of

LARGE = b"\x00" * MOST_INLINE + b"and more"


@task
def look(n):
    artifact([{"n": n, "half": n / 2}], "rows", title="What came in", description="All of it.")
    artifact(LARGE, name="raw.bin")
    artifact("# Done")
    artifact("https://example.org/report")
    return n


def run_id_of(state: Any) -> str:
    found: str = state.context["flow_run_id"]
    return found


@pytest.mark.parametrize("executor", ["local", "threads:2", "processes:2"])
def test_what_a_task_attaches_is_there_with_its_content(executor: str, history: Any) -> None:
    with Flow("one") as flow:
        look(3)

    run_id = run_id_of(flow.run(executor=executor))

    rows = {row.key: row for row in history.artifacts(run_id)}
    assert list(rows) == ["rows", "file", "markdown", "link"]
    assert [row.kind for row in rows.values()] == ["table", "file", "markdown", "link"]
    assert rows["rows"].title == "What came in"
    assert rows["rows"].description == "All of it."
    assert json.loads(content_of(history, rows["rows"])) == {
        "columns": ["n", "half"],
        "rows": [[3, 1.5]],
        "row_count": 1,
    }
    assert content_of(history, rows["file"]) == LARGE
    assert rows["file"].file_name == "raw.bin"
    assert content_of(history, rows["markdown"]) == b"# Done"
    assert rows["link"].link == "https://example.org/report"
    assert {row.slug for row in rows.values()} == {"look-1"}


def test_each_child_of_a_mapped_task_has_its_own(history: Any) -> None:
    with Flow("several") as flow:
        look.map([1, 2, 3])

    run_id = run_id_of(flow.run(executor="threads:2"))

    assert sorted((row.index, row.key) for row in history.artifacts(run_id, "look-1")) == [
        (index, key) for index in range(3) for key in ("file", "link", "markdown", "rows")
    ]


def test_a_retry_takes_the_place_of_what_came_before_which_is_kept(history: Any) -> None:
    left = [1]

    @task(max_retries=1, retry_delay=timedelta(0))
    def shaky():
        artifact(f"try {len(left)}")
        if left:
            left.pop()
            raise ConnectionError("once")

    with Flow("shaky") as flow:
        shaky()

    run_id = run_id_of(flow.run())

    rows = history.artifacts(run_id)
    assert [(row.attempt, content_of(history, row)) for row in rows] == [(2, b"try 0")]
    versions = history.artifacts(run_id, all_versions=True)
    assert [(row.attempt, content_of(history, row)) for row in versions] == [(1, b"try 1"), (2, b"try 0")]


@pytest.mark.parametrize("executor", ["local", "processes:1"])
def test_a_task_that_fails_keeps_what_it_attached_before(executor: str, history: Any) -> None:
    @task
    def fails():
        artifact([{"row": 7}], "bad rows")
        raise ValueError("a bad row")

    with Flow("fails") as flow:
        fails()

    state = flow.run(executor=executor)

    assert state.is_failed()
    assert [row.key for row in history.artifacts(run_id_of(state))] == ["bad rows"]


def test_events_tell_of_artifacts_before_the_end_of_their_task_and_hold_no_content(history: Any) -> None:
    with Flow("one") as flow:
        look(3)

    events = history.read(run_id_of(flow.run(executor="processes:1")))

    kinds = [event.kind for event in events]
    assert kinds.count(Kind.ARTIFACT) == 4
    end = next(place for place, event in enumerate(events) if event.kind is Kind.TASK and event.state is S.SUCCESS)
    assert all(place < end for place, kind in enumerate(kinds) if kind is Kind.ARTIFACT)
    contents = [event.data["content"] for event in events if event.kind is Kind.ARTIFACT and "content" in event.data]
    assert all(content.keys() - {"at"} == {"size", "sha256", "in"} for content in contents)


def test_the_log_of_a_run_names_its_artifacts(history: Any) -> None:
    with Flow("one") as flow:
        look(3)

    lines = history.log_lines(run_id_of(flow.run()))

    assert "table 'rows': What came in (1 row, 2 columns)" in [line.message for line in lines]


def test_a_history_with_artifacts_passes_its_own_check(history: Any) -> None:
    with Flow("one") as flow:
        look(3)
    run_id = run_id_of(flow.run())
    before = history.artifacts(run_id)

    history.rebuild_projections(run_id)

    assert history.check() == []
    assert history.artifacts(run_id) == before


def test_artifacts_go_with_their_run(history: Any) -> None:
    with Flow("one") as flow:
        look(3)
    first, second = run_id_of(flow.run()), run_id_of(flow.run())

    assert history.prune(keep_runs=1) == [first]

    assert [content_of(history, row) for row in history.artifacts(second) if row.kind == "file"] == [LARGE]
    with pytest.raises(LookupError):
        history.artifacts(first)
