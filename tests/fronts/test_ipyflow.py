"""With ipyflow loaded, before us or after us, both do what they do."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opened import OpenNotebook
from talking import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_IS_THERE = importlib.util.find_spec("ipyflow") is not None
THEIRS = [
    "like_ipyflow",
    pytest.param(
        "ipyflow", marks=pytest.mark.skipif(not _IS_THERE, reason="ipyflow is not installed: it is no need of ours")
    ),
]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    shutil.copy(_HERE / "like_ipyflow.py", tmp_path)
    kernel = Kernel(tmp_path)
    try:
        yield kernel
    finally:
        kernel.close()


@pytest.fixture(params=["first", "second"])
def we_are(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=THEIRS)
def notebook(kernel: Kernel, request: pytest.FixtureRequest, we_are: str) -> OpenNotebook:
    notebook = OpenNotebook(kernel)
    lines = ["%load_ext notebook_flows", f"%load_ext {request.param}"]
    for number, line in enumerate(lines if we_are == "first" else reversed(lines)):
        assert notebook.run(f"load-{number}", line).status == "ok"
    notebook.run("helper", "def twice(a):\n    return 2 * a")
    notebook.run("load", "%%task load\nx = [1, 2]\nprint('loading')")
    notebook.run("show", "%%task show\nfrom IPython.display import display\ny = [twice(one) for one in x]\ndisplay(y)")
    return notebook


def test_flow_is_theirs_and_nbflow_ours(notebook: OpenNotebook, we_are: str) -> None:
    ours = notebook.run("ours", "%nbflow status")
    theirs = notebook.run("theirs", "%flow no-command-of-anybody")

    assert "✓ show  up to date" in ours.said
    assert "notebook_flows" not in theirs.said
    if we_are == "second":
        assert "`%nbflow` does what `%flow` says in our pages" in notebook.text("load-1")


@pytest.mark.parametrize("lane", ["threads", "processes", "main"])
def test_each_output_stands_below_its_own_cell_in_one_run_after_the_other(notebook: OpenNotebook, lane: str) -> None:
    for number in range(2):
        result = notebook.run(f"run-{number}", f"%nbflow run --all -x {lane}")

        assert "✓ 2 cells" in result.said
        assert notebook.shown("load") == [("stdout", "loading\n")]
        assert notebook.shown("show") == [("display_data", "[2, 4]")]


def test_a_task_cell_may_await_in_a_run(notebook: OpenNotebook) -> None:
    notebook.run("sleep", "%%task sleep\nimport asyncio\nawait asyncio.sleep(0)\nz = len(y)")

    result = notebook.run("run", "%nbflow run --all")

    assert "✓ 3 cells" in result.said
    assert notebook.value("z") == "2"


def test_lazy_cells_run_before_the_cell_that_needs_them(notebook: OpenNotebook) -> None:
    notebook.run("mode", "%nbflow mode lazy")
    notebook.run("late", "%%task late\nlate = sum(y)")

    result = notebook.run("needs", "print('it is', late)")

    assert "it is 6" in result.said
