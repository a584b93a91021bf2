import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, LiveFlow } from "../src/live";
import { S } from "../src/theme/states.generated";
import type { EventsMessage, SnapshotMessage } from "../src/wire";
import { chain, FakeChannel, events as happened, type Row, snapshot as told } from "./fake";

const FLOW = chain(["load", "clean"]);

function snapshot(batch: number, seq: number, states: [number, number]): SnapshotMessage {
  return told(
    [
      [0, -1, states[0]],
      [1, -1, states[1]],
    ],
    { batch, seq },
  );
}

function events(batch: number, seq: number, node: number, state: number): EventsMessage {
  return happened(batch, seq, [[node, state]]);
}

test("batches in order change the task runs that they name, and views are told which", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const told: Change[] = [];
  live.subscribe((change) => told.push(change));

  channel.tell(FLOW, snapshot(1, 1, [S.PENDING, S.PENDING]), events(2, 2, 0, S.RUNNING));

  assert.equal(live.run?.state[0], S.RUNNING);
  assert.deepEqual([...(told.at(-1)?.taskRuns ?? [])], [0]);
  assert.deepEqual(channel.sent, []);
});

test("after a gap one snapshot is asked for, and what comes until then is left out", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  channel.tell(FLOW, snapshot(1, 1, [S.PENDING, S.PENDING]));

  channel.tell(events(3, 3, 0, S.SUCCESS), events(4, 4, 1, S.RUNNING));

  assert.deepEqual(channel.sent, [{ type: "resync", have: 1 }]);
  assert.equal(live.run?.state[0], S.PENDING);

  channel.tell(snapshot(5, 4, [S.SUCCESS, S.RUNNING]), events(6, 5, 1, S.SUCCESS));

  assert.deepEqual(live.run?.state, [S.SUCCESS, S.SUCCESS]);
  assert.equal(channel.sent.length, 1);
});

test("what is told twice is harmless", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const batch = events(2, 2, 0, S.RUNNING);

  channel.tell(FLOW, snapshot(1, 1, [S.PENDING, S.PENDING]), batch, batch, { ...batch, batch: 3 });

  assert.equal(live.run?.state[0], S.RUNNING);
  assert.deepEqual(channel.sent, []);
});

test("events without a run that they belong to are answered by asking for it", () => {
  const channel = new FakeChannel();
  new LiveFlow(channel);

  channel.tell(FLOW, events(7, 9, 0, S.RUNNING));

  assert.deepEqual(channel.sent, [{ type: "resync", have: 0 }]);
});

test("an answer comes to the one who asked", async () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const first = live.detail(0, -1);
  const second = live.act("cancel");

  channel.tell(
    { type: "done", request: 2, ok: true, message: "cancelling" },
    { type: "detail", request: 1, node: 0, code: "x = 1" },
  );

  assert.equal((await first).code, "x = 1");
  assert.equal((await second).message, "cancelling");
});

test("nonsense is not heard", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);

  channel.tell(null, 3, {}, { type: "nobody knows" });

  assert.equal(live.flow, null);
});

test("when the kernel is gone, the clock stands still and nothing runs any more", (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  channel.tell(FLOW, snapshot(1, 1, [S.RUNNING, S.PENDING]));

  channel.tell({ type: "bye" });
  const then = live.nowUs;
  context.mock.timers.tick(5_000);

  assert.equal(live.nowUs, then);
  assert.equal(live.isRunning, false);
});

test("what was stale and runs well is stale no more; what failed, or had run before, still is", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const stale = [0, 1, 2].map((task) => ({ task }));
  const rows = (states: number[]): Row[] => states.map((state, task) => [task, -1, state]);
  channel.tell(chain(["a", "b", "c"], { stale }), told(rows([S.PENDING, S.PENDING, S.SUCCESS])));

  channel.tell(events(2, 2, 0, S.RUNNING), events(3, 3, 0, S.SUCCESS), events(4, 4, 1, S.RUNNING));
  channel.tell(told(rows([S.SUCCESS, S.FAILED, S.SUCCESS]), { batch: 5, seq: 9 }));

  assert.deepEqual([...(live.flow?.stale.keys() ?? [])], [1, 2]);
});

