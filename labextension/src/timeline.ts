// When what ran, and the chain of tasks that the run had to wait for.

import type { Run } from "./run";
import { UNMAPPED } from "./run";

export interface Edge {
  readonly from: number;
  readonly to: number;
}

export interface Bar {
  /** The task run's number. */
  readonly number: number;
  readonly task: number;
  readonly index: number;
  readonly beginS: number;
  readonly endS: number;
}

export interface Timeline {
  /** One bar for each task run that has begun, in the order in which they began; seconds after the first began. */
  readonly bars: readonly Bar[];
  readonly lengthS: number;
}

/** A mapped task with more children than this has one bar, from the first child that began to the last that ended. */
const MOST_CHILDREN = 16;

export function timelineOf(run: Run, nowUs: number): Timeline {
  const folded = new Set<number>();
  for (const [task, children] of run.children) if (children.width > MOST_CHILDREN) folded.add(task);
  const spans: { number: number; begin: number; end: number }[] = [];
  for (let number = 0; number < run.state.length; number++) {
    const [task, index] = run.placeOf(number);
    const isParent = index === UNMAPPED && run.children.has(task);
    if (index !== UNMAPPED && folded.has(task)) continue;
    if (isParent && !folded.has(task)) continue; // its children have the bars
    const span = isParent ? spanOf(run, task, nowUs) : ownSpan(run, number, nowUs);
    if (span) spans.push({ number, begin: span[0], end: span[1] });
  }
  spans.sort((a, b) => a.begin - b.begin || a.number - b.number);
  const first = run.runStartedUs ?? spans[0]?.begin ?? 0;
  const origin = Math.min(first, spans[0]?.begin ?? first);
  const bars = spans.map(({ number, begin, end }) => {
    const [task, index] = run.placeOf(number);
    return { number, task, index, beginS: (begin - origin) / 1e6, endS: (end - origin) / 1e6 };
  });
  const lengthS = bars.reduce((most, bar) => Math.max(most, bar.endS), 0);
  return { bars, lengthS };
}

function ownSpan(run: Run, number: number, nowUs: number): [number, number] | null {
  const begin = run.startedUs[number];
  const seconds = run.durationS(number, nowUs);
  return begin === null || begin === undefined || seconds === null ? null : [begin, begin + seconds * 1e6];
}

/** From when to when a task ran: a mapped one from the first child's beginning to the last one's end. */
function spanOf(run: Run, task: number, nowUs: number): [number, number] | null {
  const children = run.children.get(task);
  if (!children?.width) return ownSpan(run, task, nowUs);
  let span: [number, number] | null = null;
  for (let number = children.first; number < children.first + children.width; number++) {
    const one = ownSpan(run, number, nowUs);
    if (one) span = span ? [Math.min(span[0], one[0]), Math.max(span[1], one[1])] : one;
  }
  return span ?? ownSpan(run, task, nowUs);
}

/**
 * The chain of tasks that no number of workers can shorten.
 *
 * Costs O(tasks + edges). Edges of a cycle are left out.
 *
 * Source: J. E. Kelley and M. R. Walker, "Critical-Path Planning and Scheduling", 1959.
 *
 * @param size how many tasks there are.
 * @param edges from a task to the one that waits for it.
 * @param seconds how long each takes; 0 for those that did not run.
 * @returns the tasks in their order, and how long they take together.
 */
export function criticalPath(
  size: number,
  edges: readonly Edge[],
  seconds: (task: number) => number,
): { tasks: number[]; lengthS: number } {
  const waiting = new Int32Array(size);
  const downstream = new Map<number, number[]>();
  for (const { from, to } of edges) {
    if (from < 0 || to < 0 || from >= size || to >= size) continue;
    waiting[to] = (waiting[to] ?? 0) + 1;
    const after = downstream.get(from);
    if (after) after.push(to);
    else downstream.set(from, [to]);
  }
  const length = new Float64Array(size); // of the longest chain that ends with this task
  const before = new Int32Array(size).fill(-1);
  const ready: number[] = [];
  for (let task = 0; task < size; task++) if (!waiting[task]) ready.push(task);
  let last = -1;
  for (let at = 0; at < ready.length; at++) {
    const task = ready[at] as number;
    const ended = (length[task] ?? 0) + Math.max(0, seconds(task));
    length[task] = ended;
    if (last < 0 || ended > (length[last] ?? 0)) last = task;
    for (const after of downstream.get(task) ?? []) {
      if (ended > (length[after] ?? 0)) {
        length[after] = ended;
        before[after] = task;
      }
      waiting[after] = (waiting[after] ?? 0) - 1;
      if (!waiting[after]) ready.push(after);
    }
  }
  const tasks: number[] = [];
  for (let task = last; task >= 0; task = before[task] ?? -1) tasks.push(task);
  return { tasks: tasks.reverse(), lengthS: last < 0 ? 0 : (length[last] ?? 0) };
}

/** The critical path of a run by what was measured; tasks without a duration are left out of it. */
export function criticalTasks(run: Run, edges: readonly Edge[], nowUs: number): number[] {
  const seconds = (task: number): number => {
    const span = spanOf(run, task, nowUs);
    return span ? (span[1] - span[0]) / 1e6 : 0;
  };
  return criticalPath(run.size, edges, seconds).tasks.filter((task) => seconds(task) > 0);
}

/** How long these tasks took together, each from its first bar's beginning to the end of its last; O(bars). */
export function secondsOf(bars: Iterable<Bar>, tasks: ReadonlySet<number>): number {
  const spans = new Map<number, [number, number]>();
  for (const { task, beginS, endS } of bars) {
    if (!tasks.has(task)) continue;
    const [begin, end] = spans.get(task) ?? [beginS, endS];
    spans.set(task, [Math.min(begin, beginS), Math.max(end, endS)]);
  }
  return [...spans.values()].reduce((sum, [begin, end]) => sum + end - begin, 0);
}
