"""A task that was taken from an earlier run shows what it attached there, marked with that run; nothing is copied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from notebook_flows import Flow, artifact, task
from notebook_flows.cli.app import app
from notebook_flows.core.events import Kind
from notebook_flows.session.rundetail import attached_by
from notebook_flows.workspace.earlier import artifacts_of

if TYPE_CHECKING:
    from pathlib import Path


@task(cache=True)
def look(n):
    artifact([{"n": n}], "rows", title="What came in")
    artifact("x" * 100_000 + str(n), "text")
    return n


@task
def last(n, gate):
    artifact(str(n), "last")
    if not gate.exists():
        raise ValueError("closed")


def run(flow: Flow, **how: Any) -> str:
    return str(flow.run(**how).context["flow_run_id"])


def attached(history: Any, run_id: str) -> list[tuple[str, int, str, str]]:
    return [(one.slug, one.index, one.key, one.from_run) for one in artifacts_of(history, run_id)]


def test_a_cached_task_shows_what_it_attached_when_it_ran(history: Any, tmp_path: Path) -> None:
    with Flow("earlier") as flow:
        last(look(1), tmp_path)
    first = run(flow)

    second = run(flow)

    assert attached(history, second) == [
        ("last-1", -1, "last", ""),
        ("look-1", -1, "rows", first),
        ("look-1", -1, "text", first),
    ]
    assert [event.node for event in history.read(second) if event.kind is Kind.ARTIFACT] == [1]  # nothing is copied


def test_the_children_of_a_mapped_task_show_their_own_whatever_run_they_are_from(history: Any) -> None:
    with Flow("earlier") as flow:
        look.map([1, 2])
    first = run(flow)
    with Flow("earlier, and more") as more:
        look.map([2, 3])

    second = run(more)

    assert attached(history, second) == [
        ("look-1", 1, "rows", ""),
        ("look-1", 1, "text", ""),
        ("look-1", 0, "rows", first),
        ("look-1", 0, "text", first),
    ]


def test_a_run_that_goes_on_with_one_that_went_on_shows_those_of_the_first(history: Any, tmp_path: Path) -> None:
    uncached = task(look.run, name="look")
    with Flow("resumed") as flow:
        last(uncached(1), tmp_path / "gate")
    first = run(flow, keep_results=True)
    second = run(flow, resume="latest")
    (tmp_path / "gate").touch()

    third = run(flow, resume="latest")

    for run_id in (second, third):
        assert [one for one in attached(history, run_id) if one[0] == "look-1"] == [
            ("look-1", -1, "rows", first),
            ("look-1", -1, "text", first),
        ]


def test_what_a_run_that_was_forgotten_had_attached_is_missing_and_nothing_fails(disk: Any) -> None:
    with Flow("earlier") as flow:
        look(1)
    run(flow)
    second = run(flow)

    disk.prune(keep_runs=1)

    assert attached(disk, second) == []


def test_it_is_marked_wherever_it_is_shown(disk: Any) -> None:
    with Flow("earlier") as flow:
        look(1)
    first = run(flow)
    second = run(flow)

    told = json.loads(CliRunner().invoke(app, ["artifacts", second, "--json"]).stdout)
    listed = CliRunner().invoke(app, ["artifacts", second]).stdout
    printed = CliRunner().invoke(app, ["artifacts", second, "look", "--key", "rows", "--print"]).stdout
    shown = attached_by(disk, second, "look-1", -1)

    assert [(one["key"], one["from_run"]) for one in told] == [("rows", first), ("text", first)]
    assert listed.splitlines()[0].split()[-2:] == ["From", "run"]
    assert first[:8] in listed.splitlines()[1]
    assert f"look: table 'rows' (from run {first[:8]})" in printed
    assert shown[0]["title"] == f"What came in (from run {first[:8]})"
    assert shown[0]["table"]["rows"] == [["1"]]


@pytest.mark.parametrize("words", [[], ["--key", "rows"]])
def test_a_run_of_its_own_has_no_such_column(disk: Any, words: list[str]) -> None:
    with Flow("own") as flow:
        look(1)
    run(flow)

    assert "From run" not in CliRunner().invoke(app, ["artifacts", "latest", *words]).stdout


def test_whatever_the_earlier_run_is_called(history: Any) -> None:
    with Flow("earlier") as flow:
        look(1)
    first = run(flow, flow_run_id="nightly.1")

    second = run(flow, flow_run_id="nightly.2")

    assert attached(history, second) == [("look-1", -1, "rows", first), ("look-1", -1, "text", first)]
