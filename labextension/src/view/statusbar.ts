// Where the run stands, in one line: its state, how far it has come, how long it may still take.

import { alongBar, toldCounts } from "../counts";
import { progressOf } from "../eta";
import { isOver } from "../run";
import { S, STATES } from "../theme/states.generated";
import { counted, duration } from "../words";
import { Announcer } from "./announcer";
import type { Context } from "./context";
import { h, setAttribute, setText } from "./dom";
import { chip } from "./parts";

/** Prefect's sentences for what the state says already. */
const SAYS_NO_MORE = new Set(["All reference tasks succeeded.", "Some reference tasks failed."]);

export class StatusBar {
  readonly element: HTMLElement;
  readonly #announcer: Announcer;
  readonly #state = h("span", { class: "nbflow-run-state" });
  readonly #counts = h("span", { class: "nbflow-run-counts" });
  readonly #meter = h("div", {
    class: "nbflow-meter",
    role: "progressbar",
    "aria-label": "Tasks that have ended",
  });
  readonly #time = h("span", { class: "nbflow-run-time" });
  readonly #message = h("span", { class: "nbflow-run-message" });

  constructor(private readonly context: Context) {
    this.#announcer = new Announcer(context);
    const parts = [this.#state, this.#time, this.#meter, this.#counts, this.#message, this.#announcer.element];
    this.element = h("div", { class: "nbflow-status" }, ...parts);
  }

  update(): void {
    const { live } = this.context;
    const { run, flow } = live;
    const stale = flow?.stale.size ? `⟲ ${counted(flow.stale.size, "task")} stale` : "";
    if (!run || !flow) {
      this.#state.replaceChildren();
      setText(this.#counts, flow ? [counted(flow.tasks.size, "task"), stale].filter(Boolean).join(", ") : "");
      this.#meter.hidden = true;
      setText(this.#time, "");
      setText(this.#message, live.reason ?? (flow ? "" : "Waiting for the kernel…"));
      return;
    }
    const now = live.nowUs;
    const { counts, done, total, left } = progressOf(run, flow.edges, flow.estimate, now, flow.tasks.keys());
    const aside = run.bystanders.size;
    const others = aside ? counted(aside, "other task") : "";
    const isStopping = run.stopping !== null && !isOver(run.runState);
    const state = isStopping ? run.stopping : run.runState;
    this.#state.replaceChildren(...(state ? [chip(state)] : [])); // no run, but tasks that stand somehow
    setText(this.#counts, [toldCounts(counts), others, stale].filter(Boolean).join(", "));
    this.#showMeter(counts, done, total);
    const elapsed = run.elapsedS(now);
    const most = run.runState === S.CRASHED ? "at most " : ""; // that was found then
    const times = [elapsed === null ? "" : most + duration(elapsed), live.isRunning && !live.silence ? left : ""];
    setText(this.#time, times.filter(Boolean).join(", "));
    const message = run.message !== null && SAYS_NO_MORE.has(run.message) ? "" : run.message;
    this.#message.classList.toggle("is-news", (live.reason ?? live.silence) !== null);
    setText(this.#message, live.reason ?? live.silence ?? message ?? (isStopping ? "stopping…" : ""));
    this.#announcer.update(run, counts, elapsed);
  }

  #showMeter(counts: Int32Array, done: number, total: number): void {
    this.#meter.hidden = total === 0;
    setAttribute(this.#meter, "aria-valuemin", "0");
    setAttribute(this.#meter, "aria-valuemax", String(total));
    setAttribute(this.#meter, "aria-valuenow", String(done));
    setAttribute(this.#meter, "aria-valuetext", `${done} of ${total}`);
    this.#meter.title = toldCounts(counts);
    const parts = alongBar(counts).map((state) =>
      h("i", {
        class: `nbflow-chip ${STATES[state]?.className ?? ""}`,
        style: `flex-grow:${counts[state] ?? 0}`,
      }),
    );
    this.#meter.replaceChildren(...parts);
  }
}
