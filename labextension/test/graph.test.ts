// The picture of a flow: its colours, what comes into it, and what can be done in it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import { all, click, frame, press } from "./dom";
import { chain, events, type Row, snapshot } from "./fake";
import { button, channel, memory, NAMES, node, PENDING, page, pane, tab, tell } from "./viewed";

test("a node's colour, glyph and word change with its state, and nothing else is touched", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const before = node(2).outerHTML;

  tell(events(2, 2, [[0, S.RUNNING]]), events(3, 3, [[0, S.SUCCESS]]), events(4, 4, [[1, S.FAILED]]));

  assert.ok(node(0).classList.contains("state-success"));
  assert.match(node(0).querySelector("text.state")?.textContent ?? "", /^✓ success/);
  assert.ok(node(1).classList.contains("state-failed"));
  assert.equal(node(1).querySelector("text.state")?.textContent, "✗ failed");
  assert.equal(node(1).getAttribute("aria-label"), "clean, failed");
  assert.equal(node(2).outerHTML, before);
});

test("changes of one frame are drawn once", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const drawn: string[] = [];
  const observer = new MutationObserver((records) => drawn.push(...records.map(({ type }) => type)));
  observer.observe(node(0), { attributes: true, attributeFilter: ["class"] });

  channel.tell(events(2, 2, [[0, S.RUNNING]]), events(3, 3, [[0, S.RETRYING]]), events(4, 4, [[0, S.RUNNING]]));
  frame();

  assert.equal(observer.takeRecords().length, 1);
  assert.ok(node(0).classList.contains("state-running"));
});

