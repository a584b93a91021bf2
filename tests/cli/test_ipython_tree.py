"""The live tree in a terminal's IPython."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_processes import ROOT
from screens import Screen, has

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOW = """
import os, time
from notebook_flows import Flow, task

@task
def slow(number):
    print("slow", number)
    while not os.path.exists("go"): time.sleep(0.02)

@task
def add(numbers): pass

with Flow("interactive") as flow: add(slow.map([1, 2]))
"""


@pytest.fixture
def ipython(tmp_path: Path) -> Iterator[Screen]:
    (tmp_path / "flows.py").write_text(FLOW)
    code = (
        "from IPython import start_ipython; start_ipython(argv=['--no-banner', '--colors=NoColor', '--simple-prompt'])"
    )
    terminal = Screen(
        [sys.executable, "-c", code],
        columns=90,
        rows=24,
        IPYTHONDIR=str(tmp_path / "ipython"),
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS="ignore",
    )
    terminal.wait_for(has("In [1]:"))
    terminal.press("%load_ext notebook_flows\n")
    terminal.wait_for(has("In [2]:"))
    yield terminal
    terminal.close()


def test_a_flow_that_is_run_is_a_live_tree_that_stays(ipython: Screen, tmp_path: Path) -> None:
    ipython.press("from flows import flow; state = flow.run()\n")
    during = ipython.wait_for(has("▶ slow"))
    (tmp_path / "go").touch()
    after = ipython.wait_for(has("In [3]:"))

    assert during[-4].startswith("interactive")
    assert during[-2].startswith("▶ slow")
    assert during[-1].startswith("└─ · add")
    end = [line for line in after if line]
    assert [line[:10] for line in end[-3:-1]] == ["✓ slow    ", "└─ ✓ add  "]
    assert "slow 2" in end
    assert ipython.margins is None


def test_ctrl_c_gives_the_prompt_back_below_the_tree(ipython: Screen) -> None:
    ipython.press("from flows import flow; state = flow.run()\n")
    ipython.wait_for(has("▶ slow"))

    ipython.press("\x03")

    ipython.wait_for(has("In [3]:"))
    lines = ipython.all_lines
    assert any(line.startswith("└─ - add") for line in lines)
    assert any(line.startswith("KeyboardInterrupt") for line in lines)
    assert ipython.margins is None


CELLS = """
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(simple_prompt=True)
shell.run_line_magic("load_ext", "notebook_flows")
waits = "import os, time\\nwhile not os.path.exists('go'): time.sleep(0.02)\\nprint('in a')\\na = 1"
open("go", "w").close()
for cell in (f"%%task --name a\\n{waits}", "%%task --name b\\nprint('in b', a)"):
    shell.run_cell(cell, store_history=True)
os.unlink("go")
shell.run_cell("%flow run --all", store_history=True)
"""


def test_flow_run_shows_the_task_cells_and_then_what_they_printed(tmp_path: Path) -> None:
    terminal = Screen(
        [sys.executable, "-c", f"import os\n{CELLS}"], IPYTHONDIR=str(tmp_path / "ipython"), PYTHONPATH=str(ROOT)
    )
    try:
        during = terminal.wait_for(has("▶ a"))
        (tmp_path / "go").touch()

        assert terminal.end() == 0
        assert during[-2].startswith("▶ a")
        assert during[-1].startswith("└─ · b")
        said = terminal.all_lines
        assert [line.split()[:3] for line in said[2:4]] == [["✓", "a", "success"], ["└─", "✓", "b"]]
        assert said[4:8] == ["a:", "in a", "b:", "in b 1"]
        assert said[8].startswith("✓ 2 cells in")
    finally:
        terminal.close()
