// The children of a mapped task, those that are not well first.

import { present, shownSeconds } from "../counts";
import { duration, stateText } from "../words";
import type { Context } from "./context";
import { focusedIn, h, setAttribute, setText } from "./dom";
import { chip } from "./parts";

const MOST = 200;

export class ChildList {
  readonly #filters = h("div", { class: "nbflow-filters" });
  readonly #list: HTMLElement = h("ul", { click: (event: Event) => this.#pressed(event) });
  readonly #more = h("p", { class: "nbflow-note" });
  readonly element = h("div", { class: "nbflow-children", hidden: true }, this.#filters, this.#list, this.#more);
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
    if (!run || !children?.width || task === null) return;
    const counts = run.childCounts.get(task) ?? new Int32Array(0);
    const states = present(counts);
    const shown: number[] = [];
    const wanted = new Set(this.#state === null ? states : [this.#state]);
    const byState = new Map<number, number[]>(states.map((state) => [state, []]));
    for (let index = 0; index < children.width; index++) {
      const state = run.state[children.first + index] ?? 0;
      const list = byState.get(state);
      if (wanted.has(state) && list && list.length < MOST) list.push(index);
    }
    for (const state of states) shown.push(...(byState.get(state) ?? []).slice(0, MOST - shown.length));
    const left = (this.#state === null ? children.width : (counts[this.#state] ?? 0)) - shown.length;
    const had = focusedIn(this.#list)?.getAttribute("data-index");
    this.#showFilters(states, counts);
    shown.forEach((index, place) => {
      this.#fill(place, index, children.first + index);
    });
    while (this.#list.children.length > shown.length) this.#list.lastElementChild?.remove();
    this.#more.hidden = left <= 0;
    setText(this.#more, `… and ${left.toLocaleString("en")} more`);
    if (had) this.#list.querySelector<HTMLElement>(`[data-index="${had}"]`)?.focus({ preventScroll: true });
  }

  /** Elements stay while their texts change: a press is not lost, and the list stays where it was scrolled to. */
  #showFilters(states: readonly number[], counts: Int32Array): void {
    const had = [...this.#filters.children].map((one) => Number((one as HTMLElement).dataset.state));
    if (states.length !== had.length || !states.every((state) => had.includes(state)))
      this.#filters.replaceChildren(...states.map((state) => this.#filter(state)));
    for (const one of this.#filters.children as Iterable<HTMLElement>) {
      const state = Number(one.dataset.state);
      setAttribute(one, "aria-pressed", String(this.#state === state));
      setText(one.firstElementChild as Element, `${stateText(state)} ${(counts[state] ?? 0).toLocaleString("en")}`);
    }
  }

  #filter(state: number): HTMLElement {
    const press = (): void => {
      this.#state = this.#state === state ? null : state;
      this.show(this.#task);
    };
    return h("button", { type: "button", class: "nbflow-filter", "data-state": state, click: press }, chip(state));
  }

  #fill(place: number, index: number, number: number): void {
    const { live } = this.context;
    const state = live.run?.state[number] ?? 0;
    const seconds = live.run ? shownSeconds(live.run, number, live.nowUs) : null;
    const row = this.#list.children[place] ?? this.#list.appendChild(h("li", {}, link()));
    const one = row.firstElementChild as Element;
    setAttribute(one, "data-index", String(index));
    setText(one, `[${index}] ${stateText(state)}${seconds === null ? "" : `, ${duration(seconds)}`}`);
  }

  readonly #pressed = (event: Event): void => {
    const index = (event.target as Element).closest("[data-index]")?.getAttribute("data-index");
    if (index && this.#task !== null) this.context.choose({ task: this.#task, index: Number(index) });
  };
}

function link(): HTMLElement {
  return h("button", { type: "button", class: "nbflow-link" });
}
