"""The examples run under plain nbclient too, cell by cell, and show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from example_folder import Executed, Folder


def shown(outputs: Any, notebook_name: str) -> list[tuple[str, str]]:
    """What people read, without figures, which are alike where the numbers are; nbclient does not tell names of notebooks."""
    found = []
    for output in outputs:
        if output.output_type == "stream":
            found.append(("text", output.text))
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
