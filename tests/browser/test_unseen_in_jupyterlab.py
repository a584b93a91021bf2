"""A notebook that was opened a moment ago: task cells that nobody has executed run, and JupyterLab shows what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from browsing import Lab

CELLS = (
    "%load_ext notebook_flows",
    "base = 40",
    "%%task load\nprint('load has printed')\nanswer = base + 2\nf'the answer is {answer}'",
    "%flow run",
)


def test_prints_and_last_values_of_cells_that_were_only_saved_stand_below_the_run(lab: Lab) -> None:
    lab.open(lab.server.write(*CELLS, name="unseen.ipynb"))
    lab.run_cell(0)

    lab.run_cell(3)
    lab.wait_for_text(3, "2 cells in")

    seen = lab.cell(3).inner_text()
    assert "Not executed in this kernel yet: '2 base = 40', 'load'; they run as they are in the saved notebook." in seen
    assert "load has printed" in seen
    assert "'the answer is 42'" in seen
    assert lab.errors() == []
