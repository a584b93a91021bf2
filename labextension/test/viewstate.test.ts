// What was chosen in a picture goes with a press to the kernel, and the picture of the run that follows begins with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import type { FlowMessage, ViewState } from "../src/wire";
import { click, press } from "./dom";
import { chain, type Row, snapshot } from "./fake";
import { button, channel, memory, NAMES, node, PENDING, page, pane, tab, tell } from "./viewed";

const over = { run_state: S.FAILED };
const can = { run_from: true, retry_failed: true };

/** What goes with a press. */
function sent(text: string): ViewState | undefined {
  click(button(text));
  const last = channel.sent.at(-1);
  return last?.type === "action" ? last.view : undefined;
}

function search(text: string): void {
  const field = page.querySelector("input[type=search]") as HTMLInputElement;
  field.value = text;
  field.dispatchEvent(new Event("input"));
}

function begun(view: ViewState, names: readonly string[] = NAMES, more: Partial<FlowMessage> = {}): void {
  const rows: Row[] = names.map((_, task) => [task, -1, S.PENDING]);
  tell(chain(names, { can, view, ...more }), snapshot(rows));
}

const transform = (): string => (page.querySelector(".nbflow-frame svg") as SVGSVGElement).style.transform;

test("a press that begins a run takes along what was chosen in the view", () => {
  tell(chain(NAMES, { can }), snapshot(PENDING, over));
  press(page.querySelector("[role=separator]") as Element, "ArrowDown");
  click(node(1));
  click(button("+"));
  tab("Table");
  search("re");

  const view = sent("Run from here");

  const { x, y, scale } = memory.position ?? { x: 0, y: 0, scale: 0 };
  assert.equal(typeof view?.position?.layout, "string");
  assert.deepEqual(view, {
    tab: "table",
    opened: [],
    position: { x, y, scale, layout: view?.position?.layout },
    chosen: { name: "clean", task: 1, index: -1 },
    query: "re",
    sort: "task",
    is_descending: false,
    expanded: [],
    height: memory.height,
    sections: ["Error", "Note", "Logs", "Outputs", "Artifacts"],
  });
});

test("Retry failed takes it along, and Cancel, which begins nothing, does not", () => {
  const failed: Row[] = [[0, -1, S.FAILED, 0, 1], [1, -1, S.RUNNING, 1], PENDING[2] as Row];
  tell(chain(NAMES, { can: { cancel: true, retry_failed: true } }), snapshot(failed));

  const ofCancel = sent("Cancel");
  tell(snapshot(failed, { ...over, batch: 2 }));
  const ofRetry = sent("Retry failed");

  assert.equal(ofCancel, undefined);
  assert.equal(ofRetry?.sort, "task");
});

test("the view of the next run is as high, in the same tab, and tells of the same task, whatever its number is there", () => {
  const view: ViewState = {
    tab: "timeline",
    chosen: { name: "clean", task: 1, index: -1 },
    query: "cl",
    height: 333,
    sections: ["Code"],
  };

  begun(view, ["clean", "report"]);

  assert.equal(pane().dataset.tab, "timeline");
  assert.equal(page.querySelector(".nbflow-drawer:not([hidden]) h3")?.textContent, "clean");
  assert.equal((page.querySelector("input[type=search]") as HTMLInputElement).value, "cl");
  assert.equal((page.querySelector(".nbflow-view") as HTMLElement).style.getPropertyValue("--nbflow-height"), "333px");
  assert.deepEqual([...memory.sections], ["Code"]);
  assert.deepEqual(channel.sent.at(-1), { type: "detail", request: 1, node: 0, index: -1 });
});

test("a task that is not in the next flow is left out, and so is one of several that cannot be told apart", () => {
  begun({ chosen: { name: "gone", task: 1, index: -1 }, expanded: [{ name: "gone", task: 0 }] });
  const drawer = page.querySelector(".nbflow-drawer") as HTMLElement;

  assert.ok(drawer.hidden);
  assert.equal(memory.expanded.size, 0);
});

test("of several tasks with its name it is the one that has its number", () => {
  begun({ chosen: { name: "same", task: 2, index: -1 } }, ["load", "same", "same"]);

  assert.ok(node(2).classList.contains("is-chosen"));
  assert.ok(!node(1).classList.contains("is-chosen"));
});

test("the same picture stands where it was moved to, and another one is fitted", () => {
  tell(chain(NAMES, { can }), snapshot(PENDING, over));
  const fitted = transform();
  click(button("+"));
  click(node(1));
  const moved = transform();
  const view = sent("Run from here") as ViewState;

  Object.assign(memory, { position: null, hasInherited: false });
  begun(view, NAMES);
  const again = transform();
  Object.assign(memory, { position: null, hasInherited: false });
  begun(view, ["load", "clean", "summary"]);

  assert.notEqual(moved, fitted);
  assert.equal(again, moved);
  assert.equal(transform(), fitted);
});

test("a picture that is laid out late is moved when it comes", () => {
  tell(chain(NAMES, { can }), snapshot(PENDING, over));
  click(button("+"));
  click(node(1));
  const moved = transform();
  const view = sent("Run from here") as ViewState;
  Object.assign(memory, { position: null, hasInherited: false });

  begun(view, NAMES, { svg: null });
  const early = transform();
  begun(view);

  assert.notEqual(early, moved);
  assert.equal(transform(), moved);
});

test("what is chosen in the next view stays when its flow is told again", () => {
  const view: ViewState = { tab: "table", height: 333 };
  begun(view);
  tab("Graph");
  press(page.querySelector("[role=separator]") as Element, "ArrowDown");
  const { height } = memory;

  begun(view);

  assert.equal(pane().dataset.tab, "graph");
  assert.notEqual(height, 333);
  assert.equal(memory.height, height);
});
