// What is told of an attempt that has failed does not stand beside a task that goes on, or has ended well.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import { click } from "./dom";
import { chain, events, ofChild, reopened, settled, snapshot } from "./fake";
import { channel, NAMES, node, PENDING, page, tell, tellMapped } from "./viewed";

const error = (): string | null | undefined => page.querySelector('[data-section="Error"]')?.textContent;
const asked = (): number => channel.sent.filter(({ type }) => type === "detail").length;

async function answer(more: object): Promise<void> {
  tell({ type: "detail", request: asked(), node: 0, code: "x = 1", ...more });
  await settled();
}

test("the error of a task that is tried again goes away at once, and what is known now is asked for soon", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  tell(chain(NAMES), snapshot([[0, -1, S.RETRYING, 0, 1], ...PENDING.slice(1)]));
  click(node(0));
  await answer({ state: S.RETRYING, message: "row 7", traceback: "ValueError: row 7" });
  const before = error();

  tell(events(2, 2, [[0, S.RUNNING]]));
  const after = error();
  context.mock.timers.tick(200);

  assert.match(before ?? "", /row 7/);
  assert.equal(after, undefined);
  assert.equal(page.querySelector('[data-section="Code"]')?.textContent, "Codex = 1");
  assert.equal(asked(), 2);
});

test("the error of a child goes away with the last one that has failed", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  tellMapped();
  click(node(0));
  await answer({ state: S.MAPPED });
  await answer({ index: 1, state: S.FAILED, message: "row 7", traceback: "ValueError: row 7" });
  const before = error();

  tell(reopened(ofChild(1, events(2, 2, [[0, S.PENDING]]))));
  const waiting = error();
  tell(ofChild(1, events(3, 3, [[0, S.RUNNING]])), ofChild(1, events(4, 4, [[0, S.SUCCESS]])));

  assert.match(before ?? "", /load \[1\]: row 7/);
  assert.deepEqual([waiting, error()], [undefined, undefined]);
  assert.match(page.querySelector(".nbflow-facts")?.textContent ?? "", /2 success/);
});

test("an answer that was given before the task was tried again has no error in it any more", async () => {
  tell(chain(NAMES), snapshot([[0, -1, S.FAILED, 0, 1], ...PENDING.slice(1)]));
  click(node(0));

  tell(reopened(events(2, 2, [[0, S.PENDING]])));
  await answer({ state: S.FAILED, message: "row 7", traceback: "ValueError: row 7" });

  assert.equal(error(), undefined);
  assert.match(page.querySelector(".nbflow-sections")?.textContent ?? "", /x = 1/);
});

test("a task that has just failed is asked for soon, and one that goes on not more often than every other second", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  tell(chain(NAMES), snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)]));
  click(node(0));
  context.mock.timers.tick(0);
  await answer({ state: S.RUNNING });
  await answer({ state: S.RUNNING });
  const begun = asked();
  tell(snapshot([[0, -1, S.RUNNING, 0], ...PENDING.slice(1)], { batch: 2 }));
  context.mock.timers.tick(1_000);
  const going = asked();

  tell(events(3, 2, [[0, S.FAILED]]));
  context.mock.timers.tick(0);

  assert.equal(going, begun);
  assert.equal(asked(), begun + 1);
});
