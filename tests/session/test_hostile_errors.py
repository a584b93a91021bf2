"""Errors whose text raises KeyboardInterrupt or SystemExit: they fail their cell, in runs by hand and headless, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from opened import OpenNotebook
from talking import kernels

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from talking import Kernel

CLASSES = """class Bad(Exception):
    def __str__(self): raise KeyboardInterrupt
class Worse(Exception):
    def __repr__(self): raise SystemExit(3)
    __str__ = __repr__
    def _render_traceback_(self): raise KeyboardInterrupt"""
TASKS = {
    "bad": "%%task bad\nraise Bad()",
    "worse": "%%task worse --executor main\nraise Worse(1)",
    "chained": "%%task chained\ntry: raise Bad(2)\nexcept Bad: raise ValueError('outer')",
    "awaits": "%%task awaits\nimport asyncio\nawait asyncio.sleep(0)\nraise Worse(1)",
    "away": "%%task away --executor processes\nraise Worse(1)",
    "good": "%%task good\ny = 1",
}


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    yield from kernels(tmp_path)


def test_by_flow_run_they_fail_their_tasks_and_nothing_else(kernel: Kernel) -> None:
    notebook = OpenNotebook(kernel)
    notebook.run("ext", "%load_ext notebook_flows\n%flow mode lazy\n" + CLASSES)
    for key, source in TASKS.items():
        notebook.run(key, source)

    said = notebook.run("run", "%flow run").said

    assert "5 failed, 1 success" in said
    assert "bad: failed: Bad (its text could not be made: KeyboardInterrupt)" in said
    assert "worse: failed: Worse (its text could not be made: SystemExit: 3)" in said
    assert "chained: failed: ValueError: outer" in said
    assert "away: failed: Worse (its text could not be made: SystemExit: 3)" in said
    assert notebook.value("y") == "1"
    assert "Bad (its text could not be made: KeyboardInterrupt)" in notebook.run("logs", "%flow logs bad").said


def test_headless_they_fail_their_tasks_and_nothing_else(tmp_path: Path) -> None:
    cells = ["%load_ext notebook_flows", CLASSES, *TASKS.values()]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbformat.write(made, tmp_path / "hostile.ipynb")

    done = run_notebook(tmp_path / "hostile.ipynb", output=tmp_path / "out.ipynb", history=False)

    states = {one.name: one.state for one in done.cells if one.name in TASKS}
    assert states == dict.fromkeys(TASKS, S.FAILED) | {"good": S.SUCCESS}
    assert done.state is S.FAILED
    shown = [one for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells for one in cell.get("outputs", ())]
    assert "(its text could not be made: KeyboardInterrupt)" in {one.get("evalue") for one in shown}
