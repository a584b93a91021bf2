// The timeline and the table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import { all, click, press } from "./dom";
import { chain, events, type Row, snapshot } from "./fake";
import { NAMES, page, pane, tab, tell } from "./viewed";

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

test("a task whose name is nothing but blanks is called so in each tab, and a name is one line", () => {
  tell(chain([" \n", "two\nlines"]), snapshot([[0, -1, S.SUCCESS, 0, 1]]));

  const told = ["Timeline", "Table"].map((name) => {
    tab(name);
    return pane().textContent ?? "";
  });

  for (const text of told) assert.match(text, /\(no name\)/);
  assert.match(told[1] ?? "", /two lines/);
});

test("a flow without tasks says so, in the picture's place", () => {
  tell(chain([]), snapshot([], { run_state: S.SUCCESS }));

  assert.equal(pane().dataset.tab, "graph");
  assert.match(pane().textContent ?? "", /This flow has no tasks\./);
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
