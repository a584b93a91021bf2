"""Whoever runs a notebook without a person, and saves it: the pictures are in it, and nothing of a widget is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from pages import VIEW

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
STATE = "application/vnd.jupyter.widget-state+json"
LARGEST = 60_000
"""Characters of a notebook with two task cells and three pictures of them."""
CELLS = (
    "%load_ext notebook_flows",
    "%%task load\nrows = [1, 2]",
    "%%task clean\nkept = rows[1:]",
    "%flow run --all",
    "%flow show",
    "from notebook_flows import Flow, task\n@task\ndef one(): return 1\nwith Flow('pair') as flow: one()",
    "state = flow.run()",
    "flow.visualize()",
)


def with_nbclient(folder: Path) -> None:
    from nbclient import NotebookClient

    notebook = nbformat.read(folder / "in.ipynb", 4)
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, store_widget_state=True).execute()
    nbformat.write(notebook, folder / "out.ipynb")


def by(*command: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


RUNNERS = {
    "nbclient": with_nbclient,
    "nbconvert": by("jupyter", "nbconvert", "--to", "notebook", "--execute", "in.ipynb", "--output", "out.ipynb"),
    "papermill": by("papermill", "in.ipynb", "out.ipynb"),
    "our engine": by("papermill", "--engine", "notebook_flows", "in.ipynb", "out.ipynb"),
    "our runner": by("python", "-m", "notebook_flows", "run", "in.ipynb", "--output", "out.ipynb"),
}


def bundles(notebook: Any) -> list[dict[str, Any]]:
    return [output["data"] for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]


def picture_below(notebook: Any, source: str) -> str:
    cell = next(cell for cell in notebook.cells if cell.source == source)
    return str(next(one["data"]["text/plain"] for one in cell.outputs if "image/svg+xml" in one.get("data", {})))


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_pictures_are_in_the_saved_notebook_and_nothing_of_a_widget(
    runner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.delenv("NOTEBOOK_FLOWS_HISTORY", raising=False)
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    spec = {"name": "python3", "display_name": "Python", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), tmp_path / "in.ipynb")

    RUNNERS[runner](tmp_path)

    notebook = nbformat.read(tmp_path / "out.ipynb", 4)
    assert VIEW not in json.dumps(notebook)
    assert STATE not in json.dumps(notebook.metadata)
    assert "2 tasks, 2 success" in picture_below(notebook, "%flow run --all")
    assert "2 tasks, 2 success" in picture_below(notebook, "%flow show")
    assert "Flow 'pair'" in picture_below(notebook, "flow.visualize()")
    assert all({"text/html", "text/plain"} <= one.keys() for one in bundles(notebook) if "image/svg+xml" in one)
    assert (tmp_path / "out.ipynb").stat().st_size < LARGEST


def test_a_view_that_has_lost_its_kernel_leaves_the_still_picture_in_nbconverts_page(tmp_path: Path) -> None:
    from notebook_flows.session.page import beside_page

    still = beside_page('<img alt="the flow" src="data:image/svg+xml;base64,PHN2Zy8+">', "0" * 32)
    outputs = [
        nbformat.v4.new_output("display_data", {VIEW: {"model_id": "gone", "version_major": 2, "version_minor": 0}}),
        nbformat.v4.new_output("display_data", {"text/html": still, "text/plain": "Flow"}),
    ]
    cell = nbformat.v4.new_code_cell("flow.run()", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "saved.ipynb")

    by("jupyter", "nbconvert", "--to", "html", "saved.ipynb")(tmp_path)

    page = (tmp_path / "saved.html").read_text(encoding="utf-8")
    assert '<img alt="the flow"' in page
    assert "html-manager" not in page
