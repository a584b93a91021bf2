"""How fluently the live picture is drawn while tasks change: frames a second in Chromium without a graphics card.

``python benchmarks/live/frames.py [--seconds 6] [--changes 1000] [--busy 2]``; the kernel is played by this process. The
messages come 17 times a second, as a kernel sends them. ``--busy`` keeps so many cores from the browser meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "browser"))

from browsing import chromium_path, launched
from widgetpage import WidgetPage, flow_message, flow_of, pending, snapshot

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

WIDE = 25
"""Tasks beside one another."""

COUNTING = """() => {
  window.frames_ = [];
  const count = now => { window.frames_.push(now); window.counting = requestAnimationFrame(count); };
  window.counting = requestAnimationFrame(count);
}"""
# tasks go from running to retrying and back: states of which none is the last, with other colours, borders and texts
DRIVING = """([size, seconds, changes, running, retrying, mapped]) => new Promise(done => {
  let batch = 1, seq = 1, at = 0, told = 0;
  const began = performance.now();
  const state = new Array(size).fill(retrying);
  const step = () => {
    const passed = (performance.now() - began) / 1000;
    const count = Math.floor(Math.min(passed, seconds) * changes) - told;
    told += count;
    const column = () => new Array(count);
    const rows = {seq: column(), at_us: column(), kind: column(), node: column(), index: column(), attempt: column(),
                  loop: column(), state: column()};
    for (let row = 0; row < count; row++) {
      const node = (at = (at + 7919) % size);
      state[node] = state[node] === running ? retrying : running;
      for (const [name, value] of Object.entries({seq: ++seq, at_us: Date.now() * 1000, kind: 'task',
                                                  node: mapped ? 0 : node, index: mapped ? node : -1,
                                                  attempt: 1, loop: 1, state: state[node]})) rows[name][row] = value;
    }
    window.tell([{type: 'events', batch: ++batch, now_us: Date.now() * 1000, columns: rows}]);
    if (passed < seconds) setTimeout(step, 1000 / 17);
    else { cancelAnimationFrame(window.counting); done(told); }
  };
  setTimeout(step, 0);
})"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A flow in the page.

    Attributes:
        size: how many tasks.
        groups: how many groups they are drawn in; 0: each by itself.
        zoom: how often "Zoom in" is pressed.
        drawer: whether a task is told of beside it.
        mapped: the tasks are children of one.
    """

    name: str
    size: int
    groups: int = 0
    zoom: int = 0
    drawer: bool = False
    mapped: bool = False


SCENES = (
    Scene(name="100 nodes", size=100),
    Scene(name="300 nodes", size=300),
    Scene(name="1,000 nodes", size=1_000),
    Scene(name="1,000 nodes, closer", size=1_000, zoom=6),
    Scene(name="1,000 nodes, a task told of", size=1_000, drawer=True),
    Scene(name="5,000 tasks in 25 groups", size=5_000, groups=25),
    Scene(name="10,000 children, listed", size=10_000, drawer=True, mapped=True),
)


def words(number: int) -> str:
    """A name without a number at its end: such would be drawn as one group."""
    return f"step {number} of a run"


def show(page: Page, scene: Scene) -> WidgetPage:
    """The scene, drawn; nothing has begun."""
    shown = WidgetPage(page)
    if scene.mapped:
        told = snapshot(
            [(0, -1, S.EXPANDED, 0.0, None)], width={0: scene.size}, states={"0": chr(48 + S.PENDING) * scene.size}
        )
        shown.tell(flow_message(flow_of({"score": []})), told)
        shown.node("score").click()
        return shown
    names = [words(number) for number in range(scene.size)]
    edges = {
        name: []
        if number < WIDE
        else [names[number - WIDE], names[number - WIDE - (number % WIDE) + (number + 1) % WIDE]]
        for number, name in enumerate(names)
    }
    more: dict[str, Any] = {}
    if scene.groups:
        each = scene.size // scene.groups
        parts = [list(range(first, first + each)) for first in range(0, scene.size, each)]
        more["groups"] = [
            {"name": f"part {at}", "kind": "heading", "tasks": tasks} for at, tasks in enumerate(parts, 1)
        ]
    shown.tell(flow_message(flow_of(edges), **more), snapshot(pending(scene.size)))
    page.locator("g.node").first.wait_for()
    for _ in range(scene.zoom):
        page.get_by_role("button", name="Zoom in").click()
    if scene.drawer:
        shown.node(names[3]).first.dispatch_event("click")
    return shown


def measured(page: Page, scene: Scene, *, seconds: float, changes: int) -> str:
    """A line about the scene while so many tasks change in each second."""
    shown = show(page, scene)
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    before = values(metrics.send("Performance.getMetrics"))
    page.evaluate(COUNTING)
    began = monotonic()
    page.evaluate(DRIVING, [scene.size, seconds, changes, int(S.RUNNING), int(S.RETRYING), scene.mapped])
    took = monotonic() - began
    after = values(metrics.send("Performance.getMetrics"))
    frames = page.evaluate("() => window.frames_")
    gaps = sorted(later - earlier for earlier, later in pairwise(frames))
    spent = {name: (after[f"{name}Duration"] - before[f"{name}Duration"]) / took for name in PARTS}
    if shown.heard:
        raise RuntimeError(f"The page has had errors: {shown.heard[:3]}")
    late = gaps[int(len(gaps) * 0.95)] if gaps else 0
    parts = ", ".join(f"{name} {share:.0%}" for name, share in spent.items())
    return (
        f"{scene.name:<28} {len(gaps) / (frames[-1] - frames[0]) * 1000:5.1f} /s  95 % within {late:4.0f} ms  {parts}"
    )


PARTS = ("Task", "Script", "Layout", "RecalcStyle")


def values(answer: dict[str, Any]) -> dict[str, float]:
    """The browser's counters by name."""
    return {one["name"]: one["value"] for one in answer["metrics"]}


def spin() -> None:
    """Keep a core busy."""
    while True:
        sum(range(1_000))


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """While this is open so many cores have other work."""
    spinning = [multiprocessing.Process(target=spin, daemon=True) for _ in range(cores)]
    for one in spinning:
        one.start()
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.join()


def main() -> None:
    """Measure all scenes, one after the other."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=6)
    asked.add_argument("--changes", type=int, default=1_000, help="a second")
    asked.add_argument("--busy", type=int, default=0, metavar="CORES")
    asked.add_argument("--scene", default="", help="only those with this in their name")
    told = asked.parse_args()
    chromium = chromium_path()
    if chromium is None:
        raise SystemExit("Chromium is not installed.")
    with launched(chromium) as browser, busy(told.busy):
        for scene in SCENES:
            if told.scene in scene.name:
                context = browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
                page = context.new_page()
                page.set_default_timeout(120_000)
                print(measured(page, scene, seconds=told.seconds, changes=told.changes), flush=True)
                context.close()


if __name__ == "__main__":
    main()
