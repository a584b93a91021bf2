// A run in the page: its picture, timeline and table, and what can be done with it.

import type { Flow } from "../flow";
import type { Change, LiveFlow } from "../live";
import { Pace } from "../pace";
import type { Action, ViewState } from "../wire";
import { Answer } from "./answer";
import type { Chosen, Context, Memory, Pane, Tab } from "./context";
import { focusedIn, h, setText } from "./dom";
import { Drawer } from "./drawer";
import { GraphPane } from "./graphpane";
import { grip } from "./grip";
import { StatusBar } from "./statusbar";
import { TablePane } from "./tablepane";
import { TimelinePane } from "./timelinepane";
import { Toolbar } from "./toolbar";
import { inherit, placeAgain, viewStateOf } from "./viewstate";

const LARGE = 500;
/** How often more nodes than that are painted. */
const LARGE_EVERY_MS = 100;
const TICK_MS = 1_000;
let views = 0;

export class FlowView {
  readonly #root: HTMLElement;
  readonly #context: Context;
  readonly #status: StatusBar;
  readonly #toolbar: Toolbar;
  readonly #drawer: Drawer;
  readonly #graph: GraphPane;
  readonly #panes: Readonly<Record<Tab, Pane>>;
  /** While this view is there, the still picture below is not shown; afterwards it is. */
  readonly #hidesStill = h("style", {});
  readonly #answer: Answer;
  readonly #pace: Pace;
  readonly #unsubscribe: () => void;
  readonly #ticker: ReturnType<typeof setInterval>;
  /** Panes that have to be built anew before they are shown. */
  readonly #outdated = new Set<Tab>(["graph", "timeline", "table"]);
  /** Task runs that have changed since the last drawing; null: all may have. */
  #changed: Set<number> | null = null;
  #hasNewFlow = true;

  constructor(
    el: HTMLElement,
    private readonly live: LiveFlow,
    private readonly memory: Memory,
  ) {
    this.#context = { live, memory, choose: (chosen) => this.#choose(chosen) };
    this.#answer = new Answer(live);
    const id = `nbflow-${++views}`;
    this.#status = new StatusBar(this.#context);
    this.#drawer = new Drawer(this.#context, (action, task) => this.#act(action, task));
    this.#graph = new GraphPane(this.#context);
    this.#panes = {
      graph: this.#graph,
      timeline: new TimelinePane(this.#context),
      table: new TablePane(this.#context),
    };
    this.#toolbar = new Toolbar(this.#context, this.#wishes(), id);
    const panels = Object.entries(this.#panes).map(([tab, pane]) => {
      const labelled = { role: "tabpanel", id: `${id}-${tab}`, "aria-labelledby": `${id}-${tab}-tab` };
      return h("div", { class: "nbflow-pane", ...labelled, "data-tab": tab }, pane.element);
    });
    const main = h("div", { class: "nbflow-main" }, ...panels, this.#drawer.element);
    const bottom = grip(
      () => this.#pane.element.offsetHeight,
      (height) => this.#setHeight(height),
    );
    this.#root = h(
      "div",
      { class: "nbflow-view" },
      this.#hidesStill,
      this.#status.element,
      this.#toolbar.element,
      this.#answer.element,
      main,
      bottom,
    );
    if (memory.height !== null) this.#setHeight(memory.height);
    this.#root.addEventListener("keydown", this.#key);
    window.addEventListener("keydown", this.#keepFromPage, true);
    el.replaceChildren(this.#root);
    this.#pace = new Pace(
      () => this.#draw(),
      () => (this.#isLarge ? LARGE_EVERY_MS : 0),
    );
    this.#unsubscribe = live.subscribe((change) => this.#heard(change));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#draw();
  }

  #wishes(): ConstructorParameters<typeof Toolbar>[1] {
    return {
      show: (tab) => this.#showTab(tab),
      group: (by) => {
        Object.assign(this.memory, { grouping: by, hasChosenGrouping: true, position: null, focused: null });
        this.#graph.rebuild();
        this.#toolbar.update(this.#tab, this.#graph.hasPicture);
      },
      search: (query) => {
        this.memory.query = query;
        return this.#pane.search();
      },
      next: (step) => this.#pane.next(step),
      zoom: (step) => this.#graph.zoom(step),
      fit: () => this.#graph.fit(),
      act: (action) => void this.#pressed(action),
    };
  }

  get #isLarge(): boolean {
    return (this.live.run?.state.length ?? this.live.flow?.tasks.size ?? 0) > LARGE;
  }

  get #tab(): Tab {
    return (
      this.memory.tab ??
      (!this.live.flow?.tasks.size || this.#graph.hasPicture || this.#outdated.has("graph") ? "graph" : "table")
    );
  }

