"""What was done is taken, and said, with PostgreSQL as the history and a bucket for the results: notebooks and children."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cached_cells import CELLS, OWN_MODULE, broken_meanwhile, ran_by_hand, states, with_flows, write
from click.testing import CliRunner
from counted import count, counted

from notebook_flows import Flow, task
from notebook_flows.cli.app import app
from notebook_flows.running import run_notebook
from notebook_flows.store.keeping import MOST_INLINE
from notebook_flows.workspace import event_log, stored_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opened import OpenNotebook

LARGE = {
    **CELLS,
    "load": f"%%task load --cache\ncount('load')\nimport time\ntime.sleep(0.2)\nrows = list(range(n + {MOST_INLINE}))\nprint('loaded')",
}


@pytest.fixture(autouse=True)
def far(request: pytest.FixtureRequest, aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import boto3

    assert aws
    url = request.getfixturevalue("server").fresh_url()
    boto3.client("s3").create_bucket(Bucket="far")
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", url)
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", "s3://far/results")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    yield
    stored_log(url).close()
    stored_log.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the others have it, without a history on the disk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counting.py").write_text(OWN_MODULE)
    return tmp_path


def objects() -> list[str]:
    import boto3

    return [one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket="far").get("Contents", ())]


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def saved_from(text: str, run_id: str) -> bool:
    """Whether a text says that something is from this run, and what that has saved."""
    return re.search(rf"[Ff]rom run {run_id[:8]}, saved \d", text) is not None


def test_a_notebook_takes_its_cached_cells(folder: Path) -> None:
    path = write(folder, LARGE)
    first = run_notebook(path)
    counted()

    second = run_notebook(path)

    assert counted() == {"plain": 1, "report": 1, "end": 1}
    assert states(second)["load"].startswith("CACHED From run")
    assert len(objects()) == 2  # what both cells have made is large
    assert saved_from(said("show", "latest"), first.run_id)
    assert saved_from(said("show", "latest", "--format", "svg"), first.run_id)
    newest = json.loads(said("runs", "--json"))[0]
    assert (newest["run_id"], newest["counts"]["cached"]) == (second.run_id, 2)
    assert "≡ 2" in said("runs").splitlines()[1]


def test_a_notebook_that_failed_is_gone_on_with(folder: Path) -> None:
    path = write(folder, {key: source.replace(" --cache", "") for key, source in LARGE.items()})
    with broken_meanwhile(folder):
        first = run_notebook(path)
    assert not first.is_successful

    second = run_notebook(path, resume="latest")

    assert second.is_successful
    assert counted() == {"plain": 1, "report": 1}
    assert saved_from(said("show", "latest"), first.run_id)


def test_what_is_gone_from_the_bucket_runs_again(folder: Path) -> None:
    import boto3

    path = write(folder, LARGE)
    run_notebook(path)
    counted()
    for key in objects():
        boto3.client("s3").delete_object(Bucket="far", Key=key)

    second = run_notebook(path)

    assert second.is_successful
    assert counted()["load"] == 1


def test_another_kernel_takes_what_one_has_made(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    ran_by_hand(folder, start, LARGE)
    notebook = with_flows(start)

    status = notebook.run("status", "%flow status").said
    ran = notebook.run("run", "%flow run")

    assert "up to date: cached, from run" in status
    assert ran.status == "ok"
    assert counted().get("load") is None
    assert notebook.value("len(rows)") == str(3 + MOST_INLINE)


@task(cache=True)
def child(n: int) -> str:
    count(f"child {n}")
    time.sleep(0.15)
    if n == 2 and not Path("gate").exists():
        raise ValueError("closed")
    return "x" * (MOST_INLINE + n)


@task
def total(texts: list[str]) -> int:
    return sum(map(len, texts))


@pytest.mark.parametrize("executor", ["local", "processes:2"])
@pytest.mark.parametrize("resume", ["latest", None])
def test_children_that_have_ended_are_taken_one_by_one(folder: Path, executor: str, resume: Any) -> None:
    with Flow("children") as flow:
        end = total(child.map([1, 2, 3]))
    failed = flow.run(executor=executor, keep_results=True)
    assert not failed.is_successful()
    counted()
    (folder / "gate").touch()

    state = flow.run(executor=executor, resume=resume)

    assert state.result[end].result == 3 * MOST_INLINE + 6
    assert counted() == {"child 2": 1}
    first, second = failed.context["flow_run_id"], state.context["flow_run_id"]
    rows = {row.index: row.message for row in event_log().task_runs(second) if row.slug == "child-1"}
    assert saved_from(rows[0], first)
    assert saved_from(rows[2], first)
    assert saved_from(said("show", second), first)
    assert saved_from(said("show", second, "--format", "svg"), first)
    assert len(objects()) == 3
