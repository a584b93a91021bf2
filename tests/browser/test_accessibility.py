"""The live picture for people who use a keyboard, a screen reader, large letters, a narrow page, or who do not see all colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browsing import ROOT
from widgetpage import WidgetPage, events, flow_message, flow_of, pending, snapshot

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
LONG = "a task whose name is so long that nobody could want it, but somebody has written it " + "x" * 200
HEBREW = "\u05d8\u05e2\u05df \u05d0\u05ea \u05d4\u05e0\u05ea\u05d5\u05e0\u05d9\u05dd"
FLOW = {"download": [], HEBREW: [], LONG: ["download"], "join": [LONG, HEBREW], "report": ["join"]}
ROWS = [
    (0, UNMAPPED, S.SUCCESS, 0.0, 2.5),
    (1, UNMAPPED, S.FAILED, 0.0, 41.0),
    (2, UNMAPPED, S.RUNNING, 3.0, None),
    (3, UNMAPPED, S.UPSTREAM_FAILED, None, None),
    (4, UNMAPPED, S.PENDING, None, None),
]
DETAIL: dict[str, Any] = {
    "type": "detail",
    "node": 0,
    "code": "def download(): ...",
    "logs": [f"line {number}" for number in range(100)],
    "artifacts": [
        {"key": "rows", "table": {"columns": ["a", "b"], "rows": [[1, 2]] * 30}},
        {"key": "note", "kind": "markdown", "text": "# Bad\n**3** of 9"},
        {"key": "link", "href": "https://example.org"},
    ],
}


def shown(page: Page, *, dark: bool = False) -> WidgetPage:
    """A picture in the midst of a run, with a stale task."""
    made = WidgetPage(page, dark=dark)
    stale = [{"task": 0, "why": "its code has changed"}]
    made.tell(flow_message(flow_of(FLOW), stale=stale), snapshot(ROWS, attached=[[0, -1, "rows", None]]))
    return made


def tell_of(picture: WidgetPage, name: str) -> None:
    """Open what is told of a task."""
    picture.node(name).click()
    picture.tell({**DETAIL, "request": picture.sent("detail")[-1]["request"]})
    picture.drawer().locator(".nbflow-artifact").first.wait_for()


def focused(page: Page) -> str:
    """What a screen reader says of what has the focus."""
    script = "() => { const one = document.activeElement; return one.getAttribute('aria-label') ?? one.textContent; }"
    return str(page.evaluate(script))


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core comes with `npm ci` in labextension/")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", ["Graph", "Timeline", "Table"])
def test_axe_finds_nothing_to_complain_of(page: Page, tab: str, dark: bool) -> None:
    picture = shown(page, dark=dark)
    tell_of(picture, "download")
    page.get_by_role("tab", name=tab).click()
    page.evaluate(AXE.read_text() + "; 0")

    # glyphs of states are seen and not spoken
    found = page.evaluate(
        "() => axe.run('.nbflow-view', {rules: {'label-content-name-mismatch': {enabled: false}}})"
        ".then(told => told.violations.map(one => [one.id, one.nodes.map(node => node.html)]))"
    )

    assert found == []


def test_tab_goes_through_all_there_is_in_the_order_in_which_it_stands(page: Page) -> None:
    picture = shown(page)
    page.evaluate("() => document.activeElement.blur()")
    seen = []

    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(focused(page).split(",")[0])

    assert seen == [
        "Graph",
        "Search tasks by name",
        "Zoom out",
        "Zoom in",
        "Fit",
        "\u25a0 Cancel",
        "\u21bb Retry failed",
        "download",
        "Height",
    ]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert picture.drawer().is_visible()
    assert focused(page) == "Close"
    page.keyboard.press("Escape")
    assert picture.drawer().is_hidden()
    assert focused(page).startswith("download")


def test_the_focus_is_seen_on_a_node_and_on_a_button(page: Page) -> None:
    picture = shown(page)

    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    button = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    picture.node("download").focus()
    page.keyboard.press("ArrowDown")
    width = page.evaluate("() => getComputedStyle(document.activeElement.querySelector('.border')).strokeWidth")

    assert button == "solid"
    assert width == "3px"


def test_a_task_that_fails_is_told_to_those_who_listen(page: Page) -> None:
    picture = WidgetPage(page)
    picture.tell(flow_message(flow_of(FLOW)), snapshot(pending(len(FLOW))))
    region = page.locator("[aria-live=polite].nbflow-hidden")
    region.filter(has_text="weather running").wait_for(state="attached")

    picture.tell(events([(0, S.RUNNING), (0, S.FAILED)], batch=2, seq=2))

    region.filter(has_text="download failed").wait_for(state="attached")
    assert page.get_by_role("treeitem", name="download, failed").count() == 1


@pytest.mark.parametrize("width", [300, 640])
def test_nothing_is_wider_than_a_narrow_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    picture = shown(page)
    tell_of(picture, "download")

    overflows = {}
    for tab in ("Graph", "Timeline", "Table"):
        page.get_by_role("tab", name=tab).click()
        overflows[tab] = page.evaluate(
            """() => {
                const view = document.querySelector('.nbflow-view').getBoundingClientRect();
                const out = [...document.querySelectorAll('.nbflow-view :is(button, .nbflow-chip, th, input)')]
                    .filter(one => one.getBoundingClientRect().width && !one.closest('.nbflow-artifact'))
                    .filter(one => one.getBoundingClientRect().right > view.right + 1);
                return [document.documentElement.scrollWidth > innerWidth, out.map(one => one.textContent)]; }"""
        )

    assert overflows == {tab: [False, []] for tab in ("Graph", "Timeline", "Table")}


def test_a_name_from_right_to_left_turns_nothing_around_it(page: Page) -> None:
    shown(page)
    page.get_by_role("tab", name="Table").click()

    row = page.locator("tbody tr", has_text=HEBREW)
    name = row.locator(".nbflow-link")

    assert name.evaluate("one => getComputedStyle(one).direction") == "ltr"
    assert name.bounding_box()["x"] < row.bounding_box()["x"] + 20  # it begins where the others do


def test_nothing_moves_by_itself_also_where_nobody_has_asked_for_that(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    shown(page)

    moving = page.evaluate("() => document.getAnimations().length")

    assert moving == 0


def test_states_keep_their_colours_where_the_system_has_its_own(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    picture = shown(page)

    fill = picture.node("download").locator(".shape").evaluate("shape => getComputedStyle(shape).fill")
    chip = page.locator(".nbflow-run-state .nbflow-chip").evaluate("chip => getComputedStyle(chip).backgroundColor")

    assert (fill, chip) == ("rgb(0, 114, 178)", "rgb(230, 159, 0)")