  get #pane(): Pane {
    return this.#panes[this.#tab];
  }

  // -- what changes ----------------------------------------------------------------------------------------------------

  #heard(change: Change): void {
    if (change.flow) this.#hasNewFlow = true;
    if (change.flow || change.run) this.#changed = null;
    else if (this.#changed) for (const number of change.taskRuns) this.#changed.add(number);
    this.#pace.ask();
  }

  #draw(): void {
    if (this.#hasNewFlow) this.#begin();
    this.#status.update();
    this.#answer.update();
    this.#toolbar.updateActions();
    const tab = this.#tab;
    if (this.#outdated.has(tab)) {
      this.#outdated.delete(tab);
      this.#panes[tab].rebuild();
      if (this.#tab !== tab) return this.#draw(); // there is no picture: the table is shown
      this.#showPanels();
    } else {
      this.#pane.update(this.#changed);
    }
    for (const other of Object.keys(this.#panes) as Tab[])
      if (other !== tab && other !== "graph") this.#outdated.add(other);
    this.#drawer.update(this.#changed);
    this.#changed = new Set();
  }

  /** What had the focus before somebody went into the drawer. */
  #opener: HTMLElement | null = null;

  #begin(): void {
    const { flow } = this.live;
    if (!flow) return;
    this.#hasNewFlow = false;
    setText(this.#hidesStill, flow.still ? `.nbflow-still[data-nbflow="${flow.still}"] { display: none }` : "");
    if (flow.view && !this.memory.hasInherited) this.#inherit(flow, flow.view);
    if (!this.memory.hasChosenGrouping) this.memory.grouping = flow.firstGrouping();
    if (this.memory.grouping && !flow.groupings().includes(this.memory.grouping)) this.memory.grouping = null;
    if (this.memory.chosen && !flow.tasks.has(this.memory.chosen.task)) this.memory.chosen = null;
    placeAgain(this.memory, flow);
    for (const tab of Object.keys(this.#panes) as Tab[]) this.#outdated.add(tab);
    this.#toolbar.searchField.value = this.memory.query;
    this.#drawer.show(this.memory.chosen);
  }

  /** Once, before anything is shown of the flow: from then on each view has its own. */
  #inherit(flow: Flow, told: ViewState): void {
    this.memory.hasInherited = true;
    inherit(this.memory, told, flow);
    if (this.memory.height !== null) this.#setHeight(this.memory.height);
  }

  #tick(): void {
    if (!this.live.isRunning || !this.#root.isConnected || document.hidden) return;
    this.#status.update();
    this.#pane.tick();
    this.#drawer.tick();
  }

  #showTab(tab: Tab): void {
    this.memory.tab = tab;
    if (this.#outdated.has(tab)) {
      this.#outdated.delete(tab);
      this.#panes[tab].rebuild();
    } else if (tab === "graph") {
      this.#graph.update(null); // while it was hidden it was not coloured
      this.#graph.mark();
    }
    this.#showPanels();
    this.#toolbar.showCount(this.#pane.search());
  }

  #showPanels(): void {
    for (const panel of this.#root.querySelectorAll<HTMLElement>(".nbflow-pane"))
      panel.hidden = panel.dataset.tab !== this.#tab;
    this.#root.classList.toggle("has-flow", this.live.flow !== null);
    this.#root.classList.toggle("is-large", this.#isLarge);
    this.#toolbar.update(this.#tab, this.#graph.hasPicture);
  }

  #setHeight(height: number): void {
    this.memory.height = height;
    this.#root.style.setProperty("--nbflow-height", `${height}px`);
    this.#graph.setHeight(height);
  }

  #choose(chosen: Chosen | null): void {
    const hadFocus = focusedIn(this.#drawer.element) !== null;
    if (!hadFocus) this.#opener = focusedIn(this.#root);
    this.memory.chosen = chosen;
    this.#drawer.show(chosen);
    if (this.#tab === "graph") this.#graph.mark();
    else this.#pane.update(null);
    if (chosen || !hadFocus) return;
    if (this.#tab === "graph") this.#graph.focusAgain();
    else this.#opener?.focus({ preventScroll: true });
  }

  get #state(): ViewState {
    return viewStateOf(this.memory, this.live.flow);
  }

  // -- what is done ----------------------------------------------------------------------------------------------------

  async #act(action: Action, task?: number): Promise<{ ok: boolean; text: string }> {
    const { ok, message } = await this.live.act(action, task, action === "cancel" ? undefined : this.#state);
    return { ok, text: message ?? (ok ? "done" : "This could not be done.") };
  }

  async #pressed(action: Action): Promise<void> {
    if (this.live.can[action] !== true) return this.#answer.tell(this.live.whyNot);
    await this.#answer.say(action, this.#act(action));
  }

  readonly #key = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && this.memory.chosen) {
      event.stopPropagation();
      return this.#choose(null);
    }
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#toolbar.searchField.focus();
  };

  /**
   * JupyterLab takes plain keys for commands of its notebook, such as `x` for cutting a cell; in here they are ours. It
   * looks for the attribute from the target upwards, but for its own commands first: so the target has to have it.
   */
  readonly #keepFromPage = (event: KeyboardEvent): void => {
    if (!(event.target instanceof Element) || !this.#root.contains(event.target)) return;
    const isOurs = !event.ctrlKey && !event.metaKey && !event.altKey;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isOurs);
  };

  dispose(): void {
    this.#unsubscribe();
    clearInterval(this.#ticker);
    this.#pace.stop();
    window.removeEventListener("keydown", this.#keepFromPage, true);
    this.#drawer.dispose();
    for (const pane of Object.values(this.#panes)) pane.dispose();
    this.#root.remove();
  }
}
