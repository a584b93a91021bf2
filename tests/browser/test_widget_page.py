"""The live picture in Chromium, with a kernel that the test plays: looks, mouse, keyboard, hostile names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from widgetpage import WidgetPage, events, flow_message, flow_of, pending, snapshot

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.theme import look_of
from notebook_flows.widget.marked import marked

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = "<img src=x onerror=alert(1)>"
WEATHER = {
    "download": [], "stations": [], "clean": ["download"], "join": ["clean", "stations"],
    "model": ["join"], "plot": ["join"], "report": ["model", "plot"], EVIL: ["plot"],
}  # fmt: skip


@pytest.fixture
def picture(page: Page) -> WidgetPage:
    """The picture of a flow in which nothing has begun."""
    shown = WidgetPage(page)
    shown.tell(flow_message(flow_of(WEATHER)), snapshot(pending(len(WEATHER))))
    return shown


def box(shown: WidgetPage, name: str) -> dict[str, float]:
    found = shown.node(name).bounding_box()
    assert found is not None
    return dict(found)


def centre(shown: WidgetPage, name: str) -> tuple[int, int]:
    """Without its border, which is wider in some states."""
    found = box(shown, name)
    return round(found["x"] + found["width"] / 2), round(found["y"] + found["height"] / 2)


def hex_of(colour: str) -> str:
    return "#" + "".join(f"{int(one):02X}" for one in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_state_has_its_colour_glyph_and_word_in_both_themes(page: Page, dark: bool) -> None:
    shown = WidgetPage(page, dark=dark)
    flow = flow_of({state.name: [] for state in S})

    shown.tell(flow_message(flow), snapshot([(number, UNMAPPED, state, None, None) for number, state in enumerate(S)]))

    for state in S:
        node, facts, look = shown.node(state.name), facts_of(state), look_of(state)
        shape = node.locator(".shape")
        assert node.locator("text.state").text_content() == f"{facts.glyph} {facts.word}"
        assert hex_of(shape.evaluate("shape => getComputedStyle(shape).fill")) == look.fill
        assert hex_of(shape.evaluate("shape => getComputedStyle(shape).stroke")) == look.border
        assert hex_of(node.locator(".name").evaluate("text => getComputedStyle(text).fill")) == look.ink


@pytest.mark.parametrize(
    ("page_colour", "text_colour"),
    [
        ("--vscode-editor-background", "--vscode-foreground"),
        ("--colab-primary-surface-color", "--colab-primary-text-color"),
        ("--jp-layout-color0", "--jp-ui-font-color1"),
    ],
    ids=["VS Code", "Colab", "JupyterLab"],
)
def test_a_view_has_the_colours_of_the_page_around_it(picture: WidgetPage, page_colour: str, text_colour: str) -> None:
    view = picture.page.locator(".nbflow-view")
    colours = "view => [getComputedStyle(view).backgroundColor, getComputedStyle(view).color]"
    before = view.evaluate(colours)

    picture.page.evaluate(f"() => {{ document.body.style = '{page_colour}: #1e1e1e; {text_colour}: #cccccc'; }}")

    assert view.evaluate(colours) == ["rgb(30, 30, 30)", "rgb(204, 204, 204)"] != before


def test_a_node_changes_and_does_not_move(picture: WidgetPage) -> None:
    before = centre(picture, "clean")

    picture.tell(events([(0, S.RUNNING), (2, S.RUNNING)], batch=2, seq=2))
    picture.tell(events([(0, S.SUCCESS), (2, S.FAILED)], batch=3, seq=4, at_s=3))

    picture.page.locator("g.node.state-failed").wait_for()
    assert picture.node("download").locator("text.state").text_content() == "✓ success 2.0 s"
    assert picture.node("clean").locator("text.state").text_content() == "✗ failed 2.0 s"
    assert centre(picture, "clean") == before


def test_names_and_texts_that_are_html_run_nothing_and_ask_for_nothing(picture: WidgetPage) -> None:
    picture.node(EVIL).click()
    request = picture.sent("detail")[-1]["request"]
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script><image href='http://x.test/a'/></svg>"
    texts = dict.fromkeys(("code", "doc", "message", "traceback"), EVIL)
    answer: dict[str, Any] = {"type": "detail", "request": request, "node": 7, "logs": [EVIL], **texts}
    picture.tell({**answer, "displays": [{"svg": svg}, {"text": EVIL}, {"png": 'x" onerror="alert(1)'}]})

    for tab in ("Timeline", "Table", "Graph"):
        picture.page.get_by_role("tab", name=tab).click()
    picture.page.locator(".nbflow-drawer img").wait_for()

    assert EVIL in picture.drawer().inner_text()
    assert picture.page.locator(".nbflow-view img").count() == 1  # the rich output, in which no script runs
    assert picture.heard == []


def test_the_picture_can_be_walked_through_by_keyboard_alone(picture: WidgetPage) -> None:
    keyboard = picture.page.keyboard

    def focused() -> str:
        return str(picture.page.evaluate("() => document.activeElement.getAttribute('aria-label')"))

    picture.page.get_by_role("searchbox").focus()
    keyboard.press("Tab")  # zoom out
    while not focused().startswith("download"):
        assert picture.page.evaluate("() => document.activeElement !== document.body")
        keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        keyboard.press(key)
    below = focused()
    keyboard.press("Enter")
    heading = picture.drawer().locator("h3").inner_text()
    keyboard.press("Escape")

    assert below in {"model, pending", "plot, pending"}
    assert below.startswith(heading)
    assert picture.drawer().is_hidden()
    assert focused() == below


def test_the_wheel_scrolls_the_page_and_zooms_with_ctrl_only(picture: WidgetPage) -> None:
    before = box(picture, "join")
    picture.page.mouse.move(before["x"] + 5, before["y"] + 5)

    picture.page.mouse.wheel(0, -240)
    still = box(picture, "join")
    picture.page.keyboard.down("Control")
    picture.page.mouse.wheel(0, -240)
    picture.page.keyboard.up("Control")
    picture.page.wait_for_function(
        "width => document.querySelector('g.node').getBoundingClientRect().width > width * 1.5",
        arg=box(picture, "download")["width"] / 2.3,
    )
    zoomed = box(picture, "join")

    assert still == before
    assert zoomed["width"] > before["width"] * 1.5
    assert abs(zoomed["x"] + 5 - before["x"]) < 12  # the place below the mouse stays there


def test_dragging_moves_the_picture_and_opens_nothing(picture: WidgetPage) -> None:
    before = box(picture, "join")
    mouse = picture.page.mouse
    mouse.move(before["x"] + 10, before["y"] + 10)

    mouse.down()
    mouse.move(before["x"] + 60, before["y"] + 30, steps=4)
    mouse.up()

    after = box(picture, "join")
    assert (round(after["x"] - before["x"]), round(after["y"] - before["y"])) == (50, 20)
    assert picture.drawer().is_hidden()


def test_hovering_tells_name_state_duration_and_attempt(picture: WidgetPage) -> None:
    more = {"stale": [{"task": 2, "why": "its code has changed"}]}
    rows = [(2, UNMAPPED, S.FAILED, 1.0, 4.5), *[row for row in pending(len(WEATHER)) if row[0] != 2]]
    told = snapshot(rows, batch=2)
    told["columns"]["attempt"][0] = 3
    picture.tell(flow_message(flow_of(WEATHER), **more), told)

    picture.node("clean").hover()

    tooltip = picture.page.get_by_role("tooltip").inner_text()
    assert tooltip.split("\n") == ["clean", "failed, 3.5 s, attempt 3", "stale: its code has changed"]


def test_a_search_brings_its_match_into_view(page: Page) -> None:
    shown = WidgetPage(page)
    names = [f"step {number}" for number in range(120)]
    flow = flow_of({name: names[number - 1 : number] for number, name in enumerate(names)})
    shown.tell(flow_message(flow), snapshot(pending(len(names))))
    for _ in range(12):
        page.get_by_role("button", name="Zoom in").click()

    page.get_by_role("searchbox").fill("STEP 119")
    page.keyboard.press("Enter")

    frame, node = page.locator(".nbflow-frame").bounding_box(), box(shown, "step 119")
    assert frame is not None
    assert frame["y"] <= node["y"]
    assert node["y"] + node["height"] <= frame["y"] + frame["height"]
    assert page.locator(".nbflow-found").inner_text() == "1 of 1"


def test_a_new_view_of_the_same_model_stands_as_the_old_one(picture: WidgetPage) -> None:
    picture.page.get_by_role("button", name="Zoom in").click()
    picture.node("join").click()
    before = box(picture, "join")

    picture.show_again()

    assert picture.drawer().locator("h3").inner_text() == "join"
    assert box(picture, "join") == before
    picture.tell(events([(0, S.RUNNING)], batch=2, seq=2))
    picture.page.locator("g.node.state-running").wait_for()


def test_two_pictures_of_one_flow_in_a_page_share_no_ids(picture: WidgetPage) -> None:
    ids = picture.page.evaluate("() => [...document.querySelectorAll('.nbflow-frame [id]')].map(one => one.id)")

    assert ids == []


def test_a_mapped_task_of_10_000_children_is_one_node_with_counts(page: Page) -> None:
    shown = WidgetPage(page)
    states = [S.SUCCESS] * 9_000 + [S.FAILED] * 3 + [S.PENDING] * 997
    told = snapshot(
        [(0, UNMAPPED, S.EXPANDED, 0.0, None)],
        width={0: 10_000},
        states={"0": "".join(chr(48 + state) for state in states)},
    )

    shown.tell(flow_message(flow_of({"score": []})), told)

    assert page.locator("g.node").count() == 1
    assert shown.node("score").locator("text.state").text_content() == "✗ 3\u2002· 997\u2002✓ 9000"
    assert page.locator(".nbflow-counts rect").count() == 3
    assert page.get_by_role("progressbar").get_attribute("aria-valuetext") == "9003 of 10000"


def test_a_narrow_page_shows_what_is_told_of_a_task_below_the_picture(picture: WidgetPage) -> None:
    picture.page.set_viewport_size({"width": 480, "height": 900})
    picture.node("join").click()

    frame, drawer = picture.page.locator(".nbflow-frame").bounding_box(), picture.drawer().bounding_box()

    assert frame is not None
    assert drawer is not None
    assert drawer["y"] >= frame["y"] + frame["height"]
    assert picture.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


MARKDOWN = f"""# Bad rows

