import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { LiveFlow } from "../src/live";
import { S } from "../src/theme/states.generated";
import { freshMemory, type Memory } from "../src/view/context";
import { FlowView } from "../src/view/flowview";
import { all, click, frame, newPage, press } from "./dom";
import { chain, events, FakeChannel, type Row, snapshot } from "./fake";

let page: HTMLElement;
let channel: FakeChannel;
let live: LiveFlow;
let memory: Memory;
let view: FlowView;

beforeEach(() => {
  page = newPage();
  channel = new FakeChannel();
  live = new LiveFlow(channel);
  memory = freshMemory();
  view = new FlowView(page, live, memory);
});

afterEach(() => view.dispose());

function tell(...messages: unknown[]): void {
  channel.tell(...messages);
  frame();
}

function node(place: number): Element {
  return page.querySelector(`g[data-id="node-${place}"]`) as Element;
}

function pane(): HTMLElement {
  return all(page, ".nbflow-pane").find((one) => !one.hidden) as HTMLElement;
}

function tab(name: string): void {
  click(all(page, "[role=tab]").find((one) => one.textContent === name));
}

function button(text: string): HTMLElement {
  return all(page, "button").find((one) => one.textContent?.includes(text)) as HTMLElement;
}

const PENDING: Row[] = [
  [0, -1, S.PENDING],
  [1, -1, S.PENDING],
  [2, -1, S.PENDING],
];
const NAMES = ["load", "clean", "report"];

test("before the kernel has answered, that is said and no empty picture shown", () => {
  assert.match(page.textContent ?? "", /Waiting for the kernel/);
  assert.equal(page.querySelector(".has-flow"), null);
});

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

test("names that look like HTML are text everywhere", () => {
  const evil = `<img src=x onerror="window.evil=1"><script>window.evil=1</script>`;
  tell(chain([evil, "b"]), snapshot(PENDING.slice(0, 2)));
  click(node(0));
  tell({ type: "detail", request: 1, node: 0, code: evil, doc: evil, traceback: evil, logs: [evil], message: evil });
  for (const name of ["Timeline", "Table", "Graph"]) tab(name);

  assert.equal(all(page, "img, script, foreignObject, a, iframe").length, 0);
  assert.ok(page.textContent?.includes(evil));
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

test("plain keys are kept from JupyterLab, those with Ctrl are not", () => {
  tell(chain(NAMES), snapshot(PENDING));

  press(node(0), "x");
  assert.ok(node(0).hasAttribute("data-lm-suppress-shortcuts"));
  press(node(0), "s", { ctrlKey: true });
  assert.ok(!node(0).hasAttribute("data-lm-suppress-shortcuts"));
});

test("what the kernel tells of a task is shown, and asked for again when the task has changed", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  tell(chain(NAMES), snapshot(PENDING));
  click(node(1));
  tell({
    type: "detail",
    request: 1,
    node: 1,
    code: "y = clean(x)",
    logs: ["begun"],
    inputs: [{ name: "x", repr: "1" }],
  });
  return Promise.resolve().then(() => {
    const drawer = page.querySelector(".nbflow-drawer") as HTMLElement;
    const titles = all(drawer, "summary").map((one) => one.textContent);
    assert.deepEqual(titles, ["Logs", "Inputs", "Code"]);

    tell(events(2, 2, [[1, S.RUNNING]]));
    context.mock.timers.tick(2_000);

    assert.equal(channel.sent.filter(({ type }) => type === "detail").length, 2);
  });
});

test("while an answer is awaited nothing more is asked: a busy kernel would answer it all at its end", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  tell(chain(NAMES), snapshot(PENDING));
  click(node(1));

  for (const seq of [2, 3, 4, 5]) {
    tell(events(seq, seq, [[1, seq % 2 ? S.RETRYING : S.RUNNING]]));
    context.mock.timers.tick(3_000);
  }

  assert.equal(channel.sent.filter(({ type }) => type === "detail").length, 1);
  assert.match(page.querySelector(".nbflow-drawer")?.textContent ?? "", /The kernel is busy/);
});

