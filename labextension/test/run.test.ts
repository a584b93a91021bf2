import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { alongBar, shortCounts, toldCounts } from "../src/counts";
import { type Event, OutOfOrderError, Run } from "../src/run";
import { S } from "../src/theme/states.generated";
import type { SnapshotMessage } from "../src/wire";
import { batchOf, endOf, eventsOf, FOLDER, folded, NAMES, snapshotOf } from "./golden";

test("there are golden runs", () => {
  assert.ok(NAMES.length >= 14);
});

for (const name of NAMES) {
  test(`the golden run ${name} folds to the end that was written down`, () => {
    const events = eventsOf(name);

    const run = folded(events);

    assert.deepEqual(endOf(run), JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8")));
  });

  test(`the golden run ${name} goes on from a snapshot at any place to the same end`, () => {
    const events = eventsOf(name);
    const whole = endOf(folded(events));
    for (let length = 1; length < events.length; length++) {
      const first = folded(events.slice(0, length));
      const run = Run.fromSnapshot(snapshotOf(first), first.size);

      for (const event of events.slice(length)) run.apply(event);

      const end = endOf(run) as { stopping: unknown };
      assert.deepEqual(end, whole, `cut after ${length}`);
    }
  });

  test(`a gap in the golden run ${name} is noticed`, () => {
    const events = eventsOf(name);
    const run = folded(events.slice(0, 2));

    assert.throws(() => run.apply(events[3] as Event), OutOfOrderError);
  });
}

test("a batch in columns is the same as its events one by one", () => {
  const events = eventsOf("mapped");
  const run = Run.fromFirstEvent(events[0] as Event);

  run.applyAll(batchOf(events, 2));

  assert.deepEqual(endOf(run), endOf(folded(events)));
});

function manyChildren(): SnapshotMessage {
  const rows = { attempt: [1, 1], loop: [1, 1], started_us: [1, 2], ended_us: [null, 3] };
  return {
    type: "snapshot",
    batch: 1,
    run: { id: "r" },
    seq: 7,
    now_us: 0,
    run_state: S.RUNNING,
    width: { 0: 1000 },
    columns: { node: [0, 0], index: [-1, 500], state: [S.EXPANDED, S.FAILED], ...rows },
    folded: { 0: { [S.SUCCESS]: 700, [S.FAILED]: 1, [S.PENDING]: 299 } },
  };
}

test("children that are told as counts are counted, and those that are listed are not counted twice", () => {
  const run = Run.fromSnapshot(manyChildren(), 1);

  const counts = run.childCounts.get(0) as Int32Array;
  assert.equal(toldCounts(counts), "1 failed, 299 pending, 700 success");
  assert.equal(run.state[run.numberOf(0, 500)], S.FAILED);
});

test("children that are told as letters go on exactly", () => {
  const letter = (state: number): string => String.fromCharCode(48 + state);
  const letters = letter(S.SUCCESS).repeat(998) + letter(S.PENDING) + letter(S.RUNNING);
  const run = Run.fromSnapshot({ ...manyChildren(), states: { 0: letters } }, 1);

  const at = { seq: 8, at_us: 9, kind: "task", node: 0, attempt: 1, loop: 1 };
  run.apply({ ...at, index: 999, state: S.SUCCESS });

  assert.equal(run.childCounts.get(0)?.[S.SUCCESS], 998);
  assert.throws(() => run.apply({ ...at, seq: 9, index: 0, state: S.RUNNING }), OutOfOrderError);
});

test("tasks that stand as earlier runs left them have no run that takes time", () => {
  const columns = { ...manyChildren().columns, started_us: [5, 6], ended_us: [7, 8] };

  const run = Run.fromSnapshot({ ...manyChildren(), run_state: S.PENDING, columns }, 1);

  assert.equal(run.elapsedS(9_000_000), null);
  assert.equal(run.durationS(run.numberOf(0, 500), 9_000_000), 2e-6);
});

test("what changed is told once", () => {
  const run = folded(eventsOf("success"));

  assert.ok(run.takeChanged().size > 0);
  assert.equal(run.takeChanged().size, 0);
});

test("along a bar stands what is done, then what runs, then what is to come", () => {
  const counts = new Int32Array(33);
  for (const state of [S.PENDING, S.RUNNING, S.FAILED, S.SUCCESS]) counts[state] = 1;

  assert.deepEqual(alongBar(counts), [S.SUCCESS, S.FAILED, S.RUNNING, S.PENDING]);
});

test("counts are told the gravest first, and shortly below a name", () => {
  const counts = new Int32Array(33);
  counts[S.SUCCESS] = 9180;
  counts[S.FAILED] = 3;
  counts[S.RUNNING] = 2;
  counts[S.PENDING] = 7;

  assert.equal(toldCounts(counts), "3 failed, 2 running, 7 pending, 9,180 success");
  assert.equal(shortCounts(counts), "✗ 3\u2002▶ 2\u2002…");
});
