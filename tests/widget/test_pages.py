"""In a real kernel: a page is told of the runs of a notebook, asks, clicks, and what stays behind is a picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from pages import VIEW

from notebook_flows.core.lifecycle import S
from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from pathlib import Path

    from pages import OpenPage

pytestmark = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)
SHORT_STATE = 110_000
"""Characters that a saved notebook may have for one of our widgets: its script and style, and nothing of the run."""


def task_cells(page: OpenPage, *, waits: bool = False) -> None:
    page.run("load-data", "%%task load\nrows = list(range(5))\nprint('five rows')")
    page.run("clean-data", f"%%task clean\nkept = rows[1:]\n{'may_end.wait(60)' if waits else ''}")
    page.run("report-data", "%%task report\ntotal = sum(kept)\ntotal")


def states(snapshot: dict[str, Any]) -> list[S]:
    return [S(state) for state in snapshot["columns"]["state"]]


def test_a_page_is_told_of_the_flow_of_its_run_and_of_its_end(page: OpenPage) -> None:
    task_cells(page)

    page.run("go", "%flow run --all")
    page.wait(lambda: bool(page.of("flow")) and page.of("flow")[-1]["svg"] is not None)

    assert [node["name"] for node in page.of("flow")[0]["nodes"]] == ["load", "clean", "report"]
    assert page.of("flow")[-1]["svg"].startswith("<svg")
    assert "rows" in page.of("flow")[0]["edges"][0]["why"]
    last = page.of("snapshot")[-1]
    assert states(last) == [S.SUCCESS] * 3
    assert last["run_state"] == S.SUCCESS
    batches = [one["batch"] for one in page.told[page.widget] if "batch" in one]
    assert batches == list(range(1, len(batches) + 1))


def test_the_output_below_the_page_keeps_the_picture_of_the_end(page: OpenPage) -> None:
    task_cells(page)

    page.run("go", "%flow run --all")

    shown = page.shown["go"][1]["data"]
    assert set(page.shown["go"][0]["data"]) == {VIEW}
    assert set(shown) == {"image/svg+xml", "text/html", "text/plain"}
    assert "3 success" in shown["text/plain"]
    assert "state-success" in shown["image/svg+xml"]
    assert shown["text/html"].startswith('<div class="nbflow-still"')
    assert "<img" in shown["text/html"]
    drawn = [one for one in page.raw if one["msg_type"] == "update_display_data"]
    assert len(drawn) == 1


def test_flow_run_in_a_cell_shows_the_flow(page: OpenPage) -> None:
    page.run(
        "define",
        "from notebook_flows import Flow, task\n"
        "@task\ndef one():\n    'Gives one.'\n    return 1\n@task\ndef two(x): raise ValueError('no two')\n"
        "with Flow('pair') as flow: two(one())",
    )

    page.run("go", "state = flow.run()")

    assert page.of("flow")[0]["name"] == "pair"
    assert states(page.of("snapshot")[-1]) == [S.SUCCESS, S.FAILED]
    assert page.value("state.context['flow_run_id']") == repr(page.of("snapshot")[-1]["run"]["id"])
    first = page.ask({"type": "detail", "node": 0, "index": -1})
    assert "return 1" in first["code"]
    assert first["doc"] == "Gives one."
    assert first["outputs"] == [{"name": "result", "repr": "1"}]
    second = page.ask({"type": "detail", "node": 1, "index": -1})
    assert "ValueError: no two" in second["traceback"]


def test_a_flow_that_runs_inside_of_a_task_has_no_picture_of_its_own(page: OpenPage) -> None:
    page.run(
        "define",
        "from notebook_flows import Flow, task\n"
        "@task\ndef inner(): return 1\nwith Flow('inside') as inside: inner()\n"
        "@task\ndef outer(): return inside.run().is_successful()\nwith Flow('outside') as outside: outer()",
    )

    page.run("go", "outside.run()")

    assert [told[0]["name"] for told in page.told.values()] == ["outside"]


def test_details_of_a_cell_are_told(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")

    clean = page.ask({"type": "detail", "node": 1, "index": -1})
    load = page.ask({"type": "detail", "node": 0, "index": -1})
    report = page.ask({"type": "detail", "node": 2, "index": -1})

    assert clean["code"].startswith("%%task clean")
    assert clean["inputs"] == [{"name": "rows", "repr": "[0, 1, 2, 3, 4]", "from": "load"}]
    assert clean["outputs"] == [{"name": "kept", "repr": "[1, 2, 3, 4]"}]
    assert clean["attempts"][0]["state"] == S.SUCCESS
    assert [one["from"] for one in clean["why"]] == ["load"]
    assert load["logs"] == ["five rows"]
    assert report["displays"] == [{"plain": "10"}]


def test_of_modules_functions_and_classes_no_values_are_told(page: OpenPage) -> None:
    page.run(
        "load-data", "%%task load\nimport math\ndef doubled(n): return 2 * n\nclass Kind: pass\nrows = [doubled(1)]"
    )
    page.run("report-data", "%%task report\ntotal = math.floor(doubled(rows[0]))")
    page.run("go", "%flow run --all")

    load = page.ask({"type": "detail", "node": 0, "index": -1})
    report = page.ask({"type": "detail", "node": 1, "index": -1})

    assert load["outputs"] == [{"name": "rows", "repr": "[2]"}, {"name": "Kind"}, {"name": "doubled"}]
    assert report["inputs"] == [{"name": "rows", "repr": "[2]", "from": "load"}, {"name": "doubled"}]


def test_questions_that_make_no_sense_are_answered(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")

    odd = [
        page.ask({"type": "detail", "node": node, "index": index}) for node, index in ((99, -1), ("x", None), (0, 9))
    ]
    unknown = page.ask({"type": "action", "action": "explode"})
    no_task = page.ask({"type": "action", "action": "run_from", "node": 99})

    assert all(one["type"] == "detail" for one in odd)
    assert not unknown["ok"]
    assert not no_task["ok"]


def test_a_page_that_comes_later_is_told_everything(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")
    before = len(page.told[page.widget])

    page.say({"type": "ready"})

    page.wait(lambda: any(one["type"] == "snapshot" for one in page.told[page.widget][before:]))
    kinds = [one["type"] for one in page.told[page.widget][before:]]
    assert kinds == ["flow", "snapshot"]
    assert states(page.of("snapshot")[-1]) == [S.SUCCESS] * 3


def test_a_click_cancels_the_run_that_goes_on(page: OpenPage) -> None:
    task_cells(page)
    page.run("quick", "quick = True")
    page.run("slow", "%%task slow\nimport asyncio\nawait asyncio.sleep(0 if quick else 600)")
    page.run("quick", "quick = False")
    request = page.begin("go", "%flow run slow")
    page.wait(lambda: any(S.RUNNING in one["columns"]["state"] for one in page.of("snapshot") + page.of("events")))
    page.say({"type": "ready"})
    page.wait(lambda: any(one["can"].get("cancel") for one in page.of("can")))

    answer = page.ask({"type": "action", "action": "cancel"})

    page.wait(lambda: page.is_idle(request))
    assert answer["ok"]
    last = page.of("snapshot")[-1]
    assert states(last) == [*[S.SUCCESS] * 3, S.CANCELLED]
    assert last["message"] == "Cancelled by a click on its picture."  # nobody has pressed Ctrl-C
    assert "Stopped" in page.text("go")


def test_what_failed_is_run_again_by_a_click_below_the_same_cell(page: OpenPage) -> None:
    page.run("switch", "is_broken = True")
    page.run("load-data", "%%task load\nrows = [1, 2]")
    page.run("clean-data", "%%task clean\nif is_broken: raise ValueError('broken')\nkept = rows")
    page.run("go", "%flow run --all")
    first = page.widget
    assert "broken" in page.text("go")
    page.run("switch", "is_broken = False")

    answer = page.ask({"type": "action", "action": "retry_failed"})

    page.wait(
        lambda: page.widget != first and page.of("snapshot") and page.of("snapshot")[-1]["run_state"] == S.SUCCESS
    )
    page.wait(lambda: "✓" in page.text("go"))
    assert answer["ok"]
    assert [node["name"] for node in page.of("flow")[0]["nodes"]] == ["load", "clean"]
    assert page.of("snapshot")[-1]["run"]["bystanders"] == [0]
    assert states(page.of("snapshot")[-1]) == [S.SUCCESS] * 2
    assert "broken" not in page.text("go")
    assert page.value("kept") == "[1, 2]"


def test_a_retry_of_a_cell_that_was_mended_and_not_executed_says_that_the_old_text_runs(
    page: OpenPage, tmp_path: Path
) -> None:
    def mended() -> bool:
        return page.text("go").count("Edited and not executed since: 'clean'.") == 1

    page.run("open", "may_end.set()")
    page.run("clean-data", "%%task clean\nraise ValueError('old')")
    page.run("hold-data", "%%task hold\nmay_end.wait(60)")
    page.run("close", "may_end.clear()")
    saved = tmp_path / "mended.ipynb"
    cell = nbformat.v4.new_code_cell("%%task clean\nkept = 1", id="clean-data")
    page.run("path", f"__session__ = {str(saved)!r}")
    page.run("go", "%flow run --all --background")
    page.wait(lambda: any(S.FAILED in one["columns"]["state"] for one in page.of("snapshot") + page.of("events")))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), saved)

    during = page.ask({"type": "action", "action": "retry_failed"})
    page.wait(mended)
    page.run("release", "may_end.set()")
    page.wait(lambda: page.of("snapshot")[-1]["run_state"] == S.FAILED)
    first = page.widget
    after = page.ask({"type": "action", "action": "retry_failed"})
    page.wait(lambda: page.widget != first and mended())

    assert during["ok"]
    assert after["ok"]


def test_clicks_while_a_run_goes_on_come_after_it_one_by_one(page: OpenPage) -> None:
    page.run("count", "runs = []\nmay_end.set()")
    page.run("load-data", "%%task load\nrows = [1, 2]\nruns.append(('load', len(runs)))")
    page.run("clean-data", "%%task clean\nkept = rows\nmay_end.wait(60)\nruns.append(('clean', len(runs)))")
    page.run("hold", "runs.clear(); may_end.clear()")
    page.run("go", "%flow run --all --background")
    page.wait(lambda: page.of("flow") != [])
    first = page.widget

    answers = [
        page.ask({"type": "action", "action": "run_only", "node": 1}, widget=first),
        page.ask({"type": "action", "action": "run_from", "node": 0}, widget=first),
        page.ask({"type": "action", "action": "run_only", "node": 1}, widget=first),
    ]
    page.run("release", "may_end.set()")
    page.wait(
        lambda: len(page.told) == 3 and bool(page.of("snapshot")) and page.of("snapshot")[-1]["run_state"] == S.SUCCESS
    )

    assert [one["ok"] for one in answers] == [True, True, True]
    assert "when the run" in answers[0]["message"]
    assert "asked for already" in answers[2]["message"]
    page.wait(lambda: page.value("len(runs)") == "5")
    names = page.value("[name for name, _ in runs]")
    assert names == "['load', 'clean', 'clean', 'load', 'clean']"


def test_nothing_of_a_run_is_in_the_state_that_notebooks_save(page: OpenPage) -> None:
    page.run("define", "from notebook_flows import Flow, task\n@task\ndef a_very_telling_name(x): return x")
    page.run("many", "with Flow('a flow of many') as flow:\n    for n in range(300): a_very_telling_name(n)")

    page.run("go", "flow.run()")

    assert page.of("snapshot")[-1]["run_state"] == S.SUCCESS
    saved = json.dumps(page.states[page.widget])
    assert len(saved) < SHORT_STATE
    assert "telling" not in saved
    updates = [
        one for one in page.raw if one["msg_type"] == "comm_msg" and one["content"]["data"].get("method") == "update"
    ]
    assert updates == []


def test_flow_show_tells_how_the_cells_stand_and_shows_the_runs_that_follow(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")
    page.run("clean-data", "%%task clean\nkept = rows[2:]\n")

    page.run("look", "%flow show")
    shown = page.widget
    before = page.of("snapshot", shown)[-1]
    page.run("again", "%flow run")

    assert [one["task"] for one in page.of("flow", shown)[0]["stale"]] == [2]
    assert page.of("stale", shown)[-1]["stale"] == []
    assert dict(zip(before["columns"]["node"], states(before), strict=True)) == {0: S.SUCCESS, 1: S.SUCCESS}
    after = page.of("snapshot", shown)[-1]
    assert dict(zip(after["columns"]["node"], states(after), strict=True)) == dict.fromkeys(range(3), S.SUCCESS)
    assert after["run"]["id"] == page.of("snapshot")[-1]["run"]["id"]
    assert page.widget != shown
    page.wait(lambda: "3 success" in page.shown["look"][1]["data"]["text/plain"])
    assert page.shown["look"][1]["data"]["image/svg+xml"].count("✓ success") == 3


def test_tags_of_task_cells_and_of_tasks_are_told_with_the_flow(page: OpenPage) -> None:
    page.run("load-data", "%%task load --tags raw,daily\nrows = [1]")
    page.run("clean-data", "%%task clean --tags raw\nkept = rows")
    page.run("plot-data", "%%task plot\nshown = kept")

    page.run("go", "%flow run --all")
    cells = page.of("flow")[-1]
    page.run(
        "define",
        "from notebook_flows import Flow, task\n@task(tags={'raw'})\ndef one(): return 1\nwith Flow('tagged') as flow: one()",
    )
    page.run("look", "flow.visualize()")

    by_tag = {one["name"]: one["tasks"] for one in cells["groups"] if one["kind"] == "tag"}
    assert by_tag == {"raw": [0, 1], "daily": [0]}
    assert [node.get("tags") for node in cells["nodes"]] == [["daily", "raw"], ["raw"], None]
    assert page.of("flow")[-1]["groups"] == [{"name": "raw", "kind": "tag", "tasks": [0]}]


def test_at_the_end_of_a_run_a_page_hears_what_is_stale_then_whenever_it_comes(page: OpenPage) -> None:
    task_cells(page)
    page.run("clean-data", "%%task clean\nkept = rows[2:]\n")

    page.run("go", "%flow run")
    page.say({"type": "ready"})
    page.run("quiet", "pass")

    assert page.of("stale")[-1]["stale"] == []
    assert page.of("flow")[-1]["stale"] == []


def test_a_picture_of_a_flow_shows_the_runs_that_follow(page: OpenPage) -> None:
    page.run(
        "define",
        "from notebook_flows import Flow, task\n@task\ndef one(): return 1\nwith Flow('seen') as flow: one()",
    )

    page.run("look", "flow.visualize()")
    shown = page.widget
    nothing_yet = page.of("snapshot", shown)
    page.run("go", "flow.run()")

    assert page.of("flow", shown)[0]["svg"].startswith("<svg")
    assert nothing_yet == []
    assert states(page.of("snapshot", shown)[-1]) == [S.SUCCESS]
    page.wait(lambda: "1 success" in page.shown["look"][1]["data"]["text/plain"])
    assert "✓ success" in page.shown["look"][1]["data"]["image/svg+xml"]


def test_pictures_do_not_keep_flows(page: OpenPage) -> None:
    page.run(
        "define",
        "from notebook_flows import Flow, task\nimport gc, weakref\n@task\ndef one(x): return x\n"
        "with Flow('large') as flow: one(b'x' * 1_000_000)",
    )
    page.run(
        "look",
        "from IPython.display import display\ndisplay(flow.visualize())\nstate = flow.run()\nknown = weakref.ref(flow)",
    )

    page.run("drop", "del flow, state\ngc.collect()")

    assert page.value("known() is None") == "True"


def test_a_picture_that_is_asked_for_in_the_midst_of_a_run_follows_it(page: OpenPage) -> None:
    page.run("ready", "may_end.set()")
    task_cells(page, waits=True)
    page.run("hold", "may_end.clear()")
    page.run("go", "%flow run --all --background")
    page.wait(lambda: any(S.RUNNING in one["columns"]["state"] for one in page.of("snapshot") + page.of("events")))

    page.run("look", "%flow show")
    shown = page.widget
    page.wait(lambda: any(S.RUNNING in one["columns"]["state"] for one in page.of("snapshot") + page.of("events")))
    page.run("release", "may_end.set()")
    page.wait(lambda: bool(page.of("snapshot", shown)) and page.of("snapshot", shown)[-1]["run_state"] == S.SUCCESS)

    assert states(page.of("snapshot", shown)[-1]) == [S.SUCCESS] * 3


def test_a_run_of_some_tasks_knows_how_long_all_take_and_what_is_stale_after_it(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")
    page.run("load-data", "%%task load\nrows = list(range(7))")

    page.run("go", "%flow run --only clean")

    names = [node["name"] for node in page.of("flow")[-1]["nodes"]]
    assert names == ["load", "clean", "report"]
    assert sorted(page.of("flow")[-1]["estimate"]) == ["0", "1", "2"]
    assert [one["task"] for one in page.of("stale")[-1]["stale"]] == [2]
    last = page.of("snapshot")[-1]
    assert last["run"]["bystanders"] == [0, 2]
    assert dict(zip(last["columns"]["node"], states(last), strict=True)) == {0: S.SUCCESS, 1: S.SUCCESS}
    assert last["columns"]["started_us"][0] is None


def test_flow_show_knows_the_times_of_the_last_run(page: OpenPage) -> None:
    task_cells(page)
    page.run("go", "%flow run --all")
    of_run = page.of("snapshot")[-1]["columns"]
    page.run("report-data", "%%task report\ntotal = max(kept)\ntotal")

    page.run("look", "%flow show")
    load = page.ask({"type": "detail", "node": 0, "index": -1})

    columns = page.of("snapshot")[-1]["columns"]
    assert columns["started_us"][:2] == of_run["started_us"][:2]
    assert columns["ended_us"][:2] == of_run["ended_us"][:2]
    assert load["attempts"][0]["started_us"] == of_run["started_us"][0]