test("a press asks the kernel, and its answer is told; what cannot be done tells why instead", async () => {
  tell(chain(NAMES), snapshot(PENDING));
  click(node(1));

  click(button("Run from here"));
  assert.deepEqual(channel.sent.at(-1), { type: "action", request: 2, action: "run_from", node: 1 });
  tell({ type: "done", request: 2, ok: true, message: "begun" });
  await new Promise((done) => setImmediate(done));
  assert.match(page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent ?? "", /begun/);

  click(button("Run only this"));
  assert.equal(channel.sent.length, 2);
  assert.match(page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent ?? "", /use Interrupt/);
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
  press(field, "Escape");
  assert.equal(all(page, ".is-dim, .is-match").length, 0);
});

test("Shift and Enter goes to the last match first, in each tab", () => {
  tell(
    chain(["load", "clean", "reload"]),
    snapshot([0, 1, 2].map((task): Row => [task, -1, S.SUCCESS, task, task + 1])),
  );
  const field = page.querySelector("input[type=search]") as HTMLInputElement;
  field.value = "load";
  field.dispatchEvent(new Event("input"));

  const told = ["Graph", "Timeline", "Table"].map((name) => {
    tab(name);
    press(field, "Enter", { shiftKey: true });
    return page.querySelector(".nbflow-found")?.textContent;
  });

  assert.deepEqual(told, ["2 of 2", "2 of 2", "2 of 2"]);
});

test("Escape closes what is told of a task from wherever it is pressed, and the focus goes back", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const drawer = page.querySelector(".nbflow-drawer") as HTMLElement;
  tab("Table");
  const opener = pane().querySelector("tbody .nbflow-link") as HTMLElement;
  opener.focus();
  click(opener);

  press(opener, "Escape");
  assert.ok(drawer.hidden);

  click(opener);
  button("Run from here").focus();
  press(button("Run from here"), "Escape");
  assert.ok(drawer.hidden);
  assert.equal(document.activeElement, opener);
});

test("the line below makes a view taller by keys, and the next view is as high", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const height = (): number => Number.parseInt((page.querySelector(".nbflow-frame") as HTMLElement).style.height, 10);

  press(page.querySelector("[role=separator]") as Element, "ArrowDown");
  const chosen = height();
  view.dispose();
  view = new FlowView(page, live, memory);

  assert.equal(chosen, memory.height);
  assert.equal(height(), chosen);
});

test("a new view of the same run stands as the one before it", () => {
  tell(chain(NAMES), snapshot(PENDING));
  click(node(2));
  tab("Timeline");
  const field = page.querySelector("input[type=search]") as HTMLInputElement;
  field.value = "re";
  field.dispatchEvent(new Event("input"));
  view.dispose();

  view = new FlowView(page, live, memory);

  assert.equal(pane().dataset.tab, "timeline");
  assert.equal(page.querySelector(".nbflow-drawer h3")?.textContent, "report");
  assert.equal((page.querySelector("input[type=search]") as HTMLInputElement).value, "re");
});

