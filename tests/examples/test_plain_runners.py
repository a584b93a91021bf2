"""The examples run under other runners too, nbclient and papermill, and show the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from example_folder import Executed
from nbclient import NotebookClient

if TYPE_CHECKING:
    from example_folder import Folder


def shown(outputs: Any, notebook_name: str) -> list[tuple[str, str]]:
    """What people read, without figures, which are alike where the numbers are; nbclient does not tell names of notebooks."""
    found: list[tuple[str, str]] = []
    for output in outputs:
        if output.output_type == "stream":  # it keeps text that came in two messages in two outputs
            before = found.pop()[1] if found and found[-1][0] == output.name else ""
            found.append((output.name, before + output.text))
        elif output.output_type != "error":
            data = output.data
            text = data.get("text/markdown", data.get("text/plain", ""))
            found.append((output.output_type, text.replace(f"Flow {notebook_name!r}", "Flow 'notebook'")))
    return found


@pytest.mark.parametrize("name", ["weather_stations", "first_flow", "bread_forecast"])
def test_nbclient_gives_what_our_engine_gives(name: str, folder: Folder) -> None:
    notebook = nbformat.read(folder.path / f"{name}.ipynb", 4)
    ours: Executed = folder.run(name)[1]

    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder.path)}}).execute()

    theirs = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    skipped = {"explain"}  # who tells the order of the cells differs
    for cell_id in theirs.keys() - skipped:
        assert shown(theirs[cell_id].outputs, name) == shown(ours.cells[cell_id].outputs, name), cell_id


def test_papermill_with_our_engine_gives_the_same_and_its_bar_ends_full(folder: Folder) -> None:
    name, output = "weather_stations", folder.path / "by-papermill.ipynb"
    ours: Executed = folder.run(name)[1]

    done = subprocess.run(
        [sys.executable, "-m", "papermill", "--engine", "notebook_flows", f"{name}.ipynb", str(output)],
        cwd=folder.path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    theirs = Executed(output)
    for cell_id, cell in ours.cells.items():
        assert shown(theirs.cells[cell_id].outputs, name) == shown(cell.outputs, name), cell_id
    assert "| 24/24 [" in done.stderr.splitlines()[-1]
