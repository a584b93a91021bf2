// How many task runs are in which state, in words; the same as views/table.py and core.run.tally.

import { type Counts, isFailed, isFinal, isOver, type Run } from "./run";
import { GRAVITY, S, STATES } from "./theme/states.generated";

/** The one state to be told where only one can be. */
export function gravest(counts: Counts): number | null {
  return GRAVITY.find((state) => (counts[state] ?? 0) > 0) ?? null;
}

/** `3 failed, 180 success` */
export function toldCounts(counts: Counts): string {
  return present(counts)
    .map((state) => `${count(counts, state).toLocaleString("en")} ${STATES[state]?.word}`)
    .join(", ");
}

/** Counts as they fit below a name: `✗ 3 ✓ 180`; of more than three states the least grave are left out. */
export function shortCounts(counts: Counts, most = 3): string {
  const told = present(counts).map((state) => `${STATES[state]?.glyph} ${count(counts, state)}`);
  return (told.length <= most ? told : [...told.slice(0, most - 1), "…"]).join("\u2002");
}

/** The states that occur, the gravest first. */
export function present(counts: Counts): number[] {
  return GRAVITY.filter((state) => count(counts, state) > 0);
}

/** The states that occur as they follow one another along a bar: what went well, what did not, what runs, what is to come. */
export function alongBar(counts: Counts): number[] {
  const states = present(counts);
  return [...states.filter(isFinal).reverse(), ...states.filter((state) => !isFinal(state))];
}

export function total(counts: Counts): number {
  return counts.reduce((sum, one) => sum + one, 0);
}

/** As people are told: a mapped task counts as its children, and by itself without any. */
export function tally(run: Run, tasks?: Iterable<number>): Counts {
  const counts = new Int32Array(run.counts.length);
  for (const task of tasks ?? range(run.size)) {
    const children = run.childCounts.get(task);
    if (children && (run.children.get(task)?.width ?? 0) > 0) {
      children.forEach((one, state) => {
        counts[state] = (counts[state] ?? 0) + one;
      });
    } else {
      const state = run.state[task] ?? 0;
      counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  return counts;
}

/** The same of the tasks that the run is about: of these, those that it leaves as they are do not count. */
export function tallyInRun(run: Run, tasks?: Iterable<number>): Counts {
  const aside = run.bystanders;
  return tally(run, aside.size ? [...(tasks ?? range(run.size))].filter((task) => !aside.has(task)) : tasks);
}

/** Whether there is something that failed, to be tried again: in a run that goes on only what is in that run. */
export function hasFailed(run: Run | null): boolean {
  if (!run) return false;
  const isPart = run.bystanders.size > 0 && !isOver(run.runState);
  return hasFailures(isPart ? tallyInRun(run) : run.counts);
}

export function hasFailures(counts: Counts): boolean {
  return counts.some((count, state) => count > 0 && isFailed(state));
}

/**
 * How long a task run has taken, if that says anything: what was not done took no time, and when a process was lost nobody
 * knows, only when that was found.
 */
export function shownSeconds(run: Run, number: number, nowUs: number): number | null {
  const state = run.state[number];
  if (state === S.CRASHED && run.runState === S.CRASHED && run.endedUs[number] === run.runEndedUs) return null;
  return state === S.SKIPPED || state === S.CACHED ? null : run.durationS(number, nowUs);
}

function count(counts: Counts, state: number): number {
  return counts[state] ?? 0;
}

function* range(end: number): Generator<number> {
  for (let number = 0; number < end; number++) yield number;
}