test("children are one node with their counts and a bar, and a list beside it", () => {
  const rows: Row[] = [
    [0, -1, S.SUCCESS, 0, 1],
    [1, -1, S.EXPANDED, 1],
    [2, -1, S.PENDING],
  ];
  const letters = [S.SUCCESS, S.FAILED, S.RUNNING, S.PENDING].map((state) => String.fromCharCode(48 + state));
  const states = { 1: letters.map((letter) => letter.repeat(2_500)).join("") };
  tell(chain(NAMES), snapshot(rows, { width: { 1: 10_000 }, states }));

  assert.equal(all(page, "g.node").length, 3);
  assert.equal(node(1).querySelector("text.state")?.textContent, "✗ 2500\u2002▶ 2500\u2002…");
  assert.equal(all(node(1), ".nbflow-counts rect").length, 4);

  click(node(1));
  assert.ok(all(page, ".nbflow-children li").length <= 200);
  assert.match(page.querySelector(".nbflow-children li")?.textContent ?? "", /^\[2500\] ✗ failed/);
  click(all(page, ".nbflow-filter").find((one) => one.textContent?.includes("success")));
  assert.match(page.querySelector(".nbflow-children li")?.textContent ?? "", /^\[0\] ✓ success/);
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

test("a flow of 5,000 tasks without a picture begins with groups", () => {
  const names = Array.from({ length: 5_000 }, (_, task) => `step ${task % 20}_${task}`);
  const rows: Row[] = names.map((_, task) => [task, -1, S.PENDING]);

  tell({ ...chain(names), svg: null }, snapshot(rows));

  assert.equal(all(page, "g.node.group").length, 20);
  assert.equal(memory.grouping, "name");
});

test("the table sorts, filters and lists only what is seen", () => {
  const names = Array.from({ length: 2_000 }, (_, task) => `task ${task}`);
  const rows: Row[] = names.map((_, task) => [task, -1, task === 1_500 ? S.FAILED : S.SUCCESS, 0, task / 1_000]);
  tell(chain(names), snapshot(rows));
  tab("Table");
  const first = (): string => pane().querySelector("tbody .nbflow-link")?.textContent ?? "";

  assert.ok(all(pane(), "tbody tr").length < 100);
  assert.equal(pane().querySelector("table")?.getAttribute("aria-rowcount"), "2001");

  click(all(pane(), "thead button").find((one) => one.textContent === "Duration"));
  assert.equal(first(), "task 1999");
  click(all(pane(), "thead button").find((one) => one.textContent === "State"));
  assert.equal(first(), "task 1500");

  const filter = pane().querySelector("select") as HTMLSelectElement;
  filter.value = String(S.FAILED);
  filter.dispatchEvent(new Event("change"));
  assert.equal(pane().querySelector("table")?.getAttribute("aria-rowcount"), "2");
});

test("the timeline marks the critical path in words too", () => {
  const rows: Row[] = [
    [0, -1, S.SUCCESS, 0, 4],
    [1, -1, S.SUCCESS, 4, 5],
    [2, -1, S.PENDING],
  ];
  tell(chain(NAMES), snapshot(rows));

  tab("Timeline");

  assert.match(pane().textContent ?? "", /Critical path, 2 tasks, 5\.0 s: \u2068load\u2069 → \u2068clean\u2069/);
  const [bar] = all(pane(), ".nbflow-row");
  assert.equal(bar?.getAttribute("aria-label"), "load, success, 4.0 s, began at 0 ms, on the critical path");
});

test("a row of the timeline that has the focus keeps it when children are numbered anew", () => {
  const running = events(2, 2, [
    [2, S.PENDING],
    [1, S.PENDING],
    [2, S.RUNNING],
    [1, S.RUNNING],
  ]);
  const columns = { ...running.columns, kind: ["expanded", "expanded", "task", "task"], index: [-1, -1, 0, 0] };
  tell(chain(NAMES), snapshot([]), { ...running, columns, data: { 0: { width: 1 }, 1: { width: 1 } } });
  tab("Timeline");
  const focused = (): string => document.activeElement?.getAttribute("aria-label")?.split(",")[0] ?? "";
  all(pane(), "button.nbflow-row")[0]?.focus();
  const before = focused();

  const rows: Row[] = [2, 1].flatMap((task): Row[] => [
    [task, -1, S.EXPANDED, 50],
    [task, 0, S.RUNNING, 50],
  ]);
  tell(snapshot(rows, { batch: 3, seq: 5, width: { 1: 1, 2: 1 } }));

  assert.deepEqual([before, focused()], ["report [0]", "report [0]"]);
});

test("screen readers are told of the run as a whole, once", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const announcer = page.querySelector("[aria-live=polite].nbflow-hidden");

  tell(events(2, 2, [[0, S.RUNNING]]), events(3, 3, [[0, S.SUCCESS]]));
  assert.equal(announcer?.textContent, "demo running");

  tell(
    snapshot(
      [
        [0, -1, S.SUCCESS, 0, 2],
        [1, -1, S.FAILED, 2, 4],
        [2, -1, S.UPSTREAM_FAILED],
      ],
      { batch: 4, run_state: S.FAILED },
    ),
  ); // prettier-ignore
  assert.equal(announcer?.textContent, "demo failed: 1 failed, 1 upstream failed, 1 success, in 4.0 s");
});

test("screen readers are told of tasks that fail, of many at once in one sentence", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const names = Array.from({ length: 8 }, (_, task) => `task ${task}`);
  tell(
    chain(names),
    snapshot(names.map((_, task): Row => [task, -1, task ? S.RUNNING : S.FAILED, 0, task ? null : 1])),
  );
  const told = (): string | null | undefined => page.querySelector("[aria-live=polite].nbflow-hidden")?.textContent;

  tell(events(2, 2, [[1, S.FAILED]]));
  assert.equal(told(), "task 1 failed");

  tell(events(3, 3, [[2, S.FAILED]]));
  tell(
    events(4, 4, [
      [3, S.TIMED_OUT],
      [4, S.FAILED],
      [5, S.FAILED],
      [6, S.UPSTREAM_FAILED],
    ]),
  );
  assert.equal(told(), "task 1 failed");
  context.mock.timers.tick(3_000);
  tell(events(5, 8, [[7, S.SUCCESS]]));
  assert.equal(told(), "task 2, task 3, task 4 and 1 other failed");
});