test("of an SVG only shapes and texts come into the page", () => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9" onload="evil()">
    <script>evil()</script><style>* { display: none }</style><a xlink:href="javascript:evil()"><text>x</text></a>
    <foreignObject><b xmlns="http://www.w3.org/1999/xhtml">x</b></foreignObject><image href="http://x.test/"/>
    <use href="#a"/><animate attributeName="x"/>
    <g id="node-0" class="node task" onclick="evil()" style="x"><rect width="9" height="9" fill="url(http://x.test/)"/>
    <text class="name">a</text></g></svg>`;
  tell({ ...chain(["a"]), svg }, snapshot([[0, -1, S.PENDING]]));

  const picture = page.querySelector(".nbflow-frame > svg") as Element;
  assert.deepEqual(new Set(all(picture, "*").map((one) => one.localName)), new Set(["g", "rect", "text"]));
  const names = [picture, ...all(picture, "*")].flatMap((one) => [...one.attributes].map(({ name }) => name));
  assert.ok(!names.some((name) => name.startsWith("on") || name.includes("href") || name === "id"));
  assert.equal(picture.querySelector("rect")?.getAttribute("fill"), null);
});

test("what is no SVG is no picture, and the table is shown", () => {
  tell({ ...chain(["a", "b"]), svg: "<html><b>x" }, snapshot(PENDING.slice(0, 2)));
  tab("Table");

  assert.equal(all(pane(), "tbody tr th").length, 2);
});

test("arrows follow edges, Enter opens a task, Escape closes it and gives the focus back", () => {
  tell(chain(NAMES), snapshot(PENDING));
  (node(0) as HTMLElement).focus();

  press(node(0), "ArrowDown");
  assert.equal(document.activeElement, node(1));
  press(node(1), "ArrowDown");
  press(node(2), "ArrowUp");
  assert.equal(document.activeElement, node(1));
  assert.deepEqual(
    all(page, "g.node").map((one) => one.getAttribute("tabindex")),
    ["-1", "0", "-1"],
  );

  press(node(1), "Enter");
  const drawer = page.querySelector(".nbflow-drawer") as HTMLElement;
  assert.equal(drawer.hidden, false);
  assert.equal(drawer.querySelector("h3")?.textContent, "clean");
  assert.deepEqual(channel.sent.at(-1), { type: "detail", request: 1, node: 1, index: -1 });

  (drawer.querySelector("button") as HTMLElement).focus();
  press(drawer.querySelector("button") as Element, "Escape");
  assert.equal(drawer.hidden, true);
  assert.equal(document.activeElement, node(1));
});

test("searching marks what matches, and Enter goes from one to the next", () => {
  tell(chain(["load", "Château", "reload"]), snapshot(PENDING));
  const field = page.querySelector("input[type=search]") as HTMLInputElement;

  field.value = "LOAD";
  field.dispatchEvent(new Event("input"));
  assert.deepEqual(
    all(page, "g.node.is-match").map((one) => one.getAttribute("data-id")),
    ["node-0", "node-2"],
  );
  assert.ok(node(1).classList.contains("is-dim"));
  press(field, "Enter");
  press(field, "Enter");
  assert.ok(node(2).classList.contains("is-current"));
  assert.equal(page.querySelector(".nbflow-found")?.textContent, "2 of 2");

  field.value = "chateau";
  field.dispatchEvent(new Event("input"));
  assert.equal(page.querySelector(".nbflow-found")?.textContent, "1 found");
  assert.equal((page.querySelector(".nbflow-tooltip") as HTMLElement).hidden, true);
  press(field, "Escape");
  assert.equal(all(page, ".is-dim, .is-match, .is-current").length, 0);
});

test("groups are drawn as one node each, and can be opened and closed", () => {
  const names = ["load 1", "load 2", "clean", "plot"];
  const groups = [
    { name: "Loading", kind: "heading", tasks: [0, 1] },
    { name: "Looking", kind: "heading", tasks: [2, 3] },
  ];
  const rows: Row[] = names.map((_, task) => [task, -1, task ? S.PENDING : S.FAILED]);
  tell(chain(names, { groups }), snapshot(rows));
  const choice = page.querySelector("select[aria-label='Group tasks']") as HTMLSelectElement;
  const shown = (): (string | null)[] => all(page, "g.node text.name").map((one) => one.textContent);

  choice.value = "heading";
  choice.dispatchEvent(new Event("change"));
  assert.deepEqual(shown(), ["Loading (2)", "Looking (2)"]);
  assert.ok(page.querySelector("g.node.group")?.classList.contains("state-failed"));

  click(page.querySelector("g.node.group"));
  assert.deepEqual(shown(), ["load 1", "load 2", "Looking (2)"]);
  tell(events(2, 2, [[1, S.RUNNING]]));
  assert.ok(page.querySelector("g[data-id='task-1']")?.classList.contains("state-running"));

  click(button("Loading ×"));
  assert.deepEqual(shown(), ["Loading (2)", "Looking (2)"]);
});

test("a group of too many tasks stays closed, and says so", () => {
  const names = Array.from({ length: 900 }, (_, task) => (task < 700 ? "load" : `clean ${task}`));
  tell(chain(names, { svg: null }), snapshot([[0, -1, S.SUCCESS]]));
  const shown = (): (string | null)[] => all(page, "g.node text.name").map((one) => one.textContent);
  assert.deepEqual(shown(), ["load (700)", "clean (200)"]);

  click(page.querySelector("g.node.group"));

  assert.deepEqual(shown(), ["load (700)", "clean (200)"]);
  assert.equal(
    page.querySelector(".nbflow-opened")?.textContent,
    "\u2068load\u2069 has 700 tasks, too many to be drawn. The table lists them.",
  );
  assert.equal(document.activeElement?.getAttribute("data-id"), "group-0");

  click(all(page, "g.node.group")[1]);

  assert.equal(shown().length, 201);
  assert.equal(page.querySelector(".nbflow-opened")?.textContent, "clean ×");
});

test("tasks are grouped by tag, those of several tags once, and those of none by themselves", () => {
  const tags: Record<number, string[]> = { 0: ["daily", "raw"], 1: ["raw"], 2: ["raw"] };
  const groups = [
    { name: "daily", kind: "tag", tasks: [0] },
    { name: "raw", kind: "tag", tasks: [0, 1, 2] },
    { name: "Everything", kind: "heading", tasks: [0, 1, 2, 3] },
  ];
  const flow = chain(["a", "b", "c", "plot"], { groups });
  const nodes = flow.nodes.map((node) => ({ ...node, ...(tags[node.task] ? { tags: tags[node.task] } : {}) }));
  tell({ ...flow, nodes }, snapshot([[1, -1, S.RUNNING, 1]]));
  const choice = page.querySelector("select[aria-label='Group tasks']") as HTMLSelectElement;

  const choices = [...choice.options].map((option) => option.value);
  choice.value = "tag";
  choice.dispatchEvent(new Event("change"));

  assert.deepEqual(choices, ["", "tag"]); // one heading for all parts nothing
  assert.deepEqual(
    all(page, "g.node text.name").map((one) => one.textContent),
    ["a", "raw (2)", "plot"],
  );
  assert.ok(page.querySelector("g.node.group")?.classList.contains("state-running"));
});

test("a flow of 5,000 tasks without a picture begins with groups", () => {
  const names = Array.from({ length: 5_000 }, (_, task) => `step ${task % 20}_${task}`);
  const rows: Row[] = names.map((_, task) => [task, -1, S.PENDING]);

  tell({ ...chain(names), svg: null }, snapshot(rows));

  assert.equal(all(page, "g.node.group").length, 20);
  assert.equal(memory.grouping, "name");
});

test("stale tasks are told by a mark, a word and a reason", () => {
  tell(chain(NAMES, { stale: [{ task: 1, why: "its code has changed" }] }), snapshot(PENDING));

  assert.ok(node(1).querySelector(".nbflow-stale"));
  assert.equal(node(1).getAttribute("aria-label"), "clean, pending, stale");
  click(node(1));
  assert.match(page.querySelector(".nbflow-facts")?.textContent ?? "", /stale: its code has changed/);
});

test("what is told of a node that was searched for goes on to be true", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const field = page.querySelector("input[type=search]") as HTMLInputElement;
  field.value = "report";
  field.dispatchEvent(new Event("input"));
  press(field, "Enter");
  const before = page.querySelector(".nbflow-tooltip")?.textContent;

  tell(events(2, 2, [[2, S.NOT_RUN]]));

  assert.match(before ?? "", /pending/);
  assert.equal(page.querySelector(".nbflow-tooltip")?.textContent, "reportnot run");
});
