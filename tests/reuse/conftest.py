"""Each test has a history and a folder of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import OWN_MODULE
from opened import OpenNotebook
from store_server import Server
from talking import Kernel

from notebook_flows.engine.cache import RECENT
from notebook_flows.workspace.histories import _memory_log, stored_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=["on", "memory"])
def history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """With a history on the disk, and in memory."""
    _memory_log.cache_clear()
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", request.param)
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "store" / "history.sqlite"))
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    RECENT.clear()
    yield request.param
    if request.param == "on":
        stored_log(tmp_path / "store" / "history.sqlite").close()
    stored_log.cache_clear()
    _memory_log.cache_clear()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A history on the disk, in this folder."""
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "store" / "history.sqlite"))
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    yield tmp_path / "store"
    stored_log(tmp_path / "store" / "history.sqlite").close()
    stored_log.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module that counts; the history is on the disk."""
    del disk
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counting.py").write_text(OWN_MODULE)
    return tmp_path


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], OpenNotebook]]:
    """Starts a kernel for the saved notebook."""
    started: list[Kernel] = []
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "work.ipynb"))

    def begin() -> OpenNotebook:
        while started:
            started.pop().close()
        started.append(Kernel(folder))
        return OpenNotebook(started[0])

    yield begin
    while started:
        started.pop().close()
