// What is told of one task, and what can be asked for there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import type { ToKernel } from "../src/wire";
import { all, click, press } from "./dom";
import { chain, events, ofChild, type Row, settled, snapshot } from "./fake";
import { button, channel, NAMES, node, PENDING, page, pane, tab, tell, tellMapped } from "./viewed";

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
  const { view: _, ...sent } = channel.sent.at(-1) as Extract<ToKernel, { type: "action" }>;
  assert.deepEqual(sent, { type: "action", request: 2, action: "run_from", node: 1 });
  tell({ type: "done", request: 2, ok: true, message: "begun" });
  await settled();
  assert.match(page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent ?? "", /begun/);

  click(button("Run only this"));
  assert.equal(channel.sent.length, 2);
  assert.match(page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent ?? "", /use Interrupt/);
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

test("one failed child among very many is seen in the bar below its node", () => {
  const states = { 1: String.fromCharCode(48 + S.FAILED) + String.fromCharCode(48 + S.SUCCESS).repeat(9_999) };
  tell(chain(NAMES), snapshot([[1, -1, S.FAILED, 1]], { width: { 1: 10_000 }, states }));

  const [well, failed] = all(node(1), ".nbflow-counts rect").map((one) => Number(one.getAttribute("width")));

  assert.ok((failed ?? 0) > 1.5, `${failed}`);
  assert.equal(Math.round((well ?? 0) + (failed ?? 0)), 100);
});

test("what was asked of a kernel that is gone is told not to be done, and what it has told of a task stays", async () => {
  tell(chain(NAMES), snapshot(PENDING, { run_state: S.SUCCESS }));
  click(node(0));
  tell({ type: "detail", request: 1, node: 0, code: "x = 1" });
  await settled();
  click(button("Run from here"));
  const asked = page.querySelector(".nbflow-drawer .nbflow-answer")?.textContent;

  tell({ type: "bye", reason: "The kernel was restarted." });
  await settled();

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

test("what is told anew of a task leaves alone what says the same, and the focus where it was", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  tell(chain(NAMES), snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)]));
  const answer = async (logs: string[]): Promise<void> => {
    const request = channel.sent.filter((one) => one.type === "detail").length;
    tell({ type: "detail", request, node: 0, state: S.RUNNING, code: "x = 1", logs });
    await settled();
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

  tell(ofChild(1, events(2, 2, [[0, S.RETRYING]])));
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

test("what is told of a task is not told of another one that has its number in the next flow", async () => {
  tell(chain(NAMES), snapshot(PENDING));
  click(node(1));
  tell({ type: "detail", request: 1, node: 1, code: "of clean" });
  await settled();
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
  tellMapped();

  click(node(0));
  tell({ type: "detail", request: 1, node: 0, index: -1, code: "def load(): ..." });
  await settled();
  assert.deepEqual(channel.sent.at(-1), { type: "detail", request: 2, node: 0, index: 1 });
  tell({ type: "detail", request: 2, node: 0, index: 1, message: "no row", traceback: "ValueError: no row" });
  await settled();

  assert.match(page.querySelector(".nbflow-facts")?.textContent ?? "", /^✗ failed/);
  const error = page.querySelector('[data-section="Error"]')?.textContent ?? "";
  assert.match(error, /load \[1\]: no row/);
  assert.match(error, /ValueError: no row/);
});

test("what can never be done on a picture is not offered there", () => {
  tell(chain(NAMES, { can: { cancel: true, retry_failed: true } }), snapshot(PENDING));

  click(node(0));

  assert.ok(page.querySelector<HTMLElement>(".nbflow-drawer .nbflow-buttons")?.hidden);
});
