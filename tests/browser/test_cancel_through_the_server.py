"""Cancel while a cell blocks a kernel that hears no page: the click goes through the Jupyter server, and the cell goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from browsing import Lab, Notebook7, served

from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browsing import Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(not is_built(), reason="the browser's half was not built")

FLOW = """
from time import sleep
from notebook_flows import Flow, task
@task
def first(): return 1
@task
def slow(x): sleep(600)
@task
def last(x): return x
with Flow('blocks') as flow: last(slow(first()))
"""
RUN = "state = flow.run(executor={executor!r})\nprint('next line:', type(state).__name__, state.message)"


@pytest.fixture(scope="module")
def deaf_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose pages say nothing to a kernel that is busy: as with ipykernel before 7, which has no subshells.

    JupyterLab reads the setting at some time after it was opened, and would undo what the page was told instead.
    """
    root: Path = tmp_path_factory.mktemp("deaf")
    folder = root / ".jupyter" / "settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    settings = json.dumps({"commsOverSubshells": "disabled"})
    (folder / "kernels-settings.jupyterlab-settings").write_text(settings)
    with served(root) as server:
        yield server


@pytest.fixture(params=[Lab, Notebook7])
def front(request: pytest.FixtureRequest, page: Page, deaf_server: Server) -> Lab:
    """The one, then the other."""
    made: Lab = request.param(page, deaf_server)
    return made


def open_deaf(front: Lab, name: str) -> None:
    """Open a notebook in a page that says nothing to a busy kernel: Notebook 7 does not look at the setting."""
    front.open(name)
    front.page.evaluate("() => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = 'disabled'; }")


def run_that_blocks(front: Lab, name: str, executor: str = "local") -> None:
    """Run a cell whose second task takes for ever, and wait until that has begun."""
    made = front.server.write(
        "%load_ext notebook_flows", FLOW, RUN.format(executor=executor), name=f"{type(front).__name__}-{name}.ipynb"
    )
    open_deaf(front, made)
    front.run_cell(0)
    front.run_cell(1)
    front.run_cell(2, wait=False)
    front.cell(2).locator("g.state-running:has-text('slow')").wait_for()


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_cancel_ends_the_run_and_the_cell_goes_on_with_its_next_line(front: Lab, executor: str) -> None:
    run_that_blocks(front, f"deaf-{executor}", executor)

    front.cell(2).locator("button:has-text('Cancel'):not([aria-disabled='true'])").click()

    front.cell(2).locator("g.state-cancelled:has-text('slow')").wait_for()
    front.cell(2).locator("g.state-not-run:has-text('last')").wait_for()
    front.wait_for_text(2, "next line: Cancelled Cancelled by a click on its picture.")
    front.wait_idle()
    assert front.errors() == []


def test_the_button_says_that_the_run_was_asked_to_stop(front: Lab) -> None:
    run_that_blocks(front, "asked")
    seen = (
        "() => { const view = document.querySelector('.nbflow-view'); window.seen = [];"
        " new MutationObserver(() => window.seen.push(...[...view.querySelectorAll('button')].map(one => one.textContent)))"
        ".observe(view, {subtree: true, childList: true, characterData: true}); }"
    )
    front.page.evaluate(seen)

    front.cell(2).locator("button:has-text('Cancel'):not([aria-disabled='true'])").click()
    front.wait_idle()

    assert "asked to cancel…" in front.page.evaluate("() => window.seen")


def test_what_failed_is_tried_again_while_the_cell_blocks(front: Lab, tmp_path: Path) -> None:
    good, done = tmp_path / "good", tmp_path / "done"
    flow = f"""
from pathlib import Path
from time import sleep
from notebook_flows import Flow, task
@task
def shaky():
    if not Path({str(good)!r}).exists(): raise ValueError('not yet')
@task
def slow():
    while not Path({str(done)!r}).exists(): sleep(0.02)
@task
def last(x): return x
with Flow('again') as flow: last(shaky(), upstream_tasks=[slow()])
"""
    made = front.server.write(flow, RUN.format(executor="threads"), name=f"{type(front).__name__}-again.ipynb")
    open_deaf(front, made)
    front.run_cell(0)
    front.run_cell(1, wait=False)
    front.cell(1).locator("g.state-failed:has-text('shaky')").wait_for()
    good.touch()

    front.cell(1).locator("button:has-text('Retry failed'):not([aria-disabled='true'])").click()

    front.cell(1).locator("g.state-success:has-text('shaky')").wait_for()
    done.touch()
    front.wait_for_text(1, "next line: Success All reference tasks succeeded.")
    front.wait_idle()
    assert front.errors() == []


def test_a_run_that_the_server_does_not_see_leaves_interrupt(front: Lab) -> None:
    made = front.server.write(
        "%load_ext notebook_flows", FLOW, "state = flow.run(history=False)", name=f"{type(front).__name__}-unseen.ipynb"
    )
    open_deaf(front, made)
    front.run_cell(0)
    front.run_cell(1)

    front.run_cell(2, wait=False)
    front.cell(2).locator("g.state-running:has-text('slow')").wait_for()
    front.cell(2).locator("button:has-text('Cancel')[aria-disabled='true']").click(
        force=True
    )  # it is off, and says why

    front.cell(2).get_by_text("use Interrupt (■) to stop the run").first.wait_for()
    front.command("notebook:interrupt-kernel")
    front.wait_for_text(2, "KeyboardInterrupt")
