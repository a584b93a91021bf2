"""A Jupyter server and a history that it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Address, serving

from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteEventLog]:
    """The history that the settings of this process name."""
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    log = SqliteEventLog(tmp_path / "history.sqlite")
    yield log
    log.close()


@pytest.fixture
def server(tmp_path: Path, history: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / "jupyter" / name.lower()))
    (tmp_path / "root").mkdir()
    with serving(tmp_path / "root") as address:
        yield address
