// The run as a table: the same as the picture, for those who search, sort or listen.

import { gravest, shortCounts, shownSeconds } from "../counts";
import { UNMAPPED } from "../run";
import { GRAVITY, STATES } from "../theme/states.generated";
import { duration, folded, stateText } from "../words";
import type { Context, Pane, SortKey } from "./context";
import { h, setAttribute, setText } from "./dom";
import { Windowed } from "./windowed";

const ROW = 28;
const COLUMNS: readonly (readonly [SortKey, string])[] = [
  ["task", "Task"],
  ["state", "State"],
  ["seconds", "Duration"],
  ["attempt", "Attempt"],
  ["began", "Began"],
  ["group", "Group"],
];

interface TaskRow {
  readonly key: string;
  readonly task: number;
  readonly index: number;
  readonly name: string;
  readonly state: number | null;
  readonly line: string;
  readonly seconds: number | null;
  readonly attempt: number;
  readonly began: number | null;
  readonly group: string;
  readonly stale: string | null;
  /** How many children it has. */
  readonly width: number;
}

export class TablePane implements Pane {
  readonly element: HTMLElement;
  readonly #heads = new Map<SortKey, HTMLElement>();
  readonly #body = h("tbody", {});
  readonly #table: HTMLElement;
  readonly #filter: HTMLSelectElement;
  readonly #frame: HTMLElement;
  readonly #rows: Windowed<TaskRow, HTMLElement>;

  constructor(private readonly context: Context) {
    const heads = COLUMNS.map(([key, text]) => {
      const sort = (): void => this.#sort(key);
      const head = h("th", { scope: "col" }, h("button", { type: "button", click: sort }, text));
      this.#heads.set(key, head);
      return head;
    });
    this.#table = h("table", {}, h("thead", {}, h("tr", { "aria-rowindex": 1 }, ...heads)), this.#body);
    this.#filter = h("select", { "aria-label": "State", change: () => this.#filterBy(this.#filter.value) });
    this.#frame = h("div", { class: "nbflow-scroll", tabindex: "-1" }, this.#table);
    this.#rows = new Windowed(this.#frame, this.#body, ROW, () => this.#make(), this.#fill, "tr");
    const bar = h("label", { class: "nbflow-filterbar" }, "Show ", this.#filter);
    this.element = h("div", { class: "nbflow-table" }, bar, this.#frame);
  }

  rebuild(): void {
    setAttribute(this.#table, "aria-label", `Tasks of ${this.context.live.flow?.name ?? "the flow"}`);
    this.update(null);
  }

  update(_taskRuns: ReadonlySet<number> | null): void {
    this.#showFilter();
    const { memory } = this.context;
    const query = folded(memory.query.trim());
    const rows = [...(this.context.live.flow?.tasks.keys() ?? [])].map((task) => this.#rowOf(task, UNMAPPED));
    const matching = rows.filter((row) => this.#isShown(row, query));
    const shown = this.#withChildren(sorted(matching, memory.sort, memory.isDescending));
    setAttribute(this.#table, "aria-rowcount", String(shown.length + 1));
    for (const [key, head] of this.#heads) {
      const order = memory.isDescending ? "descending" : "ascending";
      setAttribute(head, "aria-sort", key === memory.sort ? order : "none");
    }
    this.#table.classList.toggle(
      "has-groups",
      rows.some(({ group }) => group !== ""),
    );
    this.#rows.show(shown);
  }

  tick(): void {
    if (this.context.live.isRunning) this.update(null);
  }

  #isShown(row: TaskRow, query: string): boolean {
    const { stateFilter } = this.context.memory;
    if (query && !folded(row.name).includes(query) && !folded(row.group).includes(query)) return false;
    if (stateFilter === null) return true;
    const counts = this.context.live.run?.childCounts.get(row.task);
    return row.state === stateFilter || (counts?.[stateFilter] ?? 0) > 0;
  }

  #withChildren(rows: readonly TaskRow[]): TaskRow[] {
    const { memory } = this.context;
    if (!memory.expanded.size) return [...rows];
    return rows.flatMap((row) => {
      if (!memory.expanded.has(row.task)) return [row];
      const all = Array.from({ length: row.width }, (_, index) => this.#rowOf(row.task, index));
      const children = all.filter((one) => memory.stateFilter === null || one.state === memory.stateFilter);
      return [row, ...(memory.sort === "task" ? children : sorted(children, memory.sort, memory.isDescending))];
    });
  }

  #rowOf(task: number, index: number): TaskRow {
    const { flow, run, nowUs } = this.context.live;
    const facts = flow?.tasks.get(task);
    const children = run?.children.get(task);
    const number = index === UNMAPPED ? task : (children?.first ?? 0) + index;
    const counts = index === UNMAPPED && children?.width ? run?.childCounts.get(task) : undefined;
    const own = run?.state[number] ?? null;
    const state = counts ? (gravest(counts) ?? own) : own;
    const word = state === null ? "" : stateText(state);
    return {
      key: `${task} ${index}`,
      task,
      index,
      name: flow?.nameOf(task, index) ?? "",
      state,
      line: counts ? shortCounts(counts) : word,
      seconds: run ? shownSeconds(run, number, nowUs) : null,
      attempt: run?.attempt[number] ?? 0,
      began: run?.startedUs[number] ?? null,
      group: facts?.group ?? facts?.tags.join(", ") ?? "",
      stale: flow?.stale.get(task) ?? null,
      width: index === UNMAPPED ? (children?.width ?? 0) : 0,
    };
  }

  #make(): HTMLElement {
    const name = h("button", { type: "button", class: "nbflow-link nbflow-name" });
    const more = h("button", { type: "button", class: "nbflow-more", hidden: true });
    const cells = COLUMNS.slice(1).map(() => h("td", {}));
    cells[0]?.append(h("span", { class: "nbflow-chip" }), h("small", {}));
    return h("tr", {}, h("th", { scope: "row" }, more, name), ...cells);
  }

  readonly #fill = (element: HTMLElement, row: TaskRow, place: number): void => {
    const [head, state, seconds, attempt, began, group] = element.children as unknown as HTMLElement[];
    const [more, name] = (head?.children ?? []) as unknown as [HTMLButtonElement, HTMLButtonElement];
    setText(name, row.name);
    name.title = row.stale === null ? row.name : `${row.name}, stale${row.stale ? `: ${row.stale}` : ""}`;
    name.onclick = () => this.context.choose({ task: row.task, index: row.index });
    this.#fillMore(more, row);
    element.classList.toggle("is-child", row.index !== UNMAPPED);
    element.classList.toggle("is-stale", row.stale !== null);
    const { chosen } = this.context.memory;
    element.classList.toggle("is-chosen", chosen?.task === row.task && chosen.index === row.index);
    const one = state?.firstElementChild as HTMLElement;
    setText(one, row.line);
    setText(state?.lastElementChild as HTMLElement, row.stale === null ? "" : " ⟲ stale");
    setAttribute(one, "class", `nbflow-chip ${row.state === null ? "" : (STATES[row.state]?.className ?? "")}`);
    if (seconds) setText(seconds, row.seconds === null ? "" : duration(row.seconds));
    if (attempt) setText(attempt, row.attempt ? String(row.attempt) : "");
    const origin = this.context.live.run?.runStartedUs ?? this.context.live.run?.firstUs;
    if (began)
      setText(began, row.began === null || !origin ? "" : `+${duration(Math.max(0, (row.began - origin) / 1e6))}`);
    if (group) setText(group, row.group);
    setAttribute(element, "aria-rowindex", String(place + 2));
  };

  #fillMore(more: HTMLButtonElement, row: TaskRow): void {
    const { memory } = this.context;
    const isOpen = memory.expanded.has(row.task);
    more.hidden = row.width === 0;
    setText(more, isOpen ? "▾" : "▸");
    setAttribute(more, "aria-expanded", String(isOpen));
    setAttribute(more, "aria-label", `Children of ${row.name}`);
    more.onclick = () => {
      if (isOpen) memory.expanded.delete(row.task);
      else memory.expanded.add(row.task);
      this.update(null);
    };
  }

