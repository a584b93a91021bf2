// A kernel for tests: what it says, and what it was asked.

import type { Channel } from "../src/live";
import { S } from "../src/theme/states.generated";
import type { EventsMessage, FlowMessage, SnapshotMessage, ToKernel } from "../src/wire";

// models have no end, and neither have their timers: those keep no file of tests from ending
const { setTimeout } = globalThis;
globalThis.setTimeout = ((...how: Parameters<typeof setTimeout>) =>
  setTimeout(...how).unref()) as typeof globalThis.setTimeout;

export class FakeChannel implements Channel {
  readonly sent: ToKernel[] = [];
  #hear: (message: unknown) => void = () => undefined;

  send(message: ToKernel): void {
    this.sent.push(message);
  }

  listen(hear: (message: unknown) => void): void {
    this.#hear = hear;
  }

  tell(...messages: unknown[]): void {
    for (const message of messages) this.#hear(message);
  }
}

export type Row = readonly [node: number, index: number, state: number, began?: number | null, ended?: number | null];

export const BEGIN_US = 1e15;

export function snapshot(rows: readonly Row[], more: Partial<SnapshotMessage> = {}): SnapshotMessage {
  const us = (seconds: number | null | undefined): number | null =>
    seconds === null || seconds === undefined ? null : BEGIN_US + seconds * 1e6;
  return {
    type: "snapshot",
    batch: 1,
    run: { id: "r" },
    seq: 1,
    now_us: BEGIN_US + 60e6,
    run_state: S.RUNNING,
    started_us: BEGIN_US,
    columns: {
      node: rows.map(([node]) => node),
      index: rows.map(([, index]) => index),
      state: rows.map(([, , state]) => state),
      attempt: rows.map(([, , , began]) => (began === undefined ? 0 : 1)),
      loop: rows.map(() => 1),
      started_us: rows.map(([, , , began]) => us(began)),
      ended_us: rows.map(([, , , , ended]) => us(ended)),
    },
    ...more,
  };
}

/** Tasks are now in these states, one event each. */
export function events(batch: number, seq: number, changes: readonly (readonly [number, number])[]): EventsMessage {
  return {
    type: "events",
    batch,
    now_us: BEGIN_US + 60e6,
    columns: {
      seq: changes.map((_, place) => seq + place),
      at_us: changes.map(() => BEGIN_US + 50e6),
      kind: changes.map(() => "task"),
      node: changes.map(([node]) => node),
      index: changes.map(() => -1),
      attempt: changes.map(() => 1),
      loop: changes.map(() => 1),
      state: changes.map(([, state]) => state),
    },
  };
}

/** The same events, of one child. */
export function ofChild(index: number, told: EventsMessage): EventsMessage {
  return { ...told, columns: { ...told.columns, index: told.columns.seq.map(() => index) } };
}

/** The same events; what has failed is to be tried again. */
export function reopened(told: EventsMessage): EventsMessage {
  return { ...told, columns: { ...told.columns, kind: told.columns.seq.map(() => "reopened") } };
}

/** What was answered has been taken in. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A flow of tasks one below the other, drawn as views/svg.py does. */
export function chain(names: readonly string[], more: Partial<FlowMessage> = {}): FlowMessage {
  const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const boxes = names.map(
    (name, place) => `<g id="node-${place}" class="node task state-none"><title>${escaped(name)}</title>
      <polygon class="shape border" fill="#f2f2f2" points="0,${place * 60} 100,${place * 60} 100,${place * 60 + 30} 0,${place * 60 + 30}"/>
      <text class="name" x="50" y="${place * 60 + 12}">${escaped(name)}</text>
      <text class="state" x="50" y="${place * 60 + 24}"></text></g>`,
  );
  return {
    type: "flow",
    name: "demo",
    svg: `<svg xmlns="http://www.w3.org/2000/svg" class="nbflow" viewBox="0 0 100 ${names.length * 60}"><g class="graph">${boxes.join("")}</g></svg>`,
    nodes: names.map((name, task) => ({ id: `node-${task}`, task, name })),
    edges: names.slice(1).map((_, place) => ({ from: place, to: place + 1 })),
    can: { cancel: true, run_from: true, run_only: false },
    hint: "use Interrupt (■)",
    ...more,
  };
}