test("a run that is told before its flow, and lists only what has begun, is whole when the flow comes", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);

  channel.tell(told([], { batch: 1, seq: 1 }), events(2, 2, 0, S.RUNNING), events(3, 3, 0, S.SUCCESS));
  channel.tell(chain(["a", "b", "c"]), events(4, 4, 1, S.RUNNING));

  assert.deepEqual(live.run?.state, [S.SUCCESS, S.RUNNING, S.PENDING]);
  assert.deepEqual(channel.sent, []);
});

test("a run of a larger flow may be told before that flow", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  channel.tell(FLOW, snapshot(1, 1, [S.SUCCESS, S.SUCCESS]));

  channel.tell(told([[3, -1, S.RUNNING, 0]], { batch: 2, seq: 5, run: { id: "another" } }), events(3, 6, 4, S.RUNNING));
  channel.tell(chain(["a", "b", "c", "d", "e", "f"]));

  assert.deepEqual(live.run?.state, [S.PENDING, S.PENDING, S.PENDING, S.RUNNING, S.RUNNING, S.PENDING]);
  assert.deepEqual(channel.sent, []);
});

test("tasks that are not in the run stay as they are when it ends", () => {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const ended = events(2, 2, -1, S.SUCCESS);

  channel.tell(FLOW, told([[1, -1, S.SUCCESS]], { run: { id: "r", bystanders: [0] } }));
  channel.tell({ ...ended, columns: { ...ended.columns, kind: ["run"] } });

  assert.deepEqual([live.run?.runState, live.run?.state], [S.SUCCESS, [S.PENDING, S.SUCCESS]]);
});

test("a run of which nothing is heard any more says so, its clock stands still, and what is heard then ends that", (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e12 });
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  channel.tell(FLOW, snapshot(1, 1, [S.RUNNING, S.PENDING]));
  context.mock.timers.tick(20_000);
  channel.tell({ type: "beat", batch: 1 });
  const heardUs = live.nowUs;
  let told = 0;
  live.subscribe(() => told++);

  context.mock.timers.tick(29_000);
  const before = live.silence;
  context.mock.timers.tick(61_000);

  assert.deepEqual([before, told, live.nowUs], [null, 1, heardUs]);
  assert.match(live.silence ?? "", /^Nothing has been heard/);
  assert.deepEqual(channel.sent, [{ type: "resync", have: 1 }]);

  channel.tell(snapshot(2, 2, [S.SUCCESS, S.RUNNING]));

  const then = live.nowUs;
  context.mock.timers.tick(5_000);
  assert.deepEqual([live.silence, live.nowUs - then], [null, 5_000_000]);
});

test("of a run that is over nothing need be heard", (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e12 });
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  channel.tell(FLOW, { ...snapshot(1, 1, [S.SUCCESS, S.SUCCESS]), run_state: S.SUCCESS });

  context.mock.timers.tick(600_000);

  assert.deepEqual([live.silence, channel.sent], [null, []]);
});

test("a beat that knows of a later batch shows that one was lost", () => {
  const channel = new FakeChannel();
  new LiveFlow(channel);
  channel.tell(FLOW, snapshot(1, 1, [S.RUNNING, S.PENDING]));

  channel.tell({ type: "beat", batch: 1 }, { type: "beat", batch: 2 });

  assert.deepEqual(channel.sent, [{ type: "resync", have: 1 }]);
});

test("what is pressed twice, or again before it was answered, is asked for once", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1e12 });
  const channel = new FakeChannel();
  const live = new LiveFlow(channel);
  const tell = (request: number): void =>
    channel.tell({ type: "done", request, ok: true, message: `answer ${request}` });
  channel.tell(FLOW, { ...snapshot(1, 1, [S.SUCCESS, S.FAILED]), run_state: S.FAILED });

  const first = live.act("retry_failed");
  context.mock.timers.tick(60_000);
  const again = live.act("retry_failed");
  const other = live.act("run_from", 1);
  tell(1);
  tell(2);

  assert.deepEqual(
    [await first, await again, await other].map(({ message }) => message),
    ["answer 1", "answer 1", "answer 2"],
  );

  void live.act("run_from", 1);
  context.mock.timers.tick(500);
  void live.act("run_from", 1);
  context.mock.timers.tick(2_000);
  void live.act("run_from", 1);

  assert.equal(channel.sent.length, 3);
});
