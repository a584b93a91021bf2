"""A run of very many tasks is told in groups, looked at and not listened to; each task is told when that costs it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows import Flow, task
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import planned
from notebook_flows.core.run import Run
from notebook_flows.core.validation import compiled
from notebook_flows.widget import is_built
from notebook_flows.widget.groupfeed import MOST_GROUPS, GroupFeed, grouped, groups_message

if TYPE_CHECKING:
    from pages import OpenPage

needs_script = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)
MANY = 1_500
DEFINE = f"""
from notebook_flows import Flow, task
import threading, time
may_end = threading.Event()
@task
def load(): return 1
@task
def wait():
    while not may_end.wait(0.02): pass
with Flow("many") as flow:
    for _ in range({MANY}): load()
    wait()
"""


def test_tasks_are_grouped_by_name_then_by_the_name_without_its_number_then_all_together() -> None:
    alike = grouped(["load", "clean", "load"])
    numbered = grouped([f"load-{number}" for number in range(MOST_GROUPS + 1)] + ["end"])
    unlike = grouped([f"{number} load" for number in range(MOST_GROUPS + 1)])

    assert alike == {"load": [0, 2], "clean": [1]}
    assert numbered == {"load": list(range(MOST_GROUPS + 1)), "end": [MOST_GROUPS + 1]}
    assert unlike == {"tasks": list(range(MOST_GROUPS + 1))}


def run_of(count: int) -> Run:
    with Flow("f") as flow:
        for _ in range(count):
            task(lambda: None, name="load")()
    return Run(planned(flow, compiled(flow), list(flow._into), presets={}, resumed=frozenset()))


def test_a_group_is_told_as_a_mapped_task_whose_children_stand_where_its_tasks_stand() -> None:
    run = run_of(4)
    feed = GroupFeed([[0, 2], [1, 3]], {"id": "r"})
    feed.expect(run, "r")
    run.state[:] = [S.SUCCESS, S.FAILED, S.SUCCESS, S.PENDING]

    told = feed.take(0.0, 7)

    assert told is not None
    assert told["width"] == {"0": 2, "1": 2}
    assert told["states"] == {"0": chr(48 + S.SUCCESS) * 2, "1": chr(48 + S.FAILED) + chr(48 + S.PENDING)}
    assert told["folded"] == {"0": {str(int(S.SUCCESS)): 2}, "1": {str(int(S.PENDING)): 1, str(int(S.FAILED)): 1}}
    assert told["columns"]["state"] == [S.MAPPED, S.EXPANDED]


def test_nothing_is_told_where_nothing_has_happened_unless_somebody_asks() -> None:
    feed = GroupFeed([[0]], {"id": "r"})
    feed.expect(run_of(1), "r")

    first, second = feed.take(0.0, 0), feed.take(1.0, 0)
    feed.resync()
    third = feed.take(2.0, 0)

    assert first is not None
    assert second is None
    assert third is not None
    assert third["batch"] == first["batch"] + 1


def test_a_task_is_found_by_its_place_in_its_group() -> None:
    feed = GroupFeed([[0, 2], [1]], {"id": "r"})

    assert [feed.place_of(*place) for place in ((0, 1), (1, 0), (1, 1), (5, 0), (0, -1))] == [2, 1, None, None, None]
    assert [node["name"] for node in groups_message("f", grouped(["a", "b", "a"]))["nodes"]] == ["a", "b"]


@needs_script
def test_groups_come_first_and_each_task_with_its_times_when_the_run_has_ended(page: OpenPage) -> None:
    page.run("define", f"{DEFINE}\nmay_end.set()")

    page.run("go", "state = flow.run()")
    page.wait(lambda: len(page.of("flow")) > 1 and page.of("snapshot")[-1]["run_state"] == S.SUCCESS)
    page.wait(lambda: len(page.of("snapshot")[-1]["columns"]["node"]) == MANY + 1)

    first, last = page.of("flow")[0], page.of("flow")[-1]
    assert [(node["name"], node["mapped"]) for node in first["nodes"]] == [("load", True), ("wait", True)]
    assert len(last["nodes"]) == MANY + 1
    told = page.of("snapshot")[-1]
    assert told["columns"]["state"] == [S.SUCCESS] * (MANY + 1)
    assert all(told["columns"]["started_us"])
    assert all(told["columns"]["ended_us"])
    assert told["run"]["id"] == page.value("state.context['flow_run_id']").strip("'")
    page.wait(lambda: f"{MANY + 1:,} tasks" in str(page.shown["go"]) and "success" in str(page.shown["go"]))


@needs_script
def test_while_it_goes_on_counts_details_and_cancel_are_there(page: OpenPage) -> None:
    page.run("define", DEFINE)
    subshell = page.new_subshell()
    request = page.begin("go", "state = flow.run()")
    page.wait(
        lambda: (
            bool(page.told)
            and any(one["folded"].get("0") == {str(int(S.SUCCESS)): MANY} for one in page.of("snapshot"))
        )
    )

    detail = page.ask({"type": "detail", "node": 0, "index": MANY - 1}, subshell=subshell)
    group = page.ask({"type": "detail", "node": 0, "index": -1}, subshell=subshell)
    answer = page.ask({"type": "action", "action": "cancel"}, subshell=subshell)
    page.wait(lambda: page.is_idle(request))

    assert "def load" in detail["code"]
    assert detail["outputs"] == [{"name": "result", "repr": "1"}]
    assert "code" not in group
    assert answer["ok"]
    assert page.value("type(state).__name__") == "'Cancelled'"
    page.wait(lambda: page.of("snapshot")[-1]["run_state"] == S.CANCELLED)
    page.wait(lambda: len(page.of("snapshot")[-1]["columns"]["node"]) == MANY + 1)


@needs_script
def test_a_long_run_goes_on_by_the_history(page: OpenPage) -> None:
    page.run("define", f"{DEFINE}\nimport notebook_flows.session.largepicture as large\nlarge.SHARE = 0")
    subshell = page.new_subshell()
    request = page.begin("go", "state = flow.run()")

    page.wait(lambda: bool(page.told) and len(page.of("flow")) > 1)
    page.wait(lambda: page.has_told(MANY, S.RUNNING))
    page.ask({"type": "action", "action": "cancel"}, subshell=subshell)
    page.wait(lambda: page.is_idle(request))
    page.wait(lambda: page.of("snapshot")[-1]["run_state"] == S.CANCELLED)

    states = dict(zip(*(page.of("snapshot")[-1]["columns"][name] for name in ("node", "state")), strict=True))
    assert states == {**dict.fromkeys(range(MANY), S.SUCCESS), MANY: S.CANCELLED}


@needs_script
def test_of_a_flow_that_no_page_could_list_the_still_picture_is_shown_alone(page: OpenPage) -> None:
    page.run(
        "define",
        "from notebook_flows import Flow, Task\nwith Flow('huge') as flow:\n"
        "    for number in range(20_001): flow.add_task(Task(name=f'step {number}'))",
    )

    page.run("look", "flow.visualize()")

    assert page.told == {}
    assert "20,001 tasks" in page.shown["look"][0]["data"]["text/plain"]


@needs_script
def test_how_a_run_of_very_many_ended_is_told_below_it_at_once(page: OpenPage) -> None:
    slow = "from notebook_flows.session.largepicture import LargePicture\nwas = LargePicture._show_end\n"
    page.run("slow", slow + "LargePicture._show_end = lambda self: None")
    page.run("define", DEFINE)

    page.run("go", "may_end.set()\nstate = flow.run()")
    page.run("as-before", "LargePicture._show_end = was")

    assert page.shown["go"][1]["data"]["text/plain"] == f"Flow 'many': {MANY + 1:,} tasks, {MANY + 1:,} success"
