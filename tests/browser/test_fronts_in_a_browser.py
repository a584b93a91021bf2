"""A notebook of task cells in JupyterLab and Notebook 7, as a person sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsing import ROOT, Gate, open_waiting_cells

if TYPE_CHECKING:
    from browsing import Lab


PASSES = "print('passes')\n"


def told(front: Lab, source: str, until: str) -> str:
    """What a new cell shows, once this is there: the kernel's answer may be here before its outputs are."""
    index = front.append(source)
    front.wait_for_text(index, until)
    return front.text(index)


def test_a_run_shows_each_output_below_its_own_cell_and_the_picture_follows_it(front: Lab, gate: Gate) -> None:
    open_waiting_cells(front, gate, "outputs", then=PASSES)

    front.run_cell(3, wait=False)
    front.wait_for_printed(1, "waits\n")
    front.cell(3).get_by_text("running").first.wait_for(state="attached")
    gate.opened.touch()
    front.wait_for_text(3, "2 cells in")

    assert front.text(1) == "waits\npasses\n"
    assert front.text(2) == "the second says 2\n"
    assert "2 tasks, 2 success" in front.text(3)
    front.scroll_to(3)
    pictures = front.cell(3).locator("svg, img[src^='data:image/svg']")
    boxes = [one.bounding_box() for one in pictures.all()]
    assert max(box["height"] for box in boxes if box is not None) > 50
    assert front.errors() == []


def test_a_run_goes_on_when_the_page_is_reloaded_and_flow_tells_what_came_meanwhile(front: Lab, gate: Gate) -> None:
    open_waiting_cells(front, gate, "reload", then=PASSES)
    front.run_cell(3, wait=False)
    front.wait_for_printed(1, "waits\n")
    front.save()

    front.reload()
    gate.opened.touch()
    front.wait_idle()

    assert "waits\npasses\n" in told(front, "%flow result first", "passes")
    assert "the second says 2" in told(front, "%flow result second", "the second says 2")
    assert "2 tasks, 2 success" in told(front, "%flow show", "2 tasks, 2 success")
    assert told(front, "x", "1") == "1"


def test_the_stop_button_ends_a_run_and_the_kernel_answers_again(front: Lab, gate: Gate) -> None:
    open_waiting_cells(front, gate, "stop", then=PASSES)
    front.run_cell(3, wait=False)
    front.wait_for_printed(1, "waits\n")

    front.command("notebook:interrupt-kernel")
    front.wait_for_text(3, "cancelled")
    front.wait_idle()

    gate.opened.touch()  # Python cannot stop a thread
    assert told(front, "40 + 2", "42") == "42"


def test_an_example_runs_by_hand_and_as_a_flow(front: Lab) -> None:
    name = f"{type(front).__name__}-weather_stations.ipynb"
    front.open(front.server.copy(ROOT / "example_notebooks" / "weather_stations.ipynb", name))

    front.run_all()
    last = front.append("%flow run --all")

    assert "✗" not in front.text(last)
    assert "cells in" in front.text(last)
    front.save()
    saved = front.server.read(name)
    tasks = [cell for cell in saved.cells if cell.source.startswith("%%task")]
    assert tasks
    assert not [one for cell in saved.cells for one in cell.get("outputs", ()) if one.output_type == "error"]
    assert any("image/png" in one.get("data", {}) for cell in tasks for one in cell.outputs)
    assert front.errors() == []
