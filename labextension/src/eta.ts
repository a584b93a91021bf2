// How far a run has come, and how long it may still take by what its tasks took in earlier runs: as views/remaining.py.

import { tallyInRun } from "./counts";
import type { Counts, Run } from "./run";
import { isFinal, isOver } from "./run";
import { S } from "./theme/states.generated";
import type { Edge } from "./timeline";
import { criticalPath } from "./timeline";
import type { Estimate } from "./wire";
import { roughly } from "./words";

export interface Progress {
  /** Of the tasks that are in the run; children of mapped tasks are counted each, their parents not. */
  readonly counts: Counts;
  /** Those of them that have ended. */
  readonly done: number;
  readonly total: number;
  /** Seconds that are left; null where history does not say enough. */
  readonly leftS: number | null;
  /** That in words; nothing where there are none. */
  readonly left: string;
}

interface Left {
  readonly seconds: number;
  /** All tasks that are left have run before; else it takes longer. */
  readonly isWhole: boolean;
  /** All that is known of has had its time, and something takes longer than usual. */
  readonly isLate: boolean;
}

/** Less than this share of what is left to do is known: then nothing is said. */
const LEAST_KNOWN = 0.5;
/** A task that runs for so many times what it took earlier takes longer than usual, if that is at least so many seconds. */
const LONGER = 1.5;
const LONGER_S = 2;
/** With no more than this left, what is late is all that there is to tell. */
const NEARLY_S = 1;

export function progressOf(
  run: Run,
  edges: readonly Edge[],
  estimate: Readonly<Record<string, Estimate>>,
  nowUs: number,
  tasks?: Iterable<number>,
): Progress {
  const counts = tallyInRun(run, tasks);
  let done = 0;
  let total = 0;
  counts.forEach((count, state) => {
    total += count;
    if (isFinal(state)) done += count;
  });
  const left = isOver(run.runState) ? null : leftOf(run, edges, estimate, nowUs);
  return { counts, done, total, leftS: left?.seconds ?? null, left: left ? toldLeft(left) : "" };
}

function toldLeft({ seconds, isWhole, isLate }: Left): string {
  if (isLate) return "longer than usual";
  if (isWhole && seconds < NEARLY_S) return "nearly done";
  return `${isWhole ? "about" : "at least"} ${roughly(seconds)} left`;
}

/**
 * The greater of what the chains that are left need, and of what all that is left needs at the pace of now: as many
 * tasks at once as run now, at least one.
 */
function leftOf(
  run: Run,
  edges: readonly Edge[],
  estimate: Readonly<Record<string, Estimate>>,
  nowUs: number,
): Left | null {
  const aside = run.bystanders;
  let known = 0;
  let unknown = 0;
  let work = 0;
  let busy = 0;
  let hasLate = false;
  const left = new Float64Array(run.size);
  for (let task = 0; task < run.size; task++) {
    if (aside.has(task) || isFinal(run.state[task] ?? S.PENDING)) continue;
    const median = estimate[String(task)]?.median_s;
    const ofTask = openRuns(run, task);
    busy += ofTask.running.length;
    if (median === undefined) {
      unknown++;
      continue;
    }
    known++;
    const took = ofTask.running.map((number) => run.durationS(number, nowUs) ?? 0);
    hasLate ||= took.some((seconds) => seconds > Math.max(LONGER * median, median + LONGER_S));
    const each = took.map((seconds) => Math.max(0, median - seconds));
    const sum = each.reduce((one, other) => one + other, 0) + ofTask.waiting * median;
    work += sum;
    left[task] = ofTask.waiting > 0 ? Math.max(median, ...each) : Math.max(0, ...each);
  }
  if (known + unknown === 0) return null;
  if (known / (known + unknown) < LEAST_KNOWN) return null;
  const chain = criticalPath(run.size, edges, (task) => left[task] ?? 0).lengthS;
  const seconds = Math.max(chain, work / Math.max(1, busy));
  return { seconds, isWhole: unknown === 0, isLate: hasLate && seconds <= NEARLY_S };
}

/** Of a task that has not ended: the task runs of it that run, and how many wait. */
function openRuns(run: Run, task: number): { running: number[]; waiting: number } {
  const children = run.children.get(task);
  if (!children?.width)
    return run.state[task] === S.RUNNING ? { running: [task], waiting: 0 } : { running: [], waiting: 1 };
  const running: number[] = [];
  let waiting = 0;
  for (let number = children.first; number < children.first + children.width; number++) {
    const state = run.state[number] ?? S.PENDING;
    if (state === S.RUNNING) running.push(number);
    else if (!isFinal(state)) waiting++;
  }
  return { running, waiting };
}
