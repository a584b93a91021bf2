// What screen readers are told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { S } from "../src/theme/states.generated";
import { chain, events, type Row, reopened, snapshot } from "./fake";
import { NAMES, PENDING, page, tell } from "./viewed";

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
  const failing = (task: number): [number, number][] => [
    [task, S.RUNNING],
    [task, S.FAILED],
  ];
  tell(chain(NAMES), snapshot(PENDING));
  const heard: unknown[] = [];

  tellLater(events(2, 2, failing(0)));
  heard.push(told());
  tellLater(reopened(events(3, 4, [[0, S.PENDING]])));
  tellLater(events(4, 5, failing(1)));
  heard.push(told());
  tellLater(events(5, 7, failing(0)));
  heard.push(told());

  assert.deepEqual(heard, ["load failed", "clean failed", "load failed"]);
});