test("screen readers are told of a task that fails once others, or it itself, are tried again", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const told = (): string | null | undefined => page.querySelector("[aria-live=polite].nbflow-hidden")?.textContent;
  const tellLater = (...messages: unknown[]): void => {
    context.mock.timers.tick(3_000);
    tell(...messages);
  };
  const reopened = (batch: number, seq: number): unknown => {
    const one = events(batch, seq, [[0, S.PENDING]]);
    return { ...one, columns: { ...one.columns, kind: ["reopened"] } };
  };
  const failing = (task: number): [number, number][] => [
    [task, S.RUNNING],
    [task, S.FAILED],
  ];
  tell(chain(NAMES), snapshot(PENDING));
  const heard: unknown[] = [];

  tellLater(events(2, 2, failing(0)));
  heard.push(told());
  tellLater(reopened(3, 4));
  tellLater(events(4, 5, failing(1)));
  heard.push(told());
  tellLater(events(5, 7, failing(0)));
  heard.push(told());

  assert.deepEqual(heard, ["load failed", "clean failed", "load failed"]);
});

test("stale tasks are told by a mark, a word and a reason", () => {
  tell(chain(NAMES, { stale: [{ task: 1, why: "its code has changed" }] }), snapshot(PENDING));

  assert.ok(node(1).querySelector(".nbflow-stale"));
  assert.equal(node(1).getAttribute("aria-label"), "clean, pending, stale");
  click(node(1));
  assert.match(page.querySelector(".nbflow-facts")?.textContent ?? "", /stale: its code has changed/);
});

test("a kernel that gives the run up is told, and nothing can be pressed", () => {
  tell(chain(NAMES), snapshot(PENDING));

  tell({ type: "bye", reason: "The kernel was restarted." });

  assert.match(page.textContent ?? "", /The kernel was restarted\./);
  assert.equal(button("Cancel").getAttribute("aria-disabled"), "true");
});

test("what was asked of a kernel that is gone is told not to be done, and what it has told of a task stays", async () => {
  tell(chain(NAMES), snapshot(PENDING, { run_state: S.SUCCESS }));
  click(node(0));
  tell({ type: "detail", request: 1, node: 0, code: "x = 1" });
  await new Promise((resolve) => setImmediate(resolve));
  click(button("Run from here"));
  const asked = page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent;

  tell({ type: "bye", reason: "The kernel was restarted." });
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(asked, "asked…");
  assert.equal(page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent, "The kernel was restarted.");
  assert.match(page.querySelector(".nbflow-sections")?.textContent ?? "", /x = 1/);
});

