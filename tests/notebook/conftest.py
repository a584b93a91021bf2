"""Notebooks for tests, and a history of their own for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("NOTEBOOK_FLOWS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a notebook: its code cells are texts, or (text, tags)."""

    def written(*cells: str | tuple[str, list[str]], name: str = "work.ipynb", kernelspec: bool = True) -> Path:
        made = [new_markdown_cell("# A title")]
        for cell in cells:
            source, tags = (cell, []) if isinstance(cell, str) else cell
            made.append(new_code_cell(source, metadata={"tags": tags}))
        notebook = new_notebook(cells=made)
        if kernelspec:
            notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = tmp_path / name
        nbformat.write(notebook, path)
        return path

    return written
