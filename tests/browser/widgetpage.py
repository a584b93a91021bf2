"""The live picture in a page without Jupyter: its bundle, a stand-in for the kernel, and the kernel's messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from browsing import ROOT

from notebook_flows import Flow, Task, task
from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import S
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.picture import Picture
from notebook_flows.views.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playwright.sync_api import Locator, Page, Route

STATIC = ROOT / "notebook_flows" / "widget" / "static"
SECOND_US = 1_000_000
BEGIN_US = 1_764_000_000 * SECOND_US
_ADDRESS = "http://live-picture.test/"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>live picture</title>
<link rel="stylesheet" href="widget.css">
<body data-jp-theme-light="{light}" style="{style};margin:0;padding:12px">
<div id="here"></div>
<script type="module">
import make from "./widget.js";
const hears = [];
const model = {{
  on: (name, hear) => {{ if (name === "msg:custom") hears.push(hear); }},
  send: (message) => {{ window.sent.push(message); }},
}};
window.sent = [];
window.tell = (messages) => {{ for (const one of messages) for (const hear of hears) hear(one); }};
const widget = make();
widget.initialize({{ model }});
window.show = () => {{
  window.gone?.();
  const el = document.createElement("div");
  document.getElementById("here").replaceChildren(el);
  window.gone = widget.render({{ model, el }});
}};
window.show();
window.isThere = true;
</script>"""
_LIGHT = "background:#fff;color:#000"
_DARK = (
    "background:#111;color:#eee;--jp-layout-color0:#111111;--jp-layout-color1:#212121;--jp-ui-font-color1:#fffffff0;"
    "--jp-ui-font-color2:#ffffffb3;--jp-border-color1:#616161;--jp-brand-color1:#42a5f5;color-scheme:dark"
)


class WidgetPage:
    """The live picture, with a kernel that the test plays."""

    def __init__(self, page: Page, *, dark: bool = False) -> None:
        self.page = page
        self.heard: list[str] = []
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("dialog", lambda dialog: self.heard.append(f"dialog: {dialog.message}"))
        html = _PAGE.format(light="false" if dark else "true", style=_DARK if dark else _LIGHT)

        def answer(route: Route) -> None:
            name = route.request.url.removeprefix(_ADDRESS)
            if name == "":
                route.fulfill(body=html, content_type="text/html")
            elif name in {"widget.js", "widget.css"}:
                route.fulfill(path=STATIC / name)
            else:
                self.heard.append(f"asked for {route.request.url}")
                route.abort()

        page.route("**/*", answer)
        page.goto(_ADDRESS)
        page.wait_for_function("() => window.isThere")

    def tell(self, *messages: Mapping[str, Any]) -> None:
        """The kernel's messages; returns after they are drawn."""
        text = json.dumps(messages)
        self.page.evaluate(
            "text => { window.tell(JSON.parse(text));"
            " return new Promise(done => requestAnimationFrame(() => setTimeout(done, 0))); }",
            text,
        )

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """What the kernel was sent of this kind."""
        return [one for one in self.page.evaluate("() => window.sent") if one["type"] == kind]

    def show_again(self) -> None:
        """What JupyterLab does when an output is updated: a new view of the same model."""
        self.page.evaluate("() => window.show()")

    def node(self, name: str) -> Locator:
        """A node of the picture, by what stands in it."""
        return self.page.locator("g.node").filter(has=self.page.locator(f"text.name:text-is('{name}')"))

    def drawer(self) -> Locator:
        """What is told of the chosen task."""
        return self.page.locator(".nbflow-drawer")


# -- the kernel's messages ---------------------------------------------------------------------------------------------


def flow_message(flow: Flow, **more: Any) -> dict[str, Any]:
    """What the kernel tells of a flow."""
    pending = {(number, UNMAPPED): Standing(S.PENDING) for number in range(len(flow.tasks))}
    diagram = diagram_of(flow)
    nodes = [
        {"id": node.id, "task": node.task, "name": node.name, "kind": node.kind, "mapped": node.kind == "mapped"}
        for node in diagram.nodes
    ]
    edges = [
        {"id": diagram.id_of(arrow), "from": diagram.nodes[arrow.start].task, "to": diagram.nodes[arrow.end].task}
        for arrow in diagram.arrows
    ]
    svg = None if len(nodes) > 1_000 else Picture(diagram, pending).layout
    can = {"cancel": True, "retry_failed": True, "run_from": True, "run_with_needs": True, "run_only": False}
    return {"type": "flow", "name": flow.name, "svg": svg, "nodes": nodes, "edges": edges, "can": can, **more}


def snapshot(
    rows: Sequence[tuple[int, int, S, float | None, float | None]],
    *,
    batch: int = 1,
    run_state: S = S.RUNNING,
    seq: int = 1,
    now_s: float = 60,
    width: Mapping[int, int] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Where a run stands.

    Args:
        rows: (task, index, state, began, ended), in seconds after the run began.
    """

    def us(seconds: float | None) -> int | None:
        return None if seconds is None else BEGIN_US + round(seconds * SECOND_US)

    return {
        "type": "snapshot",
        "batch": batch,
        "run": {"id": "run-1", "name": "calm-otter"},
        "seq": seq,
        "now_us": us(now_s),
        "run_state": int(run_state),
        "stopping": None,
        "message": None,
        "started_us": us(0),
        "width": {str(node): count for node, count in (width or {}).items()},
        "columns": {
            "node": [row[0] for row in rows],
            "index": [row[1] for row in rows],
            "state": [int(row[2]) for row in rows],
            "attempt": [0 if row[3] is None else 1 for row in rows],
            "loop": [1] * len(rows),
            "started_us": [us(row[3]) for row in rows],
            "ended_us": [us(row[4]) for row in rows],
        },
        **more,
    }


def events(first: Sequence[tuple[int, S]], *, batch: int, seq: int, at_s: float = 1) -> dict[str, Any]:
    """These tasks are now in these states."""
    count = len(first)
    return {
        "type": "events",
        "batch": batch,
        "now_us": BEGIN_US + round(at_s * SECOND_US),
        "columns": {
            "seq": list(range(seq, seq + count)),
            "at_us": [BEGIN_US + round(at_s * SECOND_US)] * count,
            "kind": ["task"] * count,
            "node": [node for node, _ in first],
            "index": [UNMAPPED] * count,
            "attempt": [1] * count,
            "loop": [1] * count,
            "state": [int(state) for _, state in first],
        },
    }


def named(name: str) -> Task:
    """A task that does nothing, under this name."""
    return task(lambda: None, name=name)


def flow_of(edges: Mapping[str, Sequence[str]], *, name: str = "weather") -> Flow:
    """A flow of tasks by their names: {task: those that it waits for}."""
    with Flow(name) as flow:
        made: dict[str, Task] = {}
        for one, above in edges.items():
            made[one] = named(one)
            flow.add_task(made[one])
            for upstream in above:
                made[one].set_upstream(made[upstream])
    return flow


def pending(count: int) -> list[tuple[int, int, S, float | None, float | None]]:
    """Rows of tasks of which none has begun."""
    return [(number, UNMAPPED, S.PENDING, None, None) for number in range(count)]
