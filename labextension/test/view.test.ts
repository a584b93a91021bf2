// A view as a whole: where the run stands, its buttons, and what outlives it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import { all, click, frame, press } from "./dom";
import { BEGIN_US, chain, events, type Row, settled, snapshot } from "./fake";
import { button, memory, NAMES, node, PENDING, page, pane, showAgain, tab, tell, view } from "./viewed";

test("before the kernel has answered, that is said and no empty picture shown", () => {
  assert.match(page.textContent ?? "", /Waiting for the kernel/);
  assert.equal(page.querySelector(".has-flow"), null);
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

test("plain keys are kept from JupyterLab, those with Ctrl are not", () => {
  tell(chain(NAMES), snapshot(PENDING));

  press(node(0), "x");
  assert.ok(node(0).hasAttribute("data-lm-suppress-shortcuts"));
  press(node(0), "s", { ctrlKey: true });
  assert.ok(!node(0).hasAttribute("data-lm-suppress-shortcuts"));
});

test("the line below makes a view taller by keys, and the next view is as high", () => {
  tell(chain(NAMES), snapshot(PENDING));
  const height = (): number => Number.parseInt((page.querySelector(".nbflow-frame") as HTMLElement).style.height, 10);

  press(page.querySelector("[role=separator]") as Element, "ArrowDown");
  const chosen = height();
  view.dispose();
  showAgain();

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

  showAgain();

  assert.equal(pane().dataset.tab, "timeline");
  assert.equal(page.querySelector(".nbflow-drawer h3")?.textContent, "report");
  assert.equal((page.querySelector("input[type=search]") as HTMLInputElement).value, "re");
});

test("a kernel that gives the run up is told, and nothing can be pressed", () => {
  tell(chain(NAMES), snapshot(PENDING));

  tell({ type: "bye", reason: "The kernel was restarted." });

  assert.match(page.textContent ?? "", /The kernel was restarted\./);
  assert.equal(button("Cancel").getAttribute("aria-disabled"), "true");
});

test("where no run goes on nothing is told of one: neither a state nor the time that is left", () => {
  const estimate = { 1: { median_s: 9 }, 2: { median_s: 9 } };
  const rows: Row[] = [[0, -1, S.SUCCESS], ...PENDING.slice(1)];

  tell(chain(NAMES, { estimate }), snapshot(rows, { run_state: S.PENDING, started_us: null }));
  assert.equal(page.querySelector(".nbflow-status")?.textContent, "2 pending, 1 success");

  tell(snapshot(rows, { batch: 2, run_state: S.SUCCESS, message: "All reference tasks succeeded." }));
  assert.doesNotMatch(page.querySelector(".nbflow-status")?.textContent ?? "", /reference/);
});

test("a picture that was hidden tells the time of now when it is shown again, also where nothing has happened", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  tell(chain(NAMES), snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)]));
  tab("Table");
  frame();

  context.mock.timers.tick(5_000);
  tab("Graph");

  assert.equal(node(0).querySelector("text.state")?.textContent, "▶ running 1 min 5 s");
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
  await settled();
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
    await settled();
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

test("a press that nobody answers says so after a while, and the answer is told whenever it comes", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const answer = (): string => page.querySelector(".nbflow-answer:not([hidden])")?.textContent ?? "";
  tell(chain(NAMES, { can: { retry_failed: true } }), snapshot([[0, -1, S.FAILED, 0, 1], ...PENDING.slice(1)]));

  click(button("Retry failed"));
  const said = [answer()];
  context.mock.timers.tick(10_000);
  said.push(answer());
  tell({ type: "done", request: 1, ok: false, message: "Not now." });
  await settled();
  said.push(answer());
  context.mock.timers.tick(10_000);
  said.push(answer());

  assert.deepEqual(said, ["asked…", "asked… The kernel has not answered yet: it may be busy.", "Not now.", "Not now."]);
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

test("a run of which nothing is heard says so in the line above it, without the time that is left", (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e12 });
  tell(chain(NAMES, { estimate: { 0: { median_s: 9 }, 1: { median_s: 9 }, 2: { median_s: 9 } } }));
  tell(snapshot([[0, -1, S.RUNNING, 59.5]]));
  const said = (): (string | null | undefined)[] =>
    [".nbflow-run-time", ".nbflow-run-message"].map((part) => page.querySelector(part)?.textContent);
  const before = said();

  context.mock.timers.tick(31_000);
  frame();

  assert.match(before[0] ?? "", /^1 min, about .* left$/);
  assert.equal(said()[0], "1 min");
  assert.match(said()[1] ?? "", /^Nothing has been heard from the kernel/);
  assert.ok(page.querySelector(".nbflow-run-message.is-news"));
});

test("of a run whose process was lost nobody knows how long it went on: only when that was found", () => {
  const rows: Row[] = [
    [0, -1, S.SUCCESS, 0, 1],
    [1, -1, S.CRASHED, 1, 36_000],
    [2, -1, S.NOT_RUN],
  ];
  tell(chain(NAMES), snapshot(rows, { run_state: S.CRASHED, ended_us: BEGIN_US + 36_000e6 }));

  assert.equal(node(0).querySelector("text.state")?.textContent, "✓ success 1.0 s");
  assert.equal(node(1).querySelector("text.state")?.textContent, "☠ crashed");
  assert.equal(page.querySelector(".nbflow-run-time")?.textContent, "at most 10 h");
});
