"""The live picture after a kernel restart, in two places at once, and when there are many of them; in real front ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from browsing import Gate, open_waiting_cells

from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from browsing import Lab
    from playwright.sync_api import Locator

pytestmark = pytest.mark.skipif(not is_built(), reason="the browser's half was not built")

RESTART = """() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel().then(() => true)"""
FLOW = """
from notebook_flows import Flow, task
@task
def only(): return 1
with Flow('small') as flow: only()
"""


def node(place: Locator, name: str, state: str) -> Locator:
    """A task in a live picture, in a state."""
    return place.locator(f"g.node.state-{state}:has(text.name:text-is('{name}'))")


def test_a_picture_whose_kernel_was_restarted_says_so_and_its_cell_brings_it_back(front: Lab, gate: Gate) -> None:
    open_waiting_cells(front, gate, "restart")
    front.run_cell(3, wait=False)
    front.scroll_to(3)
    picture = front.cell(3)
    node(picture, "first", "running").wait_for()

    front.page.evaluate(RESTART)
    picture.get_by_text("The kernel was restarted").wait_for()
    assert picture.get_by_role("button", name="Cancel").is_hidden()
    front.wait_idle()
    gate.opened.touch()
    for index in range(4):
        front.run_cell(index)

    node(picture, "second", "success").wait_for()
    assert picture.get_by_text("The kernel was restarted").count() == 0
    assert front.errors() == []


def test_a_restarted_kernel_shows_the_run_that_its_forerunner_did_not_end(lab: Lab, gate: Gate) -> None:
    open_waiting_cells(lab, gate, "forerunner")
    lab.run_cell(3, wait=False)
    lab.scroll_to(3)
    node(lab.cell(3), "first", "running").wait_for()
    lab.page.evaluate(RESTART)
    lab.wait_idle()

    index = lab.append("%load_ext notebook_flows\n%flow show", wait=False)
    lab.scroll_to(index)

    node(lab.cell(index), "first", "cancelled").wait_for()  # a kernel that is asked to end cancels what it runs
    node(lab.cell(index), "second", "not-run").wait_for()
    gate.opened.touch()


def test_two_views_of_one_picture_are_both_live_and_opened_each_by_itself(lab: Lab, gate: Gate) -> None:
    open_waiting_cells(lab, gate, "views")
    lab.run_cell(3, wait=False)
    lab.scroll_to(3)
    node(lab.cell(3), "first", "running").wait_for()

    lab.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    lab.command("notebook:create-output-view")
    other = lab.page.locator(".jp-LinkedOutputView")
    node(other, "first", "running").click()
    gate.opened.touch()
    node(other, "second", "success").wait_for()
    node(lab.cell(3), "second", "success").wait_for()

    assert other.locator(".nbflow-drawer h3").inner_text() == "first"
    assert lab.cell(3).locator(".nbflow-drawer").is_hidden()
    assert lab.errors() == []


def test_of_very_many_pictures_the_latest_are_live_and_the_others_still(lab: Lab) -> None:
    lab.open(lab.server.write(FLOW, *["state = flow.run()"] * 21, name="many.ipynb"))

    lab.run_all()
    lab.scroll_to(1)
    still = lab.cell(1).locator(".jp-OutputArea-output :is(svg, img)").first
    still.wait_for()
    views = lab.cell(1).locator(".nbflow-view").count()
    lab.scroll_to(21)
    node(lab.cell(21), "only", "success").wait_for()

    assert views == 0
    assert lab.errors() == []


def test_a_notebook_of_somebody_else_shows_the_still_picture_though_it_is_not_trusted(front: Lab) -> None:
    name = front.server.write(FLOW, "state = flow.run()", name=f"{type(front).__name__}-mine.ipynb")
    front.open(name)
    front.run_all()
    front.wait_for_text(1, "1 success")
    front.wait_for_text(1, "image/svg+xml")
    front.save()
    theirs = front.server.read(name)
    theirs.cells[0].source += "# changed, so that its signature is not ours\n"
    other = f"{type(front).__name__}-theirs.ipynb"
    nbformat.write(theirs, front.server.root / other)

    front.open(other)
    front.scroll_to(1)
    picture = front.cell(1).locator(".jp-OutputArea-output img[src^='data:image/svg']")
    picture.wait_for()

    trusted = "window.jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted"
    box = picture.bounding_box()
    assert front.page.evaluate(f"() => {trusted}") is False
    assert box is not None
    assert box["height"] > 50
    assert front.cell(1).locator(".nbflow-view").count() == 0
    assert front.errors() == []
