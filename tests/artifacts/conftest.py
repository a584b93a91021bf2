"""Every kind of history and every place for content: SQLite, PostgreSQL and memory; a folder and a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from store_server import Server

from notebook_flows.workspace import event_log
from notebook_flows.workspace.histories import _memory_log, stored_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def bucket(aws: str) -> str:
    import boto3

    assert aws
    boto3.client("s3").create_bucket(Bucket="kept")
    return "s3://kept/artifacts"


PLACES = ["sqlite, folder", "sqlite, bucket", "postgres, folder", "postgres, bucket", "memory"]


@pytest.fixture(params=PLACES)
def history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The history that runs of this test go into."""
    kind, _, blobs = request.param.partition(", ")
    store: Any = tmp_path / "store" / "history.sqlite"
    if kind == "postgres":
        store = request.getfixturevalue("server").fresh_url()
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "memory" if kind == "memory" else "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(store))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    place = request.getfixturevalue("bucket") if blobs == "bucket" else str(tmp_path / "blobs")
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", place)
    _memory_log.cache_clear()
    yield event_log()
    if kind != "memory":
        stored_log(store).close()
    stored_log.cache_clear()
    _memory_log.cache_clear()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A history in a file."""
    store = tmp_path / "store" / "history.sqlite"
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(store))
    monkeypatch.delenv("NOTEBOOK_FLOWS_BLOBS", raising=False)
    yield event_log()
    stored_log(store).close()
    stored_log.cache_clear()