test("what a task has attached is counted on it, and shown as text, tables and safe links", () => {
  tell(chain(NAMES), snapshot(PENDING, { attached: [[1, -1, "bad rows", "Bad <b>rows</b>"]] }));
  const links = ["https://example.org/a", "javascript:evil()"].map((href, place) => ({ key: `link ${place}`, href }));
  const table = { columns: ["a", "<i>"], rows: [[1, "<script>"]], more: 7 };

  click(node(1));
  tell({
    type: "detail",
    request: 1,
    node: 1,
    artifacts: [{ key: "bad rows", title: "Bad <b>rows</b>", table }, ...links],
  });

  assert.equal(node(1).querySelector(".nbflow-attached text")?.textContent, "1");
  assert.equal(node(1).getAttribute("aria-label"), "clean, pending, 1 artifact: Bad <b>rows</b>");
  return Promise.resolve().then(() => {
    const drawer = page.querySelector(".nbflow-drawer") as HTMLElement;
    assert.deepEqual(
      all(drawer, "td, th").map((one) => one.textContent),
      ["a", "<i>", "1", "<script>"],
    );
    assert.deepEqual(
      all(drawer, "a").map((one) => one.getAttribute("href")),
      ["https://example.org/a"],
    );
    assert.equal(all(drawer, "i, script, .nbflow-artifact b b").length, 0);
    assert.match(drawer.textContent ?? "", /7 more rows/);
  });
});

test("a text that was attached shows headings, bold and code as such, and all else as it is written", async () => {
  tell(chain(NAMES), snapshot(PENDING));
  const text = "# Bad <i>rows</i>\n\n**3** of `<b>9</b>`, [see](javascript:evil()) <img src=x onerror=evil()>";

  click(node(1));
  tell({ type: "detail", request: 1, node: 1, artifacts: [{ key: "note", kind: "markdown", text }] });
  await Promise.resolve();

  const shown = page.querySelector(".nbflow-artifact p") as HTMLElement;
  assert.equal(
    shown.innerHTML,
    "<b>Bad &lt;i&gt;rows&lt;/i&gt;</b>\n\n<b>3</b> of <code>&lt;b&gt;9&lt;/b&gt;</code>, [see](javascript:evil()) " +
      "&lt;img src=x onerror=evil()&gt;",
  );
});

test("what is told anew of a task leaves alone what says the same, and the focus where it was", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  tell(chain(NAMES), snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)]));
  const answer = async (logs: string[]): Promise<void> => {
    const request = channel.sent.filter((one) => one.type === "detail").length;
    tell({ type: "detail", request, node: 0, state: S.RUNNING, code: "x = 1", logs });
    await new Promise((done) => setImmediate(done));
  };
  const section = (title: string): HTMLElement => page.querySelector(`[data-section="${title}"]`) as HTMLElement;
  click(node(0));
  await answer(["one"]);
  const first = section("Code");
  section("Logs").querySelector("summary")?.focus();
  tell(events(2, 2, [[0, S.RETRYING]]));
  context.mock.timers.tick(2_000);
  await answer(["one", "two"]);

  assert.equal(section("Code"), first);
  assert.equal(section("Logs").querySelector("pre")?.textContent, "one\ntwo");
  assert.equal(document.activeElement, section("Logs").querySelector("summary"));
});

test("rows of children stay while they change, so that a press is not lost", () => {
  const rows: Row[] = [[0, -1, S.EXPANDED, 0], ...PENDING.slice(1)];
  tell(chain(NAMES), snapshot(rows, { width: { 0: 3 }, states: { 0: String.fromCharCode(48).repeat(3) } }));
  click(node(0));
  const before = [...all(page, ".nbflow-children li"), ...all(page, ".nbflow-filter")];

  const event = events(2, 2, [[0, S.RETRYING]]);
  tell({ ...event, columns: { ...event.columns, index: [1] } });
  const after = all(page, ".nbflow-children li");

  assert.deepEqual(after, before.slice(0, 3));
  assert.match(after[0]?.textContent ?? "", /^\[1\] ↻ retrying/);
  click(after[0]?.querySelector("button"));
  assert.equal(page.querySelector(".nbflow-drawer h3")?.textContent, "load [1]");
});

