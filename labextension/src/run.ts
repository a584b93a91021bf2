// One run as it unfolds: the same fold as core/run.py, proven by the same golden runs (tests/golden/README.md).

import { GRAVITY, KINDS, S, STATES } from "./theme/states.generated";
import type { EventsMessage, RunFacts, SnapshotMessage, StandColumns } from "./wire";

const RUN_ITSELF = -1;
export const UNMAPPED = -1;
const ROOM = Math.max(...Object.keys(STATES).map(Number)) + 1;
const ZERO_CHARACTER = 48;

export interface Event {
  readonly seq: number;
  readonly at_us: number;
  readonly kind: string;
  readonly node: number;
  readonly index: number;
  readonly attempt: number;
  readonly loop: number;
  readonly state: number;
  readonly data?: Readonly<Record<string, unknown>> | null;
}

/** The task runs of a mapped task are `first` to `first + width - 1`. */
export interface Children {
  readonly first: number;
  readonly width: number;
}

/** An event does not follow from those before it: something was lost on the way. */
export class OutOfOrderError extends Error {}

export function isFinal(state: number): boolean {
  return STATES[state]?.isFinal ?? false;
}

export function isFailed(state: number): boolean {
  return STATES[state]?.isFailed ?? false;
}

/** Whether nothing more happens in a run that is in this state. */
export function isOver(runState: number): boolean {
  return runState === S.PAUSED || isFinal(runState);
}

/** How many there are of each state; the place is the state's number. */
export type Counts = Int32Array;

/** Where each task run of one run stands. Task runs are numbered as in Python: the tasks first, then children. */
export class Run {
  facts: RunFacts = { id: "" };
  readonly size: number;
  readonly state: number[];
  readonly attempt: number[];
  readonly loop: number[];
  readonly startedUs: (number | null)[];
  readonly endedUs: (number | null)[];
  readonly children = new Map<number, Children>();
  /** Of each mapped task, how its children stand. */
  readonly childCounts = new Map<number, Counts>();
  /** [node, index] of the task runs from `size` on. */
  readonly origin: [number, number][] = [];
  /** {task run: {an artifact's key: its title, or the key}} */
  readonly attached = new Map<number, Map<string, string>>();
  readonly counts: Counts = new Int32Array(ROOM);
  runState: number = S.PENDING;
  stopping: number | null = null;
  message: string | null = null;
  seq = 0;
  runStartedUs: number | null = null;
  runEndedUs: number | null = null;
  /** When the first began of what a snapshot has told, be it in this run or in an earlier one. */
  firstUs: number | null = null;
  /** Task runs that have changed since somebody has asked. */
  #changed = new Set<number>();

  constructor(size: number, presets: Readonly<Record<string, number>> = {}) {
    this.size = size;
    this.state = new Array<number>(size).fill(S.PENDING);
    this.attempt = new Array<number>(size).fill(0);
    this.loop = new Array<number>(size).fill(1);
    this.startedUs = new Array<number | null>(size).fill(null);
    this.endedUs = new Array<number | null>(size).fill(null);
    this.counts[S.PENDING] = size;
    for (const [node, state] of Object.entries(presets)) this.#become(Number(node), state);
  }

  /** The run that begins with this event. */
  static fromFirstEvent(event: Event): Run {
    const graph = event.data?.graph as { names: readonly string[] };
    return new Run(graph.names.length, event.data?.presets as Record<string, number> | undefined);
  }

  /** The run as a snapshot tells it. */
  static fromSnapshot(told: SnapshotMessage, size: number): Run {
    const run = new Run(size);
    run.facts = told.run;
    run.seq = told.seq;
    run.runState = told.run_state;
    run.stopping = told.stopping ?? null;
    run.message = told.message ?? null;
    run.runStartedUs = told.started_us ?? null;
    run.runEndedUs = told.ended_us ?? null;
    for (const [node, width] of Object.entries(told.width ?? {})) run.#makeChildren(Number(node), width);
    run.#readFolded(told);
    const rows = told.columns;
    rows.node.forEach((node, row) => {
      const number = run.numberOf(node, rows.index[row] ?? UNMAPPED);
      run.#become(number, rows.state[row] ?? S.PENDING);
      run.attempt[number] = rows.attempt[row] ?? 0;
      run.loop[number] = rows.loop[row] ?? 1;
      run.startedUs[number] = rows.started_us[row] ?? null;
      run.endedUs[number] = rows.ended_us[row] ?? null;
    });
    for (const [node, index, key, title] of told.attached ?? []) run.#attach(run.numberOf(node, index), key, title);
    run.firstUs = run.runStartedUs ?? least(run.startedUs);
    if (run.runState !== S.PENDING) run.runStartedUs = run.firstUs; // else that was in an earlier run
    if (isOver(run.runState)) run.runEndedUs ??= greatest(run.endedUs);
    run.#changed.clear();
    return run;
  }

