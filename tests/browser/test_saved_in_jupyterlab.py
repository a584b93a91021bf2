"""What is in a notebook that a person has saved in JupyterLab with its own key, and what it shows when it is opened again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from browsing import Lab

CELLS = (
    "%load_ext notebook_flows",
    "%%task load\nrows = [1, 2]",
    "%%task clean\nkept = rows[1:]",
    "%flow run --all",
    "%flow show",
)
VIEW, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
LARGEST = 40_000
"""Characters of the file, with two pictures of two tasks."""
NO_KERNEL = "() => !window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
CLEAN = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"


def saved_by_its_key(lab: Lab, name: str) -> Any:
    """Run all cells, press Ctrl+S, and read the file."""
    lab.open(name)
    lab.run_all()
    for index in (3, 4):
        lab.wait_for_text(index, "2 success")
        lab.wait_for_text(index, "image/svg+xml")
    lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook").focus()
    lab.page.keyboard.press("Control+s")
    lab.page.wait_for_function(CLEAN)
    return lab.server.read(name)


def test_the_file_holds_the_still_pictures_and_no_state_of_a_widget(lab: Lab) -> None:
    name = lab.server.write(*CELLS, name="saved-by-key.ipynb")

    notebook = saved_by_its_key(lab, name)

    for cell in notebook.cells[3:]:
        pictures = [one["data"] for one in cell.outputs if "image/svg+xml" in one.get("data", {})]
        assert len(pictures) == 1
        assert pictures[0].keys() == {"image/svg+xml", "text/html", "text/plain"}
        assert pictures[0]["text/plain"].endswith("clean    success")
    text = json.dumps(notebook)
    assert "widgets" not in notebook.metadata
    assert STATE not in text
    assert len(text) <= LARGEST
    assert lab.errors() == []


def test_opened_without_a_kernel_it_shows_the_pictures_and_no_complaint(lab: Lab) -> None:
    saved_by_its_key(lab, lab.server.write(*CELLS, name="reopened-by-key.ipynb"))
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    lab.page.wait_for_function(NO_KERNEL)

    lab.reload()
    lab.scroll_to(4)

    for index in (3, 4):
        picture = lab.cell(index).locator(".jp-OutputArea-output:has(svg), .jp-OutputArea-output:has(img)").last
        picture.wait_for()
        box = picture.bounding_box()
        assert box is not None
        assert box["height"] > 50
        complaints = lab.cell(index).locator(".jp-OutputArea-output:visible").filter(has_text="rror")
        assert complaints.count() == 0
    assert lab.page.locator(".nbflow-view").count() == 0