**2** of [these](https://example.org/rows), ![not loaded](https://example.org/a.png), {EVIL}

- one {EVIL}

|{EVIL}|n|
|-|-:|
|a long text that has to be broken into several lines beside a picture|1|
|{"x" * 400}|1|

```
{"y" * 400}
```
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_markdown_is_shown_as_such_fits_beside_the_picture_and_loads_and_runs_nothing(page: Page, dark: bool) -> None:
    shown = WidgetPage(page, dark=dark)
    shown.tell(flow_message(flow_of(WEATHER)), snapshot(pending(len(WEATHER))))
    shown.node("join").click()
    tree = marked(MARKDOWN)
    told = {"displays": [{"marked": tree}], "artifacts": [{"key": "text", "kind": "markdown", "marked": tree}]}
    request = shown.sent("detail")[-1]["request"]

    shown.tell({"type": "detail", "request": request, "node": 3, **told})

    texts = shown.drawer().locator(".nbflow-marked").all()
    assert len(texts) == 2
    for text in texts:
        for kind, count in {"h4": 1, "strong": 1, "li": 1, "tr": 3, "td": 4, "pre": 1, "a": 2, "img": 0}.items():
            assert text.locator(kind).count() == count, kind
        assert (text.text_content() or "").count(EVIL) == 3
        link = text.get_by_role("link", name="these")
        assert link.get_attribute("title") == link.get_attribute("href") == "https://example.org/rows"
    assert shown.drawer().evaluate("drawer => drawer.scrollWidth <= drawer.clientWidth")
    background = shown.drawer().evaluate("drawer => getComputedStyle(drawer).backgroundColor")
    for one in ("h4", "td", "li"):
        ink = shown.drawer().locator(f".nbflow-marked {one}").first.evaluate("one => getComputedStyle(one).color")
        assert contrast(ink, background) > 4.5
    assert shown.heard == []


def contrast(ink: str, background: str) -> float:
    """By WCAG 2; both as ``rgb(r, g, b)``."""
    upper, lower = sorted((luminance(ink), luminance(background)), reverse=True)
    return (upper + 0.05) / (lower + 0.05)


def luminance(colour: str) -> float:
    parts = [int(one) / 255 for one in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_frame_that_was_made_taller_stays_so_in_a_new_view(picture: WidgetPage) -> None:
    frame = picture.page.locator(".nbflow-frame")
    found, line = frame.bounding_box(), picture.page.get_by_role("separator", name="Height").bounding_box()
    assert found is not None
    assert line is not None
    mouse = picture.page.mouse
    mouse.move(line["x"] + line["width"] / 2, line["y"] + 4)

    mouse.down()
    mouse.move(line["x"] + 5, line["y"] + 124, steps=4)
    mouse.up()
    mouse.move(line["x"] + 5, line["y"] + 300)
    picture.show_again()

    again = frame.bounding_box()
    assert again is not None
    assert round(again["height"] - found["height"]) == 120


def test_what_is_told_of_a_task_is_as_high_as_the_picture_beside_it(picture: WidgetPage) -> None:
    picture.node("join").click()
    request = picture.sent("detail")[-1]["request"]
    lines = [f"line {n}" for n in range(200)]
    picture.tell({"type": "detail", "request": request, "node": 3, "logs": lines, "traceback": "\n".join(lines)})

    frame, drawer = picture.page.locator(".nbflow-frame").bounding_box(), picture.drawer().bounding_box()

    assert frame is not None
    assert drawer is not None
    assert (frame["y"], frame["height"]) == (drawer["y"], drawer["height"])
    assert picture.drawer().evaluate("drawer => drawer.scrollHeight > drawer.clientHeight")


def test_a_picture_that_was_made_while_it_was_hidden_fits_when_it_is_shown(page: Page) -> None:
    shown = WidgetPage(page)
    page.evaluate("() => { document.getElementById('here').style.display = 'none'; }")
    names = [f"a rather long name of a task {number}" for number in range(12)]
    flow = flow_of({names[0]: [], **{name: [names[0]] for name in names[1:]}})
    shown.tell(flow_message(flow), snapshot(pending(len(names))))

    page.evaluate("() => { document.getElementById('here').style.display = ''; }")
    page.wait_for_function(
        """() => { const frame = document.querySelector('.nbflow-frame').getBoundingClientRect();
            return [...document.querySelectorAll('g.node')].every(node => {
                const box = node.getBoundingClientRect();
                return box.left >= frame.left && box.right <= frame.right && box.bottom <= frame.bottom; }); }"""
    )

    frame = page.locator(".nbflow-frame").bounding_box()
    assert frame is not None
    assert frame["height"] < 300  # not as high as it would be at its natural width


def test_what_was_fitted_fits_again_when_a_task_is_told_of_beside_it(page: Page) -> None:
    shown = WidgetPage(page)
    names = [f"a rather long name of a task {number}" for number in range(6)]
    shown.tell(flow_message(flow_of({name: [] for name in names})), snapshot(pending(len(names))))

    shown.node(names[-1]).click()

    page.wait_for_function(
        """() => { const frame = document.querySelector('.nbflow-frame').getBoundingClientRect();
            return [...document.querySelectorAll('g.node')].every(
                node => node.getBoundingClientRect().right <= frame.right); }"""
    )
    assert shown.drawer().is_visible()
