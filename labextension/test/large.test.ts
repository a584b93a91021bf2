// Pictures of more nodes than can be painted at once.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { LiveFlow } from "../src/live";
import { S } from "../src/theme/states.generated";
import { freshMemory } from "../src/view/context";
import { FlowView } from "../src/view/flowview";
import { all, click, frame, newPage } from "./dom";
import { chain, events, FakeChannel, type Row, snapshot } from "./fake";

const NAMES = Array.from({ length: 400 }, (_, task) => `step ${task} of many`);
const EDGE = '<g id="edge-0" class="edge"><title>a</title><path d="M0,0C0,1 0,2 0,3"/></g>';
let page: HTMLElement;
let channel: FakeChannel;
let view: FlowView;

beforeEach(() => {
  page = newPage();
  channel = new FakeChannel();
  view = new FlowView(page, new LiveFlow(channel), freshMemory());
  const flow = chain(NAMES);
  const rows = NAMES.map((_, task): Row => [task, -1, S.PENDING]);
  tell({ ...flow, svg: flow.svg?.replace("</g></svg>", `${EDGE}</g></svg>`) }, snapshot(rows));
});

afterEach(() => view.dispose());

function tell(...messages: unknown[]): void {
  channel.tell(...messages);
  frame();
}

function zoomIn(times: number): void {
  for (let time = 0; time < times; time++) click(page.querySelector("button[aria-label='Zoom in']"));
}

function isIn(state: string, place: number): boolean {
  return page.querySelector(`g[data-id="node-${place}"]`)?.classList.contains(`state-${state}`) ?? false;
}

test("the edges of a large picture are apart from its nodes, moved with them, and heard of by nobody", () => {
  const [below, above] = all(page, ".nbflow-frame > svg");

  zoomIn(2);

  assert.equal(below?.querySelectorAll("g.graph > g.edge").length, 1);
  assert.equal(below?.getAttribute("aria-hidden"), "true");
  assert.equal(above?.querySelectorAll("g.edge").length, 0);
  assert.equal(above?.querySelectorAll("g.node").length, NAMES.length);
  assert.equal(below?.style.transform, above?.style.transform);
});

test("nodes that are out of view are painted when they come into view, or when the run has ended", () => {
  zoomIn(12); // about the middle

  tell(
    events(2, 2, [
      [0, S.RUNNING],
      [200, S.RUNNING],
      [399, S.RUNNING],
    ]),
  );
  assert.deepEqual([0, 200, 399].map(isIn.bind(null, "running")), [false, true, false]);

  click(all(page, "button").find((one) => one.textContent === "Fit"));
  assert.deepEqual([0, 200, 399].map(isIn.bind(null, "running")), [true, true, true]);

  zoomIn(12);
  tell(events(3, 5, [[0, S.FAILED]]));
  assert.ok(isIn("running", 0));
  const end = events(4, 6, [[-1, S.FAILED]]);
  tell({ ...end, columns: { ...end.columns, kind: ["run"] } });
  assert.ok(isIn("failed", 0));
});
