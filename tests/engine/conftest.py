"""Nothing that these tests run leaves a trace in the home folder, or in the next test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.testing import forget_cached_results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("NOTEBOOK_FLOWS_RESULTS", str(tmp_path / "results"))
    forget_cached_results()
