// Buttons of a view: its tabs, searching, grouping, zooming, and what can be done with the run.

import { hasFailed } from "../counts";
import type { Grouping } from "../flow";
import type { Action } from "../wire";
import type { Context, Tab } from "./context";
import { h, setText } from "./dom";
import { button, setEnabled } from "./parts";

const TABS: readonly (readonly [Tab, string])[] = [
  ["graph", "Graph"],
  ["timeline", "Timeline"],
  ["table", "Table"],
];
const CANCEL = "■ Cancel";
const GROUPINGS: Readonly<Record<Grouping, string>> = { heading: "headings", tag: "tags", name: "names" };

export interface ToolbarWishes {
  show(tab: Tab): void;
  group(by: Grouping | null): void;
  search(query: string): number;
  next(step: number): number;
  zoom(step: number): void;
  fit(): void;
  act(action: Action): void;
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly searchField: HTMLInputElement;
  readonly #tabs = new Map<Tab, HTMLButtonElement>();
  readonly #found = h("span", { class: "nbflow-found", role: "status" });
  readonly #grouping: HTMLSelectElement;
  readonly #groupingLabel: HTMLElement;
  readonly #zoom: HTMLElement;
  readonly #cancel: HTMLButtonElement;
  readonly #retry: HTMLButtonElement;
  #count = 0;

  constructor(
    private readonly context: Context,
    private readonly wishes: ToolbarWishes,
    id: string,
  ) {
    const tabList = h("div", { role: "tablist", class: "nbflow-tabs", keydown: this.#tabKey });
    for (const [tab, text] of TABS) {
      const one = button(text, () => wishes.show(tab), {
        role: "tab",
        id: `${id}-${tab}-tab`,
        "aria-controls": `${id}-${tab}`,
      });
      this.#tabs.set(tab, one);
      tabList.append(one);
    }
    this.searchField = h("input", {
      type: "search",
      placeholder: "Search tasks",
      "aria-label": "Search tasks by name",
      input: () => this.#searched(),
      keydown: this.#searchKey,
    });
    this.#grouping = h("select", {
      "aria-label": "Group tasks",
      change: () => wishes.group((this.#grouping.value || null) as Grouping | null),
    });
    this.#groupingLabel = h("label", {}, "Group ", this.#grouping);
    this.#zoom = h(
      "div",
      { class: "nbflow-buttons" },
      button("−", () => wishes.zoom(-1), { title: "Zoom out (-)", "aria-label": "Zoom out" }),
      button("+", () => wishes.zoom(1), { title: "Zoom in (+), or Ctrl and the wheel", "aria-label": "Zoom in" }),
      button("Fit", () => wishes.fit(), { title: "Show all of it (0)" }),
    );
    this.#cancel = this.#action("cancel", CANCEL, "Stop the run");
    this.#retry = this.#action("retry_failed", "↻ Retry failed", "Run again what has failed, and what waits for it");
    const actions = h("div", { class: "nbflow-buttons" }, this.#cancel, this.#retry);
    const search = h("div", { class: "nbflow-search" }, this.searchField, this.#found);
    this.element = h("div", { class: "nbflow-toolbar" }, tabList, search, this.#groupingLabel, this.#zoom, actions);
  }

  #action(action: Action, text: string, title: string): HTMLButtonElement {
    return button(text, () => this.wishes.act(action), { title, "data-title": title });
  }

  update(tab: Tab, hasPicture: boolean): void {
    const { live, memory } = this.context;
    for (const [name, one] of this.#tabs) {
      one.setAttribute("aria-selected", String(name === tab));
      one.tabIndex = name === tab ? 0 : -1;
    }
    const groupings = live.flow?.groupings() ?? [];
    const values = ["", ...groupings];
    if ([...this.#grouping.options].map((option) => option.value).join() !== values.join())
      this.#grouping.replaceChildren(
        h("option", { value: "" }, "nothing"),
        ...groupings.map((by) => h("option", { value: by }, `by ${GROUPINGS[by]}`)),
      );
    this.#grouping.value = memory.grouping ?? "";
    this.#groupingLabel.hidden = tab !== "graph" || groupings.length === 0;
    this.#zoom.hidden = tab !== "graph" || !hasPicture;
    this.updateActions();
  }

  updateActions(): void {
    const { live } = this.context;
    const isLive = live.connection === "live";
    setEnabled(this.#cancel, isLive && live.can.cancel === true, live.isRunning ? live.whyNot : "Nothing runs.");
    setEnabled(this.#retry, isLive && live.can.retry_failed === true, live.whyNot);
    setText(this.#cancel, live.isCancelling ? "asked to cancel…" : CANCEL);
    this.#cancel.hidden = !live.isRunning;
    this.#retry.hidden = !hasFailed(live.run) || live.can.retry_failed === undefined || live.isCancelling;
  }

  readonly #tabKey = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const names = TABS.map(([tab]) => tab);
    const at = names.findIndex((tab) => this.#tabs.get(tab) === event.target);
    const next = names[(at + step + names.length) % names.length];
    if (!next) return;
    event.preventDefault();
    this.wishes.show(next);
    this.#tabs.get(next)?.focus();
  };

  #searched(): void {
    this.#count = this.wishes.search(this.searchField.value);
    this.#showFound(0);
  }

  /** The number of matches may be another in another tab. */
  showCount(count: number): void {
    this.#count = count;
    this.#showFound(0);
  }

  #showFound(at: number): void {
    const query = this.searchField.value.trim();
    const text = !query
      ? ""
      : this.#count
        ? at
          ? `${at.toLocaleString("en")} of ${this.#count.toLocaleString("en")}`
          : `${this.#count.toLocaleString("en")} found`
        : "none";
    setText(this.#found, text);
  }

  readonly #searchKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#showFound(this.wishes.next(event.shiftKey ? -1 : 1));
    } else if (event.key === "Escape" && this.searchField.value) {
      event.preventDefault();
      event.stopPropagation();
      this.searchField.value = "";
      this.#searched();
    }
  };
}
