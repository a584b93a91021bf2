"""Every example runs headlessly, by our own engine, and is saved so that it is good to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from example_folder import EXAMPLES

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.parameters import inspect

if TYPE_CHECKING:
    from example_folder import Folder

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_headlessly(name: str, folder: Folder) -> None:
    done, executed = folder.run(name)

    assert done.error is None
    assert {cell.state for cell in done.cells} == {S.SUCCESS}
    assert executed.has("image/png") or executed.has("image/svg+xml")
    assert not [output.text for output in executed.outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_saved_as_it_is_written(name: str) -> None:
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", nbformat.NO_CONVERT)

    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_explains_its_parameters(name: str) -> None:
    parameters = inspect(EXAMPLES / f"{name}.ipynb")

    assert parameters
    assert all(one.help and one.type for one in parameters)
