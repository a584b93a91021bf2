"""Cells that this kernel has never executed: what they put out stands below `%flow run`, as it comes, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from opened import OpenNotebook
from talking import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETUP = """import os, time
def wait_for(name):
    until_s = time.monotonic() + 60
    while not os.path.exists(name) and time.monotonic() < until_s: time.sleep(0.01)
def touch(name): open(name, 'w').close()"""
KNOWN = "%%task known\nknown = 1"  # by what is kept of it, another kernel knows that the notebook has run
CELLS = {
    "ext": "%load_ext notebook_flows",
    "setup": SETUP,
    "known": KNOWN,
    "slow": "%%task slow --pure\nprint('slow begins')\nwait_for('go')\nprint('slow ends', end='')\n'value of slow'",
    "quick": "%%task quick --pure\nwait_for('turn')\nprint('quick is here')\ntouch('had')\nfrom IPython.display import display\n"
    "handle = display('shown', display_id='one')",
}
TURNS = {
    "ext": "%load_ext notebook_flows",
    "setup": SETUP,
    "known": KNOWN,
    "left": "%%task left --pure\nprint('left 1', flush=True)\ntouch('l1')\nwait_for('r1')\nwait_for('read')\nprint('left 2')\n1 / 0",
    "right": "%%task right --pure\nwait_for('l1')\nprint('right 1')\ntouch('r1')\nright = 1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "work.ipynb"))
    return tmp_path


def another_kernel(folder: Path, cells: dict[str, str]) -> Iterator[OpenNotebook]:
    """One for a notebook that has run in a kernel before, and that has executed none of its cells."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source, id=cell) for cell, source in cells.items()]
    nbformat.write(notebook, folder / "work.ipynb")
    flags = [folder / name for name in ("go", "turn", "l1", "r1", "read", "had")]
    first = Kernel(folder)
    for flag in flags:
        flag.touch()
    opened = OpenNotebook(first)
    for cell, source in cells.items():
        opened.run(cell, source)
    opened.run("run", "%flow run --all")
    first.close()
    for flag in flags:
        flag.unlink()
    second = Kernel(folder)
    opened = OpenNotebook(second)
    opened.run("ext", "%load_ext notebook_flows")
    yield opened
    second.close()


@pytest.fixture
def notebook(folder: Path) -> Iterator[OpenNotebook]:
    yield from another_kernel(folder, CELLS)


@pytest.fixture
def taking_turns(folder: Path) -> Iterator[OpenNotebook]:
    yield from another_kernel(folder, TURNS)


class Reader:
    """Somebody who lets the slow task go on when its first line can be read, and the quick one has printed, too."""

    def __init__(self, notebook: OpenNotebook, folder: Path) -> None:
        self._notebook, self._folder = notebook, folder

    def look(self) -> bool:
        seen = self._notebook.text("run")
        if "slow begins" in seen:
            (self._folder / "turn").touch()
        if (self._folder / "had").exists():
            (self._folder / "go").touch()
        return "cells in" in seen


def told(notebook: OpenNotebook) -> list[tuple[str, str]]:
    """What stands below the line, but for the picture."""
    return [one for one in notebook.shown("run") if "Flow 'work'" not in one[1]]


OURS = ("Not executed", "✓", "Begun in the background: 4 cells")


@pytest.mark.parametrize("line", ["%flow run --all", "%flow run --all --background"])
def test_outputs_come_while_the_tasks_run_each_once_and_below_the_name_of_its_task(
    notebook: OpenNotebook, folder: Path, line: str
) -> None:
    reader = Reader(notebook, folder)

    def reads_on() -> bool:
        reader.look()
        return False

    notebook.run("run", line, interrupt_when=reads_on, until=lambda _: reader.look())

    lines = [
        line
        for kind, text in told(notebook)
        for line in (text.splitlines() if kind == "stdout" else [f"{kind} {text}"])
    ]
    assert [line for line in lines if not line.startswith(OURS)] == [
        "slow:",
        "slow begins",
        "slow ends",
        "execute_result 'value of slow'",
        "quick:",
        "quick is here",
        "display_data 'shown'",
    ]
    assert lines[-1].startswith("✓ 4 cells in")


def test_of_two_that_print_by_turns_each_stands_together_below_its_name_with_its_error(
    taking_turns: OpenNotebook, folder: Path
) -> None:
    notebook = taking_turns

    def reads_on() -> bool:
        if (folder / "r1").exists():
            (folder / "read").touch()
        return False

    notebook.run("run", "%flow run --all", interrupt_when=reads_on)

    lines = [line for line in notebook.text("run").splitlines() if not line.startswith(OURS)]
    assert lines == ["left:", "left 1", "left 2", "right:", "right 1"]
    shown = [value for kind, value in notebook.shown("run") if kind == "error" or "right 1" in value]
    assert [value.splitlines()[0] for value in shown] == ["ZeroDivisionError", "right:", "FlowRunFailed"]