  #readFolded(told: SnapshotMessage): void {
    for (const [node, letters] of Object.entries(told.states ?? {})) {
      const children = this.children.get(Number(node));
      for (let index = 0; children && index < Math.min(children.width, letters.length); index++)
        this.#become(children.first + index, letters.charCodeAt(index) - ZERO_CHARACTER);
    }
    for (const [node, counts] of Object.entries(told.folded ?? {}))
      if (told.states?.[node] === undefined) this.#guess(Number(node), { ...counts }, told.columns);
  }

  /** Which of the children that are not listed is in which state is not told, only how many: it does not matter. */
  #guess(node: number, left: Record<string, number>, listed: StandColumns): void {
    const children = this.children.get(node);
    if (!children) return;
    const known = new Set<number>();
    listed.node.forEach((owner, row) => {
      const index = listed.index[row] ?? UNMAPPED;
      if (owner !== node || index === UNMAPPED) return;
      known.add(index);
      const state = String(listed.state[row]);
      left[state] = (left[state] ?? 0) - 1;
    });
    const rest = GRAVITY.flatMap((state) => new Array<number>(Math.max(0, left[String(state)] ?? 0)).fill(state));
    for (let index = 0; index < children.width; index++)
      if (!known.has(index)) this.#become(children.first + index, rest.pop() ?? S.PENDING);
  }

  /** Tasks that are shown, and are not in the run: they stay as they are. */
  get bystanders(): ReadonlySet<number> {
    return new Set(this.facts.bystanders ?? []);
  }

  /** The number of a task run; null: there is none by now. */
  find(node: number, index: number): number | null {
    if (index === UNMAPPED) return node >= 0 && node < this.size ? node : null;
    const children = this.children.get(node);
    return children && index >= 0 && index < children.width ? children.first + index : null;
  }

  /** The number of a task run, which there has to be. */
  numberOf(node: number, index: number): number {
    const number = this.find(node, index);
    if (number !== null) return number;
    throw new OutOfOrderError(index === UNMAPPED ? `there is no task ${node}` : `task ${node} has no child ${index}`);
  }

  /** [node, index] of a task run. */
  placeOf(number: number): readonly [number, number] {
    return number < this.size ? [number, UNMAPPED] : (this.origin[number - this.size] ?? [number, UNMAPPED]);
  }

  /** Take one event in; O(1) but for mapping and the end of the run. */
  apply(event: Event): void {
    if (event.seq !== this.seq + 1) throw new OutOfOrderError(`event ${event.seq} came after event ${this.seq}`);
    this.seq = event.seq;
    if (event.kind === "task") this.#applyTask(event);
    else if (event.kind === "run") this.#applyRun(event);
    else if (event.kind === "expanded") this.#expand(event);
    else if (event.kind === "verdict") this.#allow(event);
    else if (event.kind === "reopened") this.#reopen(event);
    else if (event.kind === "artifact" && typeof event.data?.key === "string")
      this.#attach(this.numberOf(event.node, event.index), event.data.key, event.data.title);
  }

  /** Take a whole batch in. */
  applyAll(message: EventsMessage): void {
    const rows = message.columns;
    for (let row = 0; row < rows.seq.length; row++) {
      if ((rows.seq[row] ?? 0) <= this.seq) continue; // told twice, which is harmless
      const kind = rows.kind[row];
      this.apply({
        seq: rows.seq[row] ?? 0,
        at_us: rows.at_us[row] ?? 0,
        kind: typeof kind === "number" ? (KINDS[kind] ?? "") : (kind ?? ""),
        node: rows.node[row] ?? RUN_ITSELF,
        index: rows.index[row] ?? UNMAPPED,
        attempt: rows.attempt[row] ?? 0,
        loop: rows.loop[row] ?? 1,
        state: rows.state[row] ?? S.PENDING,
        data: message.data?.[String(row)] ?? null,
      });
    }
  }

  #applyTask(event: Event): void {
    const number = this.numberOf(event.node, event.index);
    const old = this.state[number] ?? S.PENDING;
    if (isFinal(old)) throw new OutOfOrderError(`task run ${number} is ${STATES[old]?.word} for good`);
    this.#become(number, event.state);
    if (event.state === S.RUNNING) {
      this.attempt[number] = event.attempt;
      this.startedUs[number] = event.at_us;
      this.endedUs[number] = null;
    } else if (old === S.RUNNING || isFinal(event.state)) {
      this.endedUs[number] = event.at_us;
    }
    if (event.state === S.LOOPED) {
      this.loop[number] = event.loop + 1;
      this.attempt[number] = 0;
    }
  }

  #applyRun(event: Event): void {
    this.runState = event.state;
    if (event.state === S.RUNNING) {
      this.runStartedUs ??= event.at_us;
      this.runEndedUs = null; // it had been paused
    }
    if (typeof event.data?.stopping === "number") this.stopping = event.data.stopping;
    if (typeof event.data?.message === "string") this.message = event.data.message;
    if (isOver(event.state)) this.runEndedUs = event.at_us;
    if (!isFinal(event.state)) return;
    const aside = this.bystanders;
    this.state.forEach((state, number) => {
      if (isFinal(state) || aside.has(number)) return;
      if (state === S.RUNNING) this.endedUs[number] = event.at_us;
      this.#become(number, event.state === S.CRASHED && state === S.RUNNING ? S.CRASHED : S.NOT_RUN);
    });
  }

  #expand(event: Event): void {
    if (this.children.has(event.node)) throw new OutOfOrderError(`task ${event.node} was mapped already`);
    this.#makeChildren(event.node, Number(event.data?.width ?? 0));
    this.#become(event.node, S.EXPANDED);
    this.startedUs[event.node] = event.at_us;
  }

  #allow(event: Event): void {
    const number = this.numberOf(event.node, event.index);
    if (this.state[number] === S.PAUSED) this.#become(number, S.PENDING);
  }

  /** It had ended, and waits for another try, or for its children. */
  #reopen(event: Event): void {
    const number = this.numberOf(event.node, event.index);
    this.#become(number, event.state);
    this.endedUs[number] = null;
    if (event.state !== S.EXPANDED) this.startedUs[number] = null;
  }

  #attach(number: number, key: string, title: unknown): void {
    const known = this.attached.get(number) ?? new Map<string, string>();
    known.set(key, typeof title === "string" && title ? title : key);
    this.attached.set(number, known);
    this.#changed.add(number);
  }

  #makeChildren(node: number, width: number): void {
    const first = this.state.length;
    this.children.set(node, { first, width });
    const counts = new Int32Array(ROOM);
    counts[S.PENDING] = width;
    this.childCounts.set(node, counts);
    this.counts[S.PENDING] = (this.counts[S.PENDING] ?? 0) + width;
    for (let index = 0; index < width; index++) {
      this.state.push(S.PENDING);
      this.attempt.push(0);
      this.loop.push(1);
      this.startedUs.push(null);
      this.endedUs.push(null);
      this.origin.push([node, index]);
    }
  }

  #become(number: number, state: number): void {
    const old = this.state[number] ?? S.PENDING;
    this.state[number] = state;
    move(this.counts, old, state);
    if (number >= this.size) {
      const [node] = this.placeOf(number);
      const counts = this.childCounts.get(node);
      if (counts) move(counts, old, state);
    }
    this.#changed.add(number);
  }

  /** The task runs that have changed since this was last asked. */
  takeChanged(): ReadonlySet<number> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** Seconds that a task run has taken, or takes so far; null: it has not begun. */
  durationS(number: number, nowUs: number): number | null {
    const began = this.startedUs[number];
    if (began === null || began === undefined) return null;
    const ended = this.endedUs[number];
    const isBusy = this.state[number] === S.RUNNING || this.state[number] === S.EXPANDED;
    if ((ended === null || ended === undefined) && !isBusy) return null;
    return Math.max(0, ((ended ?? nowUs) - began) / 1e6);
  }

  /** Seconds that the run has taken so far, or has taken. */
  elapsedS(nowUs: number): number | null {
    if (this.runStartedUs === null) return null;
    return Math.max(0, ((this.runEndedUs ?? nowUs) - this.runStartedUs) / 1e6);
  }
}

function move(counts: Counts, old: number, state: number): void {
  counts[old] = (counts[old] ?? 0) - 1;
  counts[state] = (counts[state] ?? 0) + 1;
}

function least(values: readonly (number | null)[]): number | null {
  let found: number | null = null;
  for (const value of values) if (value !== null && (found === null || value < found)) found = value;
  return found;
}

function greatest(values: readonly (number | null)[]): number | null {
  let found: number | null = null;
  for (const value of values) if (value !== null && (found === null || value > found)) found = value;
  return found;
}
