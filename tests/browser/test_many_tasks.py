"""In JupyterLab: the picture of a run of very many tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from browsing import Lab

MANY = (
    "from notebook_flows import Flow, task",
    "@task\ndef load(): return 1\n@task\ndef clean(): return 2",
    "with Flow('many') as flow:\n    for _ in range(1200): load(); clean()",
    "state = flow.run()",
)


def test_a_run_of_very_many_tasks_is_counted_in_groups_and_its_still_picture_comes_after_it(lab: Lab) -> None:
    lab.open(lab.server.write(*MANY, name="many.ipynb"))
    for number in range(3):
        lab.run_cell(number)

    lab.run_cell(3)
    lab.scroll_to(3)
    lab.page.locator(".nbflow-status:has-text('2,400 success')").wait_for()

    lab.wait_for_text(3, "2,400 tasks")
    assert lab.errors() == []
