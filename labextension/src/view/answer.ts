// What was said to somebody who has pressed a button: it stands as long as it is true.

import { hasFailed } from "../counts";
import type { LiveFlow } from "../live";
import type { Action } from "../wire";
import { h } from "./dom";

/** Nothing was answered for so long: whoever has pressed is to know why nothing happens. */
const LATE_MS = 5_000;

export class Answer {
  readonly element = h("p", { class: "nbflow-answer", role: "status", hidden: true });
  /** Of which run it was asked, and whether that went on; what was asked for. */
  #asked: { readonly run: string | null; readonly isRunning: boolean; readonly action: Action } | null = null;

  constructor(private readonly live: LiveFlow) {}

  /** Say that it is asked for, and then what the answer is, unless that is no longer true when it comes. */
  async say(action: Action, answer: Promise<{ readonly ok: boolean; readonly text: string }>): Promise<void> {
    const asked = { run: this.#run, isRunning: this.live.isRunning, action };
    this.tell("asked…");
    this.#asked = asked;
    const late = setTimeout(() => {
      if (this.#asked === asked) this.element.textContent = "asked… The kernel has not answered yet: it may be busy.";
    }, LATE_MS);
    const { ok, text } = await answer;
    clearTimeout(late);
    if (this.#asked !== asked) return; // something else was pressed, or the run is over
    this.tell(text);
    this.#asked = ok || asked.isRunning === this.live.isRunning ? asked : null;
  }

  tell(text: string): void {
    this.#asked = null;
    this.element.textContent = text;
    this.element.hidden = text === "";
  }

  /** The run may stand differently: what was promised has come about, or cannot any more. */
  update(): void {
    if (!this.#asked || !this.#isPast(this.#asked)) return;
    this.tell("");
  }

  #isPast({ run, isRunning, action }: { run: string | null; isRunning: boolean; action: Action }): boolean {
    if (this.#run !== run || (isRunning && !this.live.isRunning)) return true;
    return action === "retry_failed" && isRunning && !hasFailed(this.live.run);
  }

  get #run(): string | null {
    return this.live.run?.facts.id ?? null;
  }
}
