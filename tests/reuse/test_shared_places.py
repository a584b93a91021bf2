"""Several histories share one folder or bucket for large content; what one of them forgets, the others still have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from counted import count, counted

from notebook_flows import Flow, artifact, task
from notebook_flows.cli.app import app
from notebook_flows.store import cleaning
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace import event_log, stored_log
from notebook_flows.workspace.attachments import content_of
from notebook_flows.workspace.histories import result_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@task(cache=True)
def big(n):
    count("big")
    artifact(b"z" * 2 * MOST_INLINE, "same", name="same.bin")
    return "x" * (MOST_INLINE + n)


def run(n: int) -> str:
    with Flow("shared") as flow:
        big(n)
    return str(flow.run().context["flow_run_id"])


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    found = str(tmp_path / "everybody's")
    if request.param == "bucket":
        import boto3

        request.getfixturevalue("aws")
        boto3.client("s3").create_bucket(Bucket="shared")
        found = "s3://shared/of/all"
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", found)
    return found


@pytest.fixture(params=["files", "a server"])
def use(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disk: Path
) -> Iterator[Callable[[str], Any]]:
    """Makes one of several histories the one of the settings."""
    del disk
    places: dict[str, Any] = {}

    def chosen(name: str) -> Any:
        if name not in places and request.param == "files":
            places[name] = tmp_path / name / "history.sqlite"
        elif name not in places:
            places[name] = request.getfixturevalue("server").fresh_url()
        monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(places[name]))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
        return event_log()

    yield chosen
    for one in places.values():
        stored_log(one).close()


def grow_old(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is there is days old."""
    if place.startswith("s3:"):
        monkeypatch.setattr(cleaning, "GRACE_US", -cleaning.DAY_US)
        return
    for path in Path(place).rglob("*"):
        os.utime(path, (1, 1))


def contents() -> int:
    """How many the history of the settings has in its part of the place."""
    store = result_store()
    return len(list(store.blobs.part(store.part).all()))


def test_cleaning_one_history_leaves_what_another_names(
    use: Callable[[str], Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("one")
    run(1)
    assert contents() == 2
    use("other")
    kept = run(1)  # the very same contents
    grow_old(place, monkeypatch)
    use("one").prune(keep_runs=0)

    done = CliRunner().invoke(app, ["cache", "gc", "--older-than", "0d"])

    assert "1 result is forgotten, 2 contents removed" in done.stderr
    assert contents() == 0
    other = use("other")
    assert other.check() == []
    assert contents() == 2
    assert content_of(other, other.artifacts(kept)[0]) == b"z" * 2 * MOST_INLINE
    counted()
    run(1)
    assert counted() == {}
    assert CliRunner().invoke(app, ["cache", "verify"]).exit_code == 0


def test_what_is_younger_than_a_day_stays(use: Callable[[str], Any], place: str) -> None:
    history = use("one")
    run(1)
    history.prune(keep_runs=0)

    CliRunner().invoke(app, ["cache", "gc", "--older-than", "0d"])

    assert contents() == 2


def test_what_lies_in_no_part_of_a_shared_place_is_left_alone(
    use: Callable[[str], Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("one")
    run(1)
    store = result_store()
    store.blobs.put("0" * 64, b"of a history that has no part")
    grow_old(place, monkeypatch)

    CliRunner().invoke(app, ["cache", "gc", "--older-than", "0d"])

    assert [one.name for one in store.blobs.all()] == ["0" * 64]


def test_results_that_lie_in_no_part_are_still_found(
    use: Callable[[str], Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of before places had parts."""
    del place
    use("one")
    with monkeypatch.context() as before:
        before.setattr("notebook_flows.store.parts.part_of", lambda _history: "")
        run(1)
    assert list(result_store().blobs.all()) != []
    counted()

    run(1)

    assert counted() == {}


def test_all_processes_that_write_to_a_history_write_to_its_part(use: Callable[[str], Any], place: str) -> None:
    use("one")
    with Flow("processes") as flow:
        big.map([1, 2, 3])

    flow.run(executor="processes:2")

    assert contents() == 4
    assert list(result_store().blobs.all()) == []
