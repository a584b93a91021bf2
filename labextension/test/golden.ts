// The golden runs (tests/golden/README.md), and where they stand after any of their events.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Event, Run } from "../src/run";
import type { EventsMessage, SnapshotMessage } from "../src/wire";

export const FOLDER = join(process.cwd(), "..", "tests", "golden");
export const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.replace(".jsonl", ""));

export function eventsOf(name: string): Event[] {
  const lines = readFileSync(join(FOLDER, `${name}.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as Event);
}

export function folded(events: readonly Event[]): Run {
  const run = Run.fromFirstEvent(events[0] as Event);
  for (const event of events) run.apply(event);
  return run;
}

/** Where a run stands, as tests/golden/NAME.json tells it. */
export function endOf(run: Run): unknown {
  const counts: Record<string, number> = {};
  run.counts.forEach((count, state) => {
    if (count) counts[state] = count;
  });
  const children: Record<string, number> = {};
  for (const [node, { width }] of run.children) children[node] = width;
  const taskRuns = run.state.map((state, number) => [
    ...run.placeOf(number),
    state,
    run.attempt[number],
    run.loop[number],
  ]);
  return {
    seq: run.seq,
    run_state: run.runState,
    stopping: run.stopping,
    counts,
    children,
    task_runs: taskRuns,
  };
}

/** What the kernel would tell of this run. */
export function snapshotOf(run: Run): SnapshotMessage {
  const places = run.state.map((_, number) => run.placeOf(number));
  return {
    type: "snapshot",
    batch: 1,
    run: { id: "r" },
    seq: run.seq,
    now_us: 0,
    run_state: run.runState,
    stopping: run.stopping,
    message: run.message,
    width: Object.fromEntries([...run.children].map(([node, { width }]) => [node, width])),
    columns: {
      node: places.map(([node]) => node),
      index: places.map(([, index]) => index),
      state: [...run.state],
      attempt: [...run.attempt],
      loop: [...run.loop],
      started_us: [...run.startedUs],
      ended_us: [...run.endedUs],
    },
  };
}

/** A batch of events, in columns. */
export function batchOf(events: readonly Event[], batch: number): EventsMessage {
  const column = <K extends keyof Event>(key: K): Event[K][] => events.map((event) => event[key]);
  return {
    type: "events",
    batch,
    now_us: 0,
    columns: {
      seq: column("seq"),
      at_us: column("at_us"),
      kind: column("kind"),
      node: column("node"),
      index: column("index"),
      attempt: column("attempt"),
      loop: column("loop"),
      state: column("state"),
    },
    data: Object.fromEntries(events.map((event, place) => [place, event.data ?? null])),
  };
}
