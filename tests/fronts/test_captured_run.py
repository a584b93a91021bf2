"""`%flow run` below `%%capture`, and the runs after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opened import OpenNotebook
from talking import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenNotebook]:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    kernel = Kernel(tmp_path)
    try:
        notebook = OpenNotebook(kernel)
        notebook.run("load", "%load_ext notebook_flows")
        notebook.run("task", "%%task says\nprint('said')\ndisplay(5)")
        yield notebook
    finally:
        kernel.close()


def test_outputs_stand_below_their_cells_in_the_run_that_is_captured_and_in_those_after_it(
    notebook: OpenNotebook,
) -> None:
    for number, line in enumerate(("%%capture kept\n", "", "%%capture kept\n", "")):
        result = notebook.run(f"run-{number}", f"{line}%flow run --all")

        assert result.status == "ok"
        assert notebook.shown("task") == [("stdout", "said\n"), ("display_data", "5")]
        assert "said" not in notebook.text(f"run-{number}")

    assert "1 cell in" in notebook.run("show", "print(kept.stdout)").said
