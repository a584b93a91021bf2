// When what ran: a bar for each task run that has begun, and the chain of tasks that the run had to wait for.

import { gravest, shownSeconds, toldCounts } from "../counts";
import { UNMAPPED } from "../run";
import { STATES } from "../theme/states.generated";
import { type Bar, criticalTasks, secondsOf, timelineOf } from "../timeline";
import { counted, duration, folded, isolated, moment } from "../words";
import type { Context, Pane } from "./context";
import { h, setAttribute, setText } from "./dom";
import { Windowed } from "./windowed";

const ROW = 24;
/** Ticks of the axis are no nearer to one another, in pixels. */
const TICK_APART = 90;
const MOST_TICKS = 6;
/** Of a name in the chain, in letters. */
const LONGEST_NAME = 40;
/** Percent of the track that a bar needs for its text. */
const WIDE = 14;
const NOTHING = "Nothing has run yet.";

interface BarRow {
  readonly key: string;
  readonly bar: Bar;
  readonly name: string;
  readonly state: number;
  readonly isCritical: boolean;
  readonly label: string;
  readonly told: string;
}

export class TimelinePane implements Pane {
  readonly element: HTMLElement;
  readonly #note = h("p", { class: "nbflow-note" });
  readonly #axis = h("div", { class: "nbflow-axis", "aria-hidden": "true" });
  readonly #list = h("div", { role: "list" });
  readonly #frame: HTMLElement;
  readonly #rows: Windowed<BarRow, HTMLElement>;
  #lengthS = 1;

  constructor(private readonly context: Context) {
    this.#frame = h("div", { class: "nbflow-scroll", tabindex: "-1" }, this.#list);
    this.#rows = new Windowed(this.#frame, this.#list, ROW, () => this.#make(), this.#fill, "div");
    this.element = h("div", { class: "nbflow-timeline" }, this.#note, this.#axis, this.#frame);
  }

  rebuild(): void {
    this.update(null);
  }

  update(_taskRuns: ReadonlySet<number> | null): void {
    const { live, memory } = this.context;
    const { run, flow } = live;
    if (!run || !flow) {
      this.#rows.show([]);
      return this.#tell(NOTHING);
    }
    const now = live.nowUs;
    const path = criticalTasks(run, flow.edges, now);
    const critical = new Set(path);
    const { bars, lengthS } = timelineOf(run, now);
    this.#lengthS = Math.max(lengthS, 0.001);
    const query = folded(memory.query.trim());
    const rows = bars.map((bar): BarRow => {
      const counts = bar.index === UNMAPPED ? run.childCounts.get(bar.task) : undefined;
      const state = (counts && gravest(counts)) ?? run.state[bar.number] ?? 0;
      const name = flow.nameOf(bar.task, bar.index);
      const seconds = shownSeconds(run, bar.number, now) === null ? "" : duration(bar.endS - bar.beginS);
      const word = counts ? toldCounts(counts) : (STATES[state]?.word ?? "");
      const isCritical = critical.has(bar.task);
      const told = [word, seconds, `began at ${duration(bar.beginS)}`, isCritical ? "on the critical path" : ""];
      const label = `${STATES[state]?.glyph} ${seconds || word}`;
      const key = `${bar.task} ${bar.index}`; // numbers are each snapshot's own
      return { key, bar, name, state, isCritical, label, told: told.filter(Boolean).join(", ") };
    });
    this.#rows.show(query ? rows.filter(({ name }) => folded(name).includes(query)) : rows);
    this.#drawAxis();
    if (!rows.length) return this.#tell(NOTHING);
    const shown = path.length > 8 ? [...path.slice(0, 4), null, ...path.slice(-3)] : path;
    const chain = shown.map((task) => (task === null ? "…" : isolated(flow.nameOf(task), LONGEST_NAME)));
    const chainS = secondsOf(bars, critical);
    this.#tell(`◆ Critical path, ${counted(path.length, "task")}, ${duration(chainS)}: ${chain.join(" → ")}`);
  }

  tick(): void {
    if (this.context.live.isRunning) this.update(null);
  }

  #tell(text: string): void {
    setText(this.#note, text);
  }

  #drawAxis(): void {
    const room = Math.floor((this.#axis.clientWidth * 0.75) / TICK_APART); // the names stand beside it
    const step = niceStep(this.#lengthS / Math.max(1, Math.min(MOST_TICKS, room || MOST_TICKS)));
    const ticks: HTMLElement[] = [];
    for (let place = 0; place * step <= this.#lengthS; place++) {
      const at = place * step;
      const share = at / this.#lengthS;
      const end = share > 0.9 ? { class: "is-late" } : {};
      ticks.push(h("span", { ...end, style: `left:${(share * 100).toFixed(2)}%` }, at ? moment(at, step) : "0"));
    }
    this.#axis.replaceChildren(h("div", { class: "nbflow-track" }, ...ticks));
  }

  #make(): HTMLElement {
    const bar = h("span", { class: "nbflow-span" });
    const name = h("span", { class: "nbflow-row-name nbflow-name" });
    const label = h("span", { class: "nbflow-span-label" });
    const track = h("span", { class: "nbflow-track" }, bar, label);
    const one = h("button", { type: "button", class: "nbflow-row" }, name, track);
    return h("div", { role: "listitem" }, one);
  }

  readonly #fill = (element: HTMLElement, row: BarRow): void => {
    const one = element.firstElementChild as HTMLButtonElement;
    const [name, track] = one.children as unknown as [HTMLElement, HTMLElement];
    const [bar, label] = track.children as unknown as [HTMLElement, HTMLElement];
    setText(name, `${row.isCritical ? "◆ " : ""}${row.name}`);
    const left = Math.min(99.6, (row.bar.beginS / this.#lengthS) * 100);
    const width = Math.max(0.4, Math.min(((row.bar.endS - row.bar.beginS) / this.#lengthS) * 100, 100 - left));
    bar.style.left = `${left.toFixed(2)}%`;
    bar.style.width = `${width.toFixed(2)}%`;
    const facts = STATES[row.state];
    const critical = row.isCritical ? " is-critical" : "";
    setAttribute(bar, "class", `nbflow-span nbflow-chip ${facts?.className ?? ""}${critical}`);
    const isInside = width > WIDE;
    setText(bar, isInside ? row.label : "");
    setText(label, isInside ? "" : row.label);
    const isBefore = left + width > 100 - WIDE; // after it there is no room
    label.style.left = isBefore ? "" : `${(left + width).toFixed(2)}%`;
    label.style.right = isBefore ? `${(100 - left).toFixed(2)}%` : "";
    setAttribute(one, "aria-label", `${row.name}, ${row.told}`);
    setAttribute(one, "title", `${row.name}: ${row.told}`);
    const { chosen } = this.context.memory;
    one.classList.toggle("is-chosen", chosen?.task === row.bar.task && chosen.index === row.bar.index);
    one.onclick = () => this.context.choose({ task: row.bar.task, index: row.bar.index });
  };

  search(): number {
    this.#rows.startOver();
    this.update(null);
    return this.context.memory.query.trim() ? this.#rows.length : 0;
  }

  next(step: number): number {
    return this.#rows.go(step).place;
  }

  dispose(): void {
    // nothing outlives the element
  }
}

/** Steps that are told in whole minutes or hours, in seconds. */
const LONG_STEPS = [60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400];

/** 1, 2 or 5 times a power of ten, or a round number of minutes or hours. */
function niceStep(least: number): number {
  if (least > 30) return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / 86_400) * 86_400;
  if (least > 10) return least > 20 ? 30 : 20;
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-3)));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? 10 * power;
}
