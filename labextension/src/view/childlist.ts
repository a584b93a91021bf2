// The children of a mapped task, those that are not well first.

import { shownSeconds } from "../counts";
import { GRAVITY, STATES } from "../theme/states.generated";
import { duration } from "../words";
import type { Context } from "./context";
import { focusedIn, h } from "./dom";
import { chip } from "./parts";

const MOST = 200;

export class ChildList {
  readonly element = h("div", { class: "nbflow-children", hidden: true });
  #state: number | null = null;
  #task: number | null = null;

  constructor(private readonly context: Context) {}

  /** Show the children of this task; null, or a task without any: nothing. */
  show(task: number | null): void {
    const { run } = this.context.live;
    const children = task === null ? undefined : run?.children.get(task);
    this.element.hidden = !children?.width;
    if (task !== this.#task) this.#state = null;
    this.#task = task;
    if (!run || !children?.width || task === null) return this.element.replaceChildren();
    const counts = run.childCounts.get(task) ?? new Int32Array(0);
    const present = GRAVITY.filter((state) => counts[state]);
    const shown: number[] = [];
    const wanted = new Set(this.#state === null ? present : [this.#state]);
    const byState = new Map<number, number[]>(present.map((state) => [state, []]));
    for (let index = 0; index < children.width; index++) {
      const state = run.state[children.first + index] ?? 0;
      const list = byState.get(state);
      if (wanted.has(state) && list && list.length < MOST) list.push(index);
    }
    for (const state of present) shown.push(...(byState.get(state) ?? []).slice(0, MOST - shown.length));
    const rows = shown.map((index) => this.#row(task, index, children.first + index));
    const left = (this.#state === null ? children.width : (counts[this.#state] ?? 0)) - shown.length;
    const had = focusedIn(this.element)?.getAttribute("data-index");
    this.element.replaceChildren(
      h("div", { class: "nbflow-filters" }, ...present.map((state) => this.#filter(state, counts[state] ?? 0))),
      h("ul", {}, ...rows),
      left > 0 ? h("p", { class: "nbflow-note" }, `… and ${left.toLocaleString("en")} more`) : "",
    );
    if (had) this.element.querySelector<HTMLElement>(`[data-index="${had}"]`)?.focus({ preventScroll: true });
  }

  #filter(state: number, count: number): HTMLElement {
    const press = (): void => {
      this.#state = this.#state === state ? null : state;
      this.show(this.#task);
    };
    const pressed = String(this.#state === state);
    const one = chip(state, String(count));
    return h("button", { type: "button", class: "nbflow-filter", "aria-pressed": pressed, click: press }, one);
  }

  #row(task: number, index: number, number: number): HTMLElement {
    const { live } = this.context;
    const state = live.run?.state[number] ?? 0;
    const seconds = live.run ? shownSeconds(live.run, number, live.nowUs) : null;
    const facts = STATES[state];
    const text = `[${index}] ${facts?.glyph} ${facts?.word}${seconds === null ? "" : `, ${duration(seconds)}`}`;
    const press = (): void => this.context.choose({ task, index });
    return h("li", {}, h("button", { type: "button", class: "nbflow-link", "data-index": index, click: press }, text));
  }
}