  #sort(key: SortKey): void {
    const { memory } = this.context;
    memory.isDescending = memory.sort === key ? !memory.isDescending : key === "seconds";
    memory.sort = key;
    this.update(null);
  }

  #showFilter(): void {
    const { run } = this.context.live;
    const { stateFilter } = this.context.memory;
    const states = GRAVITY.filter((state) => run?.counts[state] || state === stateFilter);
    const wanted = ["", ...states.map(String)];
    const had = [...this.#filter.options].map((option) => option.value);
    if (wanted.join() !== had.join()) {
      const texts = states.map((state) => h("option", { value: state }, stateText(state)));
      this.#filter.replaceChildren(h("option", { value: "" }, "all tasks"), ...texts);
    }
    this.#filter.value = stateFilter === null ? "" : String(stateFilter);
  }

  #filterBy(value: string): void {
    this.context.memory.stateFilter = value === "" ? null : Number(value);
    this.update(null);
  }

  search(): number {
    this.#rows.startOver();
    this.update(null);
    return this.context.memory.query.trim() ? this.#rows.length : 0;
  }

  next(step: number): number {
    const { place, element } = this.#rows.go(step);
    element?.querySelector<HTMLElement>(".nbflow-link")?.focus({ preventScroll: true });
    return place;
  }

  dispose(): void {
    // nothing outlives the element
  }
}

function sorted(rows: readonly TaskRow[], key: SortKey, isDescending: boolean): TaskRow[] {
  const sign = isDescending ? -1 : 1;
  const gravity = new Map(GRAVITY.map((state, place) => [state, place]));
  const value = (row: TaskRow): number | string => {
    if (key === "task") return row.task * 1e6 + row.index;
    if (key === "state") return row.state === null ? 99 : (gravity.get(row.state) ?? 98);
    if (key === "group") return row.group;
    return row[key] ?? Number.NEGATIVE_INFINITY;
  };
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    return (a < b ? -1 : a > b ? 1 : one.task - other.task) * sign;
  });
}
