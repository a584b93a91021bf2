// What screen readers are told without being asked: how the run goes as a whole, and which tasks have failed.

import { toldCounts } from "../counts";
import { isOver, type Run } from "../run";
import { S, STATES } from "../theme/states.generated";
import { counted, duration } from "../words";
import type { Context } from "./context";
import { h, setText } from "./dom";

/** Failures are told no more often: many at once in one sentence. */
const REST_MS = 3_000;
const MOST_NAMES = 3;
const OWN_FAULT: ReadonlySet<number> = new Set([S.FAILED, S.TIMED_OUT, S.VALIDATION_FAILED, S.CRASHED]);

type Place = readonly [task: number, index: number];

export class Announcer {
  readonly element = h("div", { class: "nbflow-hidden", "aria-live": "polite", role: "status" });
  #standing = "";
  #run = "";
  /** Task runs that have failed, and were told or had failed when we came; by their places, as numbers are each snapshot's own. */
  #failed = new Map<string, Place>();
  #lastMs = 0;

  constructor(private readonly context: Context) {}

  /** @param counts how many tasks are in which state. */
  update(run: Run, counts: Int32Array, elapsed: number | null): void {
    const name = this.context.live.flow?.name ?? "Run";
    const isOtherRun = run.facts.id !== this.#run;
    const standing = `${run.facts.id} ${run.runState} ${run.stopping}`;
    const isFirst = this.#standing === "";
    const hasEnded = isOver(run.runState);
    if (isOtherRun) this.#failed = failedOf(run); // they had failed when we came
    for (const [key, place] of this.#failed) if (!hasFailed(run, place)) this.#failed.delete(key); // it is tried again
    this.#run = run.facts.id;
    if (standing !== this.#standing) {
      this.#standing = standing;
      if ((isFirst && hasEnded) || run.runState === S.PENDING) return; // it was over when we came, or does not go yet
      const took = elapsed === null ? "" : `, in ${duration(elapsed)}`;
      const ended = hasEnded ? `: ${toldCounts(counts)}${took}` : "";
      const word = run.stopping !== null && !hasEnded ? "is stopping" : (STATES[run.runState]?.word ?? "");
      setText(this.element, `${name} ${word}${ended}`);
    } else if (!hasEnded && Date.now() - this.#lastMs >= REST_MS) this.#tellFailed(run);
  }

  #tellFailed(run: Run): void {
    const some = [...OWN_FAULT].reduce((sum, state) => sum + (run.counts[state] ?? 0), 0);
    if (some <= this.#failed.size) return;
    const failed = failedOf(run);
    const names = [...failed]
      .filter(([key]) => !this.#failed.has(key))
      .map(([, place]) => this.context.live.flow?.nameOf(...place));
    this.#failed = failed;
    this.#lastMs = Date.now();
    const more = names.length - MOST_NAMES;
    const and = more > 0 ? ` and ${counted(more, "other")}` : "";
    setText(this.element, `${names.slice(0, MOST_NAMES).join(", ")}${and} failed`);
  }
}

function failedOf(run: Run): Map<string, Place> {
  const failed = new Map<string, Place>();
  run.state.forEach((state, number) => {
    if (!OWN_FAULT.has(state)) return;
    const place = run.placeOf(number);
    failed.set(place.join(), place);
  });
  return failed;
}

function hasFailed(run: Run, [task, index]: Place): boolean {
  const number = run.find(task, index);
  return number !== null && OWN_FAULT.has(run.state[number] ?? S.PENDING);
}
