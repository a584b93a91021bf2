"""What was chosen in a picture: checked as it comes from a page, and told to the picture of the run that a press begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows.core.lifecycle import S
from notebook_flows.widget import is_built
from notebook_flows.widget.viewstate import LONGEST, MOST, checked_view

if TYPE_CHECKING:
    from pages import OpenPage

needs_page = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)

VIEW: dict[str, Any] = {
    "tab": "timeline",
    "grouping": None,
    "opened": ["raw"],
    "position": {"x": -3.5, "y": 0.0, "scale": 1.25, "layout": "900-17"},
    "chosen": {"name": "clean", "task": 1, "index": -1},
    "query": "cl",
    "state_filter": int(S.FAILED),
    "sort": "seconds",
    "is_descending": True,
    "expanded": [{"name": "load", "task": 0}],
    "height": 480,
    "sections": ["Error", "Code"],
}


def test_what_a_page_says_is_taken_as_it_is() -> None:
    assert checked_view(json.loads(json.dumps(VIEW))) == VIEW


@pytest.mark.parametrize("told", [None, 7, "graph", [], ["tab"], {}, {"script": "evil()"}, {7: 7}])
def test_what_is_no_view_is_none(told: Any) -> None:
    assert checked_view(told) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tab", "code"),
        ("tab", ["table"]),
        ("grouping", 0),
        ("opened", "raw"),
        ("position", {"x": 1, "y": 1, "scale": 1}),
        ("position", {"x": float("nan"), "y": 1, "scale": 1, "layout": "1"}),
        ("position", {"x": 1, "y": float("inf"), "scale": 1, "layout": "1"}),
        ("position", {"x": 1, "y": 1, "scale": 0, "layout": "1"}),
        ("position", {"x": True, "y": 1, "scale": 1, "layout": "1"}),
        ("position", {"x": 10**400, "y": 1, "scale": 1, "layout": "1"}),
        ("chosen", {"name": "clean", "task": "1", "index": -1}),
        ("chosen", {"name": "clean", "task": -1, "index": -1}),
        ("chosen", {"name": "n" * (LONGEST + 1), "task": 1, "index": -1}),
        ("query", "q" * (LONGEST + 1)),
        ("query", {"toString": "evil()"}),
        ("state_filter", 1.5),
        ("sort", "__proto__"),
        ("is_descending", 1),
        ("expanded", {"name": "load", "task": 0}),
        ("height", 1),
        ("height", 10**9),
        ("height", True),
        ("height", "480px"),
    ],
)
def test_an_entry_that_makes_no_sense_is_left_out_and_the_others_stay(name: str, value: Any) -> None:
    assert checked_view({**VIEW, name: value}) == {key: one for key, one in VIEW.items() if key != name}


def test_lists_are_bounded_and_what_is_none_of_their_entries_is_left_out() -> None:
    told = checked_view({"opened": ["a", 7, "b" * (LONGEST + 1), *map(str, range(9_999))], "expanded": [{"name": "x"}]})

    assert told["opened"][:2] == ["a", "0"]
    assert len(told["opened"]) < MOST
    assert told["expanded"] == []


def test_whatever_is_said_it_stays_small() -> None:
    long = "\U0001f600" * LONGEST
    names = [long] * 1_000
    chosen = {"name": long, "task": 1, "index": 1, "more": names}
    told = {**VIEW, "opened": names, "sections": names, "query": long, "chosen": chosen, "expanded": [chosen] * 1_000}

    assert len(json.dumps(checked_view(told), ensure_ascii=False)) < 4 * MOST * LONGEST


# -- in a kernel -------------------------------------------------------------------------------------------------------


def task_cells(page: OpenPage) -> None:
    page.run("load-data", "%%task load\nrows = [1, 2]")
    page.run("clean-data", "%%task clean\nkept = rows\nmay_end.wait(60)")


def ended_after(page: OpenPage, first: str, count: int) -> bool:
    """Whether there are so many widgets, and the run of the newest has ended."""
    told = page.of("snapshot") if page.widget != first and len(page.told) == count else []
    return bool(told) and told[-1]["run_state"] == S.SUCCESS


@needs_page
def test_the_picture_of_a_run_that_a_press_begins_begins_as_the_one_stood_that_was_pressed(page: OpenPage) -> None:
    page.run("open", "may_end.set()")
    task_cells(page)
    page.run("go", "%flow run --all")
    first = page.widget

    answer = page.ask({"type": "action", "action": "run_from", "node": 1, "view": {**VIEW, "evil": "<script>"}})
    page.wait(lambda: ended_after(page, first, 2))

    assert answer["ok"]
    assert all("view" not in one for one in page.of("flow", first))
    assert [one["view"] for one in page.of("flow")] == [VIEW] * len(page.of("flow"))
    assert "timeline" not in json.dumps({**page.states[page.widget], "_esm": "", "_css": ""})


@needs_page
def test_a_page_that_is_loaded_again_and_a_later_run_that_nobody_has_pressed_for(page: OpenPage) -> None:
    page.run("open", "may_end.set()")
    task_cells(page)
    page.run("go", "%flow run --all")
    first = page.widget
    page.ask({"type": "action", "action": "run_only", "node": 1, "view": {"height": 480}})
    page.wait(lambda: ended_after(page, first, 2))
    pressed = page.widget
    told = len(page.of("flow", pressed))

    page.say({"type": "ready"}, widget=pressed)
    page.wait(lambda: len(page.of("flow", pressed)) > told)
    page.run("go", "%flow run --all")

    assert page.of("flow", pressed)[-1]["view"] == {"height": 480}
    assert all("view" not in one for one in page.of("flow"))


@needs_page
def test_what_failed_is_tried_again_in_a_picture_that_begins_as_the_one_before(page: OpenPage) -> None:
    page.run("switch", "is_broken = True\nmay_end.set()")
    page.run("clean-data", "%%task clean\nif is_broken: raise ValueError('broken')")
    page.run("go", "%flow run --all")
    first = page.widget
    page.run("switch", "is_broken = False")

    page.ask({"type": "action", "action": "retry_failed", "view": {"tab": "table"}})
    page.wait(lambda: ended_after(page, first, 2))

    assert page.of("flow")[0]["view"] == {"tab": "table"}


@needs_page
def test_runs_that_wait_for_one_that_goes_on_keep_what_was_chosen_when_they_were_asked_for(page: OpenPage) -> None:
    page.run("open", "may_end.set()")
    task_cells(page)
    page.run("close", "may_end.clear()")
    page.run("go", "%flow run --all --background")
    page.wait(lambda: page.of("flow") != [])
    first = page.widget

    page.ask({"type": "action", "action": "run_only", "node": 1, "view": {"height": 480}}, widget=first)
    page.ask({"type": "action", "action": "run_from", "node": 0, "view": {"height": 500}}, widget=first)
    page.run("release", "may_end.set()")
    page.wait(lambda: ended_after(page, first, 3))

    views = [page.of("flow", widget)[-1].get("view") for widget in page.told]
    assert views == [None, {"height": 480}, {"height": 500}]