test("a message is an error only where something has failed", async () => {
  tell(chain(NAMES), snapshot(PENDING));
  const told = async (request: number, more: object): Promise<(string | null)[]> => {
    click(node(request - 1));
    tell({ type: "detail", request, node: request - 1, ...more });
    await Promise.resolve();
    return all(page, ".nbflow-sections > *").map((one) => one.textContent);
  };

  const cached = { run: "0123456789abcdef", saved_s: 41 };
  assert.deepEqual(await told(1, { state: S.CACHED, message: "From run 01234567, saved 41 s.", cached }), [
    "NoteFrom run 01234567, saved 41 s.",
  ]);
  assert.deepEqual(await told(2, { state: S.CACHED, cached }), ["Outputscached, from run 01234567, saved 41 s"]);
  assert.deepEqual(await told(3, { state: S.RETRYING, message: "ValueError", traceback: "line 1" }), [
    "ErrorValueErrorline 1",
  ]);
});

test("where no run goes on nothing is told of one: neither a state nor the time that is left", () => {
  const estimate = { 1: { median_s: 9 }, 2: { median_s: 9 } };
  const rows: Row[] = [[0, -1, S.SUCCESS], ...PENDING.slice(1)];

  tell(chain(NAMES, { estimate }), snapshot(rows, { run_state: S.PENDING, started_us: null }));
  assert.equal(page.querySelector(".nbflow-status")?.textContent, "2 pending, 1 success");

  tell(snapshot(rows, { batch: 2, run_state: S.SUCCESS, message: "All reference tasks succeeded." }));
  assert.doesNotMatch(page.querySelector(".nbflow-status")?.textContent ?? "", /reference/);
});

test("what was taken from an earlier run tells no duration: it took none", () => {
  const rows: Row[] = [
    [0, -1, S.CACHED, 1, 1],
    [1, -1, S.SKIPPED, 1, 1],
    [2, -1, S.SUCCESS, 1, 2],
  ];
  tell(chain(NAMES), snapshot(rows));

  tab("Timeline");
  const bars = all(pane(), ".nbflow-track").map((one) => one.textContent);
  tab("Graph");

  assert.deepEqual(
    all(page, "text.state").map((one) => one.textContent),
    ["≡ cached", "» skipped", "✓ success 1.0 s"],
  );
  assert.deepEqual(bars.slice(1), ["≡ cached", "» skipped", "✓ 1.0 s"]);
});

test("the still picture below is hidden by its name while the live one is there", () => {
  const still = document.createElement("div");
  still.className = "nbflow-still";
  still.dataset.nbflow = "abc-1";
  document.body.append(still);

  tell(chain(NAMES, { still: "abc-1" }), snapshot(PENDING));
  const hidden = window.getComputedStyle(still).display;
  view.dispose();

  assert.equal(hidden, "none");
  assert.notEqual(window.getComputedStyle(still).display, "none");
});

test("a name that is no name hides nothing", () => {
  tell(chain(NAMES, { still: 'x"] , * { display: none } a["' }), snapshot(PENDING));

  assert.equal(page.querySelector("style")?.textContent, "");
});

test("the button says that the run is asked to stop, until it begins to", async () => {
  tell(chain(NAMES), snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)]));

  click(button("Cancel"));
  tell({ type: "done", request: 1, ok: true, message: "The run is being stopped." });
  await new Promise((resolve) => setImmediate(resolve));
  frame();
  const asked = button("asked to cancel…").textContent;
  tell(snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)], { batch: 2, stopping: S.CANCELLED }));

  assert.equal(asked, "asked to cancel…");
  assert.equal(button("Cancel").textContent, "■ Cancel");
});

test("what was answered stands until it has come about, or the run is over", async () => {
  const failed: Row[] = [[0, -1, S.FAILED, 0, 1], [1, -1, S.RUNNING, 1], PENDING[2] as Row];
  const answered = async (text: string, request: number): Promise<string> => {
    click(button(text));
    tell({ type: "done", request, ok: true, message: `asked for ${text}` });
    await new Promise((resolve) => setImmediate(resolve));
    return page.querySelector(".nbflow-answer:not([hidden])")?.textContent ?? "";
  };
  tell(chain(NAMES, { can: { cancel: true, retry_failed: true } }), snapshot(failed));

  const retry = await answered("Retry failed", 1);
  tell(snapshot([[0, -1, S.RUNNING, 2], ...failed.slice(1)], { batch: 2 }));
  const begun = page.querySelector(".nbflow-answer:not([hidden])");
  const cancel = await answered("Cancel", 2);
  tell(snapshot(failed, { batch: 3, run_state: S.CANCELLED, ended_us: 1e15 + 3e6 }));

  assert.deepEqual([retry, cancel], ["asked for Retry failed", "asked for Cancel"]);
  assert.equal(begun, null);
  assert.equal(page.querySelector(".nbflow-answer:not([hidden])"), null);
});

