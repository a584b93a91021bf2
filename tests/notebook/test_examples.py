"""Every example notebook runs headlessly, by our own engine, and leaves the plots that it promises."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from notebook_flows.notebook.parameters import inspect
from notebook_flows.running import run_notebook

EXAMPLES = sorted((Path(__file__).parents[2] / "example_notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_headlessly(path: Path) -> None:
    pytest.importorskip("pandas", reason="the examples need: pip install notebook-flows[examples]")
    pytest.importorskip("matplotlib", reason="the examples need: pip install notebook-flows[examples]")

    done = run_notebook(path, history=False)

    assert done.error is None
    assert done.output_path is not None
    outputs = [one for cell in nbformat.read(done.output_path, 4).cells for one in cell.get("outputs", ())]
    assert any("image/png" in one.get("data", {}) for one in outputs)
    assert not [one.text for one in outputs if one.output_type == "stream" and one.name == "stderr"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_saved_without_outputs_and_explains_its_parameters(path: Path) -> None:
    cells = nbformat.read(path, 4).cells

    assert not [cell for cell in cells if cell.get("outputs")]
    assert all(one.help and one.type for one in inspect(path))
