"""The live picture in JupyterLab and Notebook 7, with a real kernel: what runs is seen while a cell blocks; it comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Lab

pytestmark = pytest.mark.skipif(not is_built(), reason="the browser's half was not built")


FLOW = """
from pathlib import Path
from time import sleep
from notebook_flows import Flow, task
@task
def first(): return 1
@task
def second(x):
    while not Path({gate!r}).exists(): sleep(0.02)
    return x
@task
def third(x): raise ValueError('not this one')
with Flow('three') as flow: third(second(first()))
"""


def opened(front: Lab, gate: Path, name: str, *more: str) -> None:
    made = front.server.write(
        "%load_ext notebook_flows", FLOW.format(gate=str(gate)), *more, name=f"{type(front).__name__}-live-{name}.ipynb"
    )
    front.open(made)
    front.run_cell(0)
    front.run_cell(1)


def test_colours_change_while_the_cell_blocks_the_kernel(front: Lab, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    opened(front, gate, "blocks", "state = flow.run()")

    front.run_cell(2, wait=False)
    front.cell(2).locator("g.state-success:has-text('first')").wait_for()
    front.cell(2).locator("g.state-running:has-text('second')").wait_for()
    gate.touch()
    front.cell(2).locator("g.state-failed:has-text('third')").wait_for()

    front.wait_for_text(2, "1 failed, 2 success")
    assert front.errors() == []


def test_a_run_that_blocks_the_kernel_is_cancelled_by_a_click(front: Lab, tmp_path: Path) -> None:
    opened(front, tmp_path / "gate", "cancel", "state = flow.run()\nprint('next line:', type(state).__name__)")
    front.run_cell(2, wait=False)
    front.cell(2).locator("g.state-running:has-text('second')").wait_for()

    front.cell(2).get_by_role("button", name="Cancel").click()

    front.wait_for_text(2, "next line: Cancelled")
    front.wait_for_text(2, "1 cancelled")


def test_the_picture_comes_back_when_the_page_is_reloaded_in_the_midst_of_a_run(front: Lab, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    opened(front, gate, "reload", "state = flow.run()")
    front.run_cell(2, wait=False)
    front.cell(2).locator("g.state-running:has-text('second')").wait_for()
    front.save()

    front.reload()
    gate.touch()
    front.wait_idle()
    front.scroll_to(2)

    front.cell(2).locator("g.state-failed:has-text('third')").wait_for()
