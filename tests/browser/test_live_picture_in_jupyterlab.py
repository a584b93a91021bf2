"""The live picture below a cell of a real notebook in JupyterLab and Notebook 7, while the cell runs and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsing import Gate, open_waiting_cells

if TYPE_CHECKING:
    from browsing import Lab
    from playwright.sync_api import Locator

EVIL = "<img src=x onerror=document.title=1>"


def node(front: Lab, name: str, state: str = "") -> Locator:
    """A task in the live picture, in a state."""
    kind = f".state-{state}" if state else ""
    return front.page.locator(f".nbflow-frame g.node{kind}").filter(
        has=front.page.locator(f"text.name:text-is('{name}')")
    )


def waiting_flow(front: Lab, gate: Gate, name: str) -> None:
    """Open a notebook of which cell 1 runs a flow whose first task waits at the gate; the cell blocks meanwhile."""
    gate.passed.touch()
    made = front.server.write(
        "from notebook_flows import Flow, task",
        "@task\ndef first():\n"
        + "".join(f"    {line}\n" for line in gate.code.splitlines())
        + "    print('came through')\n    return 1\n\n"
        "@task\ndef second(x):\n    return x + 1\n\n"
        "with Flow('gated') as flow:\n    second(first())\nstate = flow.run()",
        "1 + 1",
        name=f"{type(front).__name__}-{name}.ipynb",
    )
    front.open(made)
    front.run_cell(0)


def test_colours_change_while_the_cell_blocks(front: Lab, gate: Gate) -> None:
    waiting_flow(front, gate, "blocks")

    front.run_cell(1, wait=False)
    front.scroll_to(1)
    node(front, "first", "running").wait_for()
    node(front, "second", "pending").wait_for()
    gate.opened.touch()
    node(front, "first", "success").wait_for()
    node(front, "second", "success").wait_for()

    front.wait_idle()
    assert node(front, "second").locator("text.state").text_content().startswith("✓ success")
    assert front.page.locator(".nbflow-view").count() == 1
    assert front.errors() == []


def test_a_click_tells_code_and_logs_of_a_task_cell_and_what_comes_of_it(lab: Lab, gate: Gate) -> None:
    open_waiting_cells(lab, gate, "click")
    lab.run_cell(3, wait=False)
    lab.scroll_to(3)
    node(lab, "first", "running").wait_for()
    gate.opened.touch()
    node(lab, "second", "success").wait_for()
    lab.wait_idle()

    node(lab, "second").click()

    drawer = lab.page.locator(".nbflow-drawer")
    drawer.get_by_text("the second says 2").first.wait_for()
    drawer.get_by_text("Code", exact=True).click()
    assert "print('the second says', x + 1)" in drawer.inner_text()
    assert lab.errors() == []


def test_cancel_stops_the_run_and_retry_runs_again_what_did_not_end_well(lab: Lab, gate: Gate) -> None:
    open_waiting_cells(lab, gate, "clicks")
    lab.run_cell(3, wait=False)
    lab.scroll_to(3)
    node(lab, "first", "running").wait_for()

    lab.page.get_by_role("button", name="Cancel").click()
    node(lab, "second", "cancelled").or_(node(lab, "second", "not-run")).wait_for()
    lab.wait_idle()
    gate.opened.touch()
    lab.page.get_by_role("button", name="Retry failed").click()

    node(lab, "second", "success").wait_for()
    assert lab.errors() == []


def test_height_drawer_and_zoom_stay_when_a_run_is_begun_by_a_click(lab: Lab, gate: Gate) -> None:
    gate.opened.touch()
    open_waiting_cells(lab, gate, "stays")
    lab.run_cell(3)
    lab.scroll_to(3)
    node(lab, "second", "success").wait_for()
    frame, view = lab.page.locator(".nbflow-frame"), lab.page.locator(".nbflow-view")
    before = frame.bounding_box()["height"]
    line = lab.page.locator(".nbflow-grip")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    lab.page.mouse.move(box["x"] + 50, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + 50, box["y"] + 130, steps=4)
    lab.page.mouse.up()
    node(lab, "second").click()
    lab.page.locator(".nbflow-drawer h3:text-is('second')").wait_for()
    chosen = frame.evaluate("frame => [frame.style.height, frame.clientHeight]")
    lab.page.get_by_role("button", name="Zoom in").click()
    stood = frame.locator("svg").first.evaluate("svg => svg.style.transform")
    view.evaluate("view => { view.dataset.isTheOneThatWasPressed = ''; }")

    lab.page.get_by_role("button", name="Run from here").click()
    lab.page.locator(".nbflow-view:not([data-is-the-one-that-was-pressed])").wait_for()
    node(lab, "second", "success").wait_for()
    lab.wait_idle()

    assert chosen[1] > before + 80
    assert frame.evaluate("frame => [frame.style.height, frame.clientHeight]") == chosen
    assert lab.page.locator(".nbflow-drawer h3").inner_text() == "second"
    assert frame.locator("svg").first.evaluate("svg => svg.style.transform") == stood
    assert lab.errors() == []


def test_plain_keys_in_the_picture_leave_the_notebook_alone(lab: Lab, gate: Gate) -> None:
    waiting_flow(lab, gate, "keys")
    lab.run_cell(1, wait=False)
    lab.scroll_to(1)
    node(lab, "first", "running").wait_for()
    cells = len(lab.page.evaluate("() => [...window.jupyterapp.shell.currentWidget.content.widgets].map(() => 1)"))

    node(lab, "first").focus()
    for key in ("ArrowDown", "x", "d", "d", "a", "Enter"):
        lab.page.keyboard.press(key)
    heading = lab.page.locator(".nbflow-drawer h3").inner_text()
    lab.page.keyboard.press("Escape")

    left = len(lab.page.evaluate("() => [...window.jupyterapp.shell.currentWidget.content.widgets].map(() => 1)"))
    assert (heading, left) == ("second", cells)
    gate.opened.touch()
    lab.wait_idle()


def test_the_picture_takes_the_colours_of_the_page_from_the_theme(lab: Lab, gate: Gate) -> None:
    gate.opened.touch()
    waiting_flow(lab, gate, "themes")
    lab.run_cell(1)
    lab.scroll_to(1)
    node(lab, "second", "success").wait_for()
    seen = {}

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        lab.theme(theme)
        page, text = lab.page.evaluate(
            "() => { const style = getComputedStyle(document.querySelector('.nbflow-view'));"
            " return [style.backgroundColor, style.color]; }"
        )
        fill = node(lab, "second").locator(".shape").evaluate("shape => getComputedStyle(shape).fill")
        seen[theme] = (page, text, fill)

    light, dark = seen["JupyterLab Light"], seen["JupyterLab Dark"]
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert light[2] == dark[2] == "rgb(0, 114, 178)"


def test_names_that_are_html_stay_text_in_the_page(lab: Lab) -> None:
    name = lab.server.write(
        f"from notebook_flows import Flow, task\nevil = task(lambda: 1, name={EVIL!r})\n"
        "with Flow('<b>evil</b>') as flow:\n    evil()\nstate = flow.run()",
        name="evil.ipynb",
    )
    lab.open(name)
    title = lab.page.title()

    lab.run_cell(0)
    node(lab, EVIL, "success").click()

    lab.page.locator(".nbflow-drawer h3").wait_for()
    assert lab.page.locator(".nbflow-drawer h3").inner_text() == EVIL
    assert lab.page.locator(".nbflow-view").locator("b, img").filter(has_text="evil").count() == 0
    assert lab.page.title() == title


def test_a_page_that_is_reloaded_in_the_middle_shows_the_picture_again(lab: Lab, gate: Gate) -> None:
    open_waiting_cells(lab, gate, "reload")
    lab.run_cell(3, wait=False)
    lab.scroll_to(3)
    node(lab, "first", "running").wait_for()
    lab.save()

    lab.reload()
    lab.scroll_to(3)
    node(lab, "first", "running").wait_for()
    gate.opened.touch()

    node(lab, "second", "success").wait_for()
    assert lab.errors() == []


def test_a_notebook_that_is_opened_again_without_its_kernel_shows_how_the_run_ended(lab: Lab, gate: Gate) -> None:
    gate.opened.touch()
    waiting_flow(lab, gate, "reopened")
    lab.run_cell(1)
    lab.wait_for_text(1, "2 success")
    lab.wait_for_text(1, "image/svg+xml")
    lab.save()
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    lab.reload()
    lab.scroll_to(1)
    picture = lab.cell(1).locator(".jp-OutputArea-output:has(svg), .jp-OutputArea-output:has(img)").first
    picture.wait_for()

    assert lab.page.locator(".nbflow-view").count() == 0
    assert picture.bounding_box()["height"] > 50
