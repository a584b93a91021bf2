"""In a real kernel: on a task that was taken from an earlier run, what it attached there is counted as what it attaches itself is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.core.lifecycle import S
from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from pages import OpenPage

pytestmark = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)
FLOW = """
from notebook_flows import Flow, artifact, task
@task(cache=True)
def load(n):
    artifact("# Head", "note", title="What it is")
    return n
@task
def show(rows): return rows
with Flow("attaches") as flow: show(load({n}))
"""


def attached(page: OpenPage, widget: str | None = None) -> list[list[object]]:
    return list(page.of("snapshot", widget)[-1]["attached"]) if page.of("snapshot", widget) else []


def states(page: OpenPage) -> dict[int, S]:
    told = page.of("snapshot")[-1]["columns"]
    return dict(zip(told["node"], map(S, told["state"]), strict=True))


def test_of_task_cells_it_is_told_when_their_run_is_over(page: OpenPage) -> None:
    page.run("plain-data", "%%task plain\nn = 1")
    page.run("import", "from notebook_flows import artifact")
    page.run("load-data", "%%task load --cache\nartifact('# Head', 'note')\nm = 7")
    page.run("go", "%flow run --all")
    first = attached(page)

    widget = page.widget
    page.ask({"type": "action", "action": "run_only", "node": 1})
    page.wait(lambda: page.widget != widget and attached(page) != [])

    assert first == [[1, -1, "note", "note"]]
    assert states(page)[1] is S.CACHED
    assert page.of("snapshot")[-1]["run"]["bystanders"] == [0]
    assert attached(page) == first


def test_of_a_flow_it_is_told_as_well_also_on_a_picture_that_was_asked_for(page: OpenPage) -> None:
    page.run("define", FLOW.format(n=1))
    page.run("go", "flow.run()")
    page.run("look", "flow.visualize()")
    shown = page.widget

    page.run("go", "flow.run()")
    page.wait(lambda: attached(page) != [] and attached(page, shown) != [])

    assert states(page) == {0: S.CACHED, 1: S.SUCCESS}
    assert attached(page) == [[0, -1, "note", "What it is"]]
    assert attached(page, shown) == attached(page)


def test_a_run_of_the_history_has_it_too(page: OpenPage) -> None:
    page.run("define", FLOW.format(n=2))
    page.run("go", "flow.run()")
    page.run("go", "state = flow.run()")
    page.wait(lambda: attached(page) != [])
    run = page.value("state.context['flow_run_id']").strip("'")

    page.run("look", f"%flow show {run}")
    page.wait(lambda: attached(page) != [])

    assert page.of("snapshot")[-1]["run"]["id"] == run
    assert attached(page) == [[0, -1, "note", "What it is"]]
