import assert from "node:assert/strict";
import { test } from "node:test";
import { progressOf } from "../src/eta";
import { layered } from "../src/layout";
import { Run } from "../src/run";
import { S } from "../src/theme/states.generated";
import { type Bar, criticalPath, criticalTasks, secondsOf, timelineOf } from "../src/timeline";
import { counted, duration, moment, printable, printableLines } from "../src/words";

const SECOND = 1e6;

/** A run of n tasks that runs since 0. */
function running(size: number): Run {
  const run = new Run(size);
  run.apply({ seq: 1, at_us: 0, kind: "run", node: -1, index: -1, attempt: 0, loop: 1, state: S.RUNNING });
  return run;
}

function task(run: Run, node: number, state: number, atS: number, index = -1): void {
  const at = { at_us: atS * SECOND, kind: "task", attempt: 1, loop: 1 };
  run.apply({ ...at, seq: run.seq + 1, node, index, state });
}

function expand(run: Run, node: number, width: number): void {
  const at = { at_us: 0, kind: "expanded", attempt: 0, loop: 1, index: -1, state: S.EXPANDED };
  run.apply({ ...at, seq: run.seq + 1, node, data: { width } });
}

test("the critical path is the longest chain by time, not by number of tasks", () => {
  const edges = [
    { from: 0, to: 1 },
    { from: 1, to: 3 },
    { from: 0, to: 2 },
    { from: 2, to: 3 },
  ];

  const path = criticalPath(4, edges, (number) => [1, 1, 5, 2][number] ?? 0);

  assert.deepEqual(path, { tasks: [0, 2, 3], lengthS: 8 });
});

test("the critical path of nothing is nothing", () => {
  assert.deepEqual(
    criticalPath(0, [], () => 1),
    { tasks: [], lengthS: 0 },
  );
});

test("a chain of 100,000 tasks has a critical path", () => {
  const edges = Array.from({ length: 99_999 }, (_, from) => ({ from, to: from + 1 }));

  assert.equal(criticalPath(100_000, edges, () => 1).lengthS, 100_000);
});

test("tasks in a circle do not keep the critical path from being found", () => {
  const edges = [
    { from: 0, to: 1 },
    { from: 1, to: 2 },
    { from: 2, to: 1 },
  ];

  assert.deepEqual(criticalPath(3, edges, () => 1).tasks, [0]);
});

test("what did not run is not on the critical path of a run", () => {
  const run = running(3);
  task(run, 0, S.RUNNING, 0);
  task(run, 0, S.FAILED, 4);
  task(run, 1, S.UPSTREAM_FAILED, 4);

  assert.deepEqual(criticalTasks(run, [{ from: 0, to: 1 }], 9 * SECOND), [0]);
});

test("bars stand in the order in which tasks began, and what runs grows", () => {
  const run = running(3);
  task(run, 1, S.RUNNING, 1);
  task(run, 1, S.SUCCESS, 3);
  task(run, 0, S.RUNNING, 2);

  const { bars, lengthS } = timelineOf(run, 7 * SECOND);

  assert.deepEqual(
    bars.map(({ task: number, beginS, endS }) => [number, beginS, endS]),
    [
      [1, 1, 3],
      [0, 2, 7],
    ],
  );
  assert.equal(lengthS, 7);
});

test("a few children have a bar each, and many one together", () => {
  const few = running(1);
  expand(few, 0, 2);
  const many = running(1);
  expand(many, 0, 40);
  for (const run of [few, many]) {
    task(run, 0, S.RUNNING, 1, 0);
    task(run, 0, S.RUNNING, 2, 1);
    task(run, 0, S.SUCCESS, 5, 1);
    task(run, 0, S.SUCCESS, 4, 0);
  }

  assert.deepEqual(
    timelineOf(few, 0).bars.map(({ index }) => index),
    [0, 1],
  );
  assert.deepEqual(
    timelineOf(many, 0).bars.map(({ index, beginS, endS }) => [index, beginS, endS]),
    [[-1, 1, 5]],
  );
});

test("time left is what the longest chain still needs", () => {
  const run = running(3);
  task(run, 0, S.RUNNING, 0);
  const estimate = { 0: { median_s: 10 }, 1: { median_s: 5 }, 2: { median_s: 1 } };

  const progress = progressOf(run, [{ from: 0, to: 1 }], estimate, 4 * SECOND);

  assert.equal(progress.total, 3);
  assert.equal(progress.leftS, 12); // one at a time: 6 + 5 + 1
});

test("time left is not told where history knows too little, nor after the end", () => {
  const run = running(3);

  assert.equal(progressOf(run, [], { 0: { median_s: 1 } }, 0).leftS, null);
  run.apply({ seq: 2, at_us: 1, kind: "run", node: -1, index: -1, attempt: 0, loop: 1, state: S.SUCCESS });
  assert.equal(progressOf(run, [], { 0: { median_s: 1 }, 1: { median_s: 1 }, 2: { median_s: 1 } }, 0).leftS, null);
});

test("a task that takes longer than ever makes no time left below zero", () => {
  const run = running(1);
  task(run, 0, S.RUNNING, 0);

  assert.equal(progressOf(run, [], { 0: { median_s: 2 } }, 60 * SECOND).leftS, 0);
});