test("tasks that are not in the run are told apart, and not counted", () => {
  const rows: Row[] = [
    [0, -1, S.SUCCESS],
    [1, -1, S.SUCCESS, 0, 1],
    [2, -1, S.RUNNING, 1],
  ];

  tell(chain(NAMES), snapshot(rows, { run: { id: "r", bystanders: [0] } }));

  assert.equal(page.querySelector(".nbflow-run-counts")?.textContent, "1 running, 1 success, 1 other task");
  assert.equal(page.querySelectorAll(".nbflow-meter i").length, 2);
  assert.equal((page.querySelector(".nbflow-meter i") as HTMLElement).style.flexGrow, "1");
});

test("a run that goes on is not offered to try again what has failed outside of it; one that is over is", () => {
  const rows: Row[] = [
    [0, -1, S.FAILED],
    [1, -1, S.RUNNING, 1],
  ];
  const run = { id: "r", bystanders: [0] };
  const isOffered: boolean[] = [];

  tell(chain(NAMES, { can: { cancel: true, retry_failed: true } }), snapshot(rows, { run }));
  isOffered.push(!button("Retry failed").hidden);
  tell(events(2, 2, [[1, S.FAILED]]));
  isOffered.push(!button("Retry failed").hidden);
  tell(snapshot([rows[0] as Row, [1, -1, S.SUCCESS, 1, 2]], { run, batch: 3, seq: 9, run_state: S.SUCCESS }));
  isOffered.push(!button("Retry failed").hidden);

  assert.deepEqual(isOffered, [false, true, true]);
});

test("what is told of a task is not told of another one that has its number in the next flow", async () => {
  tell(chain(NAMES), snapshot(PENDING));
  click(node(1));
  tell({ type: "detail", request: 1, node: 1, code: "of clean" });
  await new Promise((resolve) => setImmediate(resolve));
  const name = (): string | null | undefined => page.querySelector(".nbflow-drawer h3")?.textContent;
  const told = (): string | null | undefined => page.querySelector(".nbflow-sections")?.textContent;
  const seen = [name(), told()];

  tell(chain(NAMES));
  seen.push(name(), told());
  tell(chain(["load", "check", "report"]));
  seen.push(name(), told());

  assert.deepEqual(seen, ["clean", "Codeof clean", "clean", "Codeof clean", "check", "…"]);
});

test("of a mapped task the drawer tells the gravest state and the error of the first child that failed", async () => {
  const rows: Row[] = [
    [0, -1, S.MAPPED, 0],
    [0, 0, S.SUCCESS, 0, 1],
    [0, 1, S.FAILED, 0, 1],
  ];
  tell(chain(["load"]), snapshot(rows, { width: { 0: 2 } }));

  click(node(0));
  tell({ type: "detail", request: 1, node: 0, index: -1, code: "def load(): ..." });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(channel.sent.at(-1), { type: "detail", request: 2, node: 0, index: 1 });
  tell({ type: "detail", request: 2, node: 0, index: 1, message: "no row", traceback: "ValueError: no row" });
  await new Promise((resolve) => setImmediate(resolve));

  assert.match(page.querySelector(".nbflow-facts")?.textContent ?? "", /^✗ failed/);
  const error = page.querySelector('[data-section="Error"]')?.textContent ?? "";
  assert.match(error, /load \[1\]: no row/);
  assert.match(error, /ValueError: no row/);
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

test("what can never be done on a picture is not offered there", () => {
  tell(chain(NAMES, { can: { cancel: true, retry_failed: true } }), snapshot(PENDING));

  click(node(0));

  assert.ok(page.querySelector<HTMLElement>(".nbflow-drawer .nbflow-buttons")?.hidden);
});