test("the time left is told as roughly as it is known, and what takes longer than usual so", () => {
  const run = running(2);
  task(run, 0, S.RUNNING, 0);
  const edges = [{ from: 0, to: 1 }];
  const told = (first: number, second: number | null, atS: number): string => {
    const known = { 0: { median_s: first }, ...(second === null ? {} : { 1: { median_s: second } }) };
    return progressOf(run, edges, known, atS * SECOND).left;
  };

  assert.equal(told(10, 93, 3), "about 1 min 40 s left");
  assert.equal(told(10, 0.1, 9.5), "nearly done");
  assert.equal(told(10, null, 6), "at least 4 s left");
  assert.equal(told(10, 7, 21), "about 7 s left");
  assert.equal(told(0.01, 0.002, 14), "longer than usual");
  assert.equal(told(0.01, null, 14), "longer than usual");
});

test("tasks that are shown and do not run count neither for progress nor for the time left", () => {
  const run = running(4);
  run.facts = { id: "r", bystanders: [0, 3] };
  task(run, 1, S.RUNNING, 0);
  const estimate = { 0: { median_s: 100 }, 1: { median_s: 4 }, 2: { median_s: 2 }, 3: { median_s: 100 } };

  const before = progressOf(run, [{ from: 0, to: 1 }], estimate, 1 * SECOND);
  task(run, 1, S.SUCCESS, 4);
  task(run, 2, S.RUNNING, 4);
  task(run, 2, S.SUCCESS, 6);
  const after = progressOf(run, [{ from: 0, to: 1 }], estimate, 6 * SECOND);

  assert.deepEqual([before.done, before.total, before.leftS], [0, 2, 5]);
  assert.deepEqual([after.done, after.total], [2, 2]);
});

test("what is taken from the cache has ended, and takes no more time", () => {
  const run = running(2);
  task(run, 0, S.CACHED, 0);
  const estimate = { 0: { median_s: 100 }, 1: { median_s: 3 } };

  const progress = progressOf(run, [{ from: 0, to: 1 }], estimate, 0);

  assert.deepEqual([progress.done, progress.leftS], [1, 3]);
});

test("of a mapped task each child takes as long as one took before, however many there are now", () => {
  const run = running(1);
  expand(run, 0, 5);
  task(run, 0, S.RUNNING, 0, 0);
  task(run, 0, S.RUNNING, 0, 1);

  const progress = progressOf(run, [], { 0: { median_s: 2 } }, 1 * SECOND);

  assert.deepEqual([progress.total, progress.leftS], [5, 4]); // two at a time: (1 + 1 + 3 * 2) / 2
});

test("children count for progress, their parent does not", () => {
  const run = running(2);
  expand(run, 1, 8);
  task(run, 1, S.RUNNING, 0, 0);
  task(run, 1, S.SUCCESS, 1, 0);

  const { done, total } = progressOf(run, [], {}, 0);

  assert.deepEqual([done, total], [1, 9]);
});

test("boxes stand below what they wait for, and do not overlap", () => {
  const boxes = Array.from({ length: 6 }, () => ({ width: 80, height: 30 }));
  const arrows: [number, number][] = [
    [0, 1],
    [0, 2],
    [0, 3],
    [1, 4],
    [3, 4],
    [4, 5],
    [5, 0],
  ];

  const { places } = layered(boxes, arrows);

  for (const [from, to] of arrows.slice(0, -1)) assert.ok((places[from]?.y ?? 0) < (places[to]?.y ?? 0));
  for (const [one, a] of places.entries())
    for (const [other, b] of places.entries())
      if (one !== other && a.y === b.y) assert.ok(Math.abs(a.x - b.x) >= 80, `${one} and ${other}`);
});

test("durations are told as people say them", () => {
  const told = [0, 0.034, 0.4, 9.96, 59.6, 61, 120, 3600, 3725].map(duration);

  assert.deepEqual(told, ["0 ms", "34 ms", "0.4 s", "10 s", "1 min", "1 min 1 s", "2 min", "1 h", "1 h 2 min"]);
});

test("no two marks of an axis are told alike", () => {
  const told = (step: number, count = 4): string[] =>
    Array.from({ length: count }, (_, place) => moment((place + 1) * step, step));

  assert.deepEqual(told(0.0002), ["0.2 ms", "0.4 ms", "0.6 ms", "0.8 ms"]);
  assert.deepEqual(told(0.05), ["50 ms", "100 ms", "150 ms", "200 ms"]);
  assert.deepEqual(told(0.5), ["0.5 s", "1.0 s", "1.5 s", "2.0 s"]);
  assert.deepEqual(told(5), ["5 s", "10 s", "15 s", "20 s"]);
  assert.deepEqual(told(30), ["30 s", "1 min", "1 min 30 s", "2 min"]);
  assert.deepEqual(told(1_800), ["30 min", "1 h", "1 h 30 min", "2 h"]);
});

test("names are shown without what would hide or turn them", () => {
  assert.equal(printable(" a\u202eb\n\tc"), "a\ufffdb c");
  assert.equal(printableLines("first\r\n\tsecond\u202e", 100), "first\n    second\ufffd");
  assert.equal(printable("x".repeat(1000), 10), "xxxxxxxxx…");
  assert.equal(counted(1, "task"), "1 task");
  assert.equal(counted(2000, "task"), "2,000 tasks");
});

test("what tasks took together is found in one pass over all bars", () => {
  const bar = (task: number, index: number, beginS: number, endS: number): Bar => {
    return { number: 0, task, index, beginS, endS };
  };
  function* bars(): Generator<Bar> {
    yield bar(0, -1, 0, 2);
    yield bar(1, 0, 2, 4);
    yield bar(1, 1, 3, 7);
    yield bar(2, -1, 0, 90);
  }

  assert.equal(secondsOf(bars(), new Set([0, 1])), 7);
  assert.equal(secondsOf([], new Set([0])), 0);
});
