// The picture of a flow: its nodes are coloured, moved about in, searched, walked through by keys and opened.

import { type Flow, MANY_NODES } from "../flow";
import { UNMAPPED } from "../run";
import { counted, folded, isolated } from "../words";
import type { Context, Pane, Position } from "./context";
import { h, setAttribute } from "./dom";
import { attachedText, Drawing, type DrawnNode, isStale, type Subject, standingOf, told } from "./drawing";
import { groupedDrawing } from "./groups";
import { PanZoom } from "./panzoom";
import { safeSvg } from "./safesvg";
import { centre, type Direction, neighbour } from "./shape";
import { Tooltip } from "./tooltip";

const ARROWS: Readonly<Record<string, Direction>> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};
const LONGEST_NAME = 60;
const ZOOM_STEP = 1.25;
const PAN_STEP = 60;

export class GraphPane implements Pane {
  readonly element: HTMLElement;
  readonly #frame = h("div", { class: "nbflow-frame" });
  readonly #opened = h("div", { class: "nbflow-opened" });
  readonly #tooltip = new Tooltip();
  readonly #panZoom: PanZoom;
  #drawing: Drawing | null = null;
  /** The node that the tooltip tells of. */
  #told: DrawnNode | null = null;
  /** Nodes of a large picture that are out of view, and not yet painted as they stand. */
  readonly #late = new Set<DrawnNode>();
  #matches: DrawnNode[] = [];
  #at = -1;

  constructor(private readonly context: Context) {
    const moved = (position: Position | null): void => {
      context.memory.position = position;
      this.#hideTooltip();
      this.#paintLate();
    };
    this.#panZoom = new PanZoom(this.#frame, moved);
    this.element = h("div", { class: "nbflow-graph" }, this.#opened, this.#frame, this.#tooltip.element);
    this.#frame.addEventListener("click", this.#click);
    this.#frame.addEventListener("dblclick", (event) => this.#nodeAt(event.target) ?? this.#panZoom.fit());
    this.#frame.addEventListener("keydown", this.#key);
    this.#frame.addEventListener("focusin", (event) => this.#focused(this.#nodeAt(event.target)));
    this.#frame.addEventListener("focusout", () => this.#hideTooltip());
    this.#frame.addEventListener("pointerover", (event) => this.#hovered(this.#nodeAt(event.target)));
    this.#frame.addEventListener("pointerleave", () => this.#hideTooltip());
  }

  /** Whether there is a picture, or could be one of groups. */
  get hasPicture(): boolean {
    return this.#drawing !== null;
  }

  rebuild(): void {
    const { live, memory } = this.context;
    this.#hideTooltip();
    this.#drawing = live.flow ? drawingOf(live.flow, this.context) : null;
    this.#late.clear();
    if (live.flow?.tasks.size === 0) this.#drawing = null;
    if (!this.#drawing) {
      this.#panZoom.clear(h("p", { class: "nbflow-note" }, nothingOf(live.flow)));
      return;
    }
    const svg = this.#drawing.svg;
    setAttribute(svg, "role", "tree");
    setAttribute(svg, "aria-label", `Tasks of ${live.flow?.name ?? "the flow"}`);
    for (const group of svg.querySelectorAll("g:not(.node)")) setAttribute(group, "role", "presentation");
    for (const node of this.#drawing.nodes.values()) this.#makeItem(node, live.flow);
    for (const { id, why } of live.flow?.edges ?? []) {
      const title = id && why ? this.#drawing.edges.get(id)?.querySelector("title") : null;
      if (title) title.textContent += `: ${why}`;
    }
    this.#panZoom.show(this.#drawing.layers, memory.position, memory.height);
    this.#showOpened();
    this.#setRoving(this.#nodeById(memory.focused) ?? this.#first());
    this.update(null);
    this.search();
    this.mark();
  }

  #makeItem(node: DrawnNode, flow: Flow | null): void {
    setAttribute(node.element, "role", "treeitem");
    setAttribute(node.element, "tabindex", "-1");
    setAttribute(node.element, "aria-level", String(flow?.levelOf(node.tasks[0] ?? 0) ?? 1));
    if (node.isGroup) setAttribute(node.element, "aria-expanded", "false");
  }

  update(taskRuns: ReadonlySet<number> | null): void {
    const { live } = this.context;
    if (!this.#drawing || !live.flow) return;
    if (taskRuns === null || !live.run) return this.#paint(this.#drawing.nodes.values());
    const nodes = this.#drawing.nodesOf(live.run, taskRuns);
    if (!this.#drawing.isLarge || !live.isRunning) return this.#paint([...nodes, ...this.#late]);
    for (const node of nodes) this.#late.add(node);
    this.#paintLate();
  }

  tick(): void {
    if (!this.#drawing) return;
    const busy = [...this.#drawing.nodes.values()].filter((node) => /state-(running|mapping)/.test(classOf(node)));
    this.#paint([...busy, ...this.#late]);
  }

  #paint(nodes: Iterable<DrawnNode>): void {
    const { flow, run, nowUs } = this.context.live;
    if (!this.#drawing || !flow) return;
    const all = new Set(nodes);
    this.#drawing.paint(all, flow, run, nowUs);
    if (this.#told && all.has(this.#told)) this.#hovered(this.#told);
    for (const node of all) this.#late.delete(node);
  }

  /** Paint those that are late and have come into view. */
  #paintLate(): void {
    const seen = this.#panZoom.seen;
    if (this.#late.size) this.#paint([...this.#late].filter((node) => this.#drawing?.isIn(seen, node)));
  }

  // -- opening ---------------------------------------------------------------------------------------------------------

  readonly #click = (event: MouseEvent): void => {
    if (this.#panZoom.hasDragged) return;
    const node = this.#nodeAt(event.target);
    if (node) this.#open(node);
  };

  #open(node: DrawnNode): void {
    this.#focus(node);
    const { memory } = this.context;
    if (!node.isGroup) {
      this.context.choose({ task: node.tasks[0] ?? 0, index: node.index });
      return;
    }
    const { position } = memory;
    memory.opened.add(node.name);
    memory.position = null;
    memory.focused = `task-${node.tasks[0]}`;
    this.rebuild();
    if (!this.#nodeById(memory.focused)) return this.#leaveClosed(node, position);
    this.#focus(this.#nodeById(memory.focused));
  }

  /** A group has more tasks than there is room for. */
  #leaveClosed(node: DrawnNode, position: Position | null): void {
    const { memory } = this.context;
    const others = memory.opened.size > 1 ? "Close other groups, or see the table." : "The table lists them.";
    memory.opened.delete(node.name);
    memory.position = position;
    memory.focused = node.id;
    this.rebuild();
    this.#focus(this.#nodeById(node.id));
    const many = `${isolated(node.name, LONGEST_NAME)} has ${counted(node.tasks.length, "task")}`;
    this.#opened.append(
      h("span", { class: "nbflow-note", role: "status" }, `${many}, too many to be drawn. ${others}`),
    );
    this.#opened.hidden = false;
  }

  /** Buttons that close the groups that are open. */
  #showOpened(): void {
    const { memory, live } = this.context;
    const names = memory.grouping ? (live.flow?.groups(memory.grouping) ?? []).map((group) => group.name) : [];
    const open = names.filter((name) => memory.opened.has(name));
    const close = (name: string): void => {
      memory.opened.delete(name);
      memory.position = null;
      this.rebuild();
    };
    this.#opened.replaceChildren(
      ...open.map((name) =>
        h(
          "button",
          { type: "button", class: "nbflow-tag", title: "Close this group", click: () => close(name) },
          `${name} ×`,
        ),
      ),
    );
    this.#opened.hidden = open.length === 0;
  }

  /** Show which node is chosen, and its arrows. */
  mark(): void {
    const { memory, live } = this.context;
    this.#hideTooltip();
    if (!this.#drawing) return;
    const chosen = memory.chosen;
    for (const node of this.#drawing.nodes.values()) {
      const isChosen =
        chosen !== null &&
        node.tasks.includes(chosen.task) &&
        (node.index === UNMAPPED || node.index === chosen.index || chosen.index === UNMAPPED);
      node.element.classList.toggle("is-chosen", isChosen);
      setAttribute(node.element, "aria-selected", String(isChosen));
    }
    for (const edge of this.#drawing.edges.values()) edge.classList.remove("is-linked");
    for (const edge of live.flow?.edges ?? [])
      if (chosen && edge.id && (edge.from === chosen.task || edge.to === chosen.task))
        this.#drawing.edges.get(edge.id)?.classList.add("is-linked");
  }

  // -- the keyboard ----------------------------------------------------------------------------------------------------

  readonly #key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#handled(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  #handled(event: KeyboardEvent): boolean {
    const node = this.#nodeAt(event.target);
    const direction = ARROWS[event.key];
    if (direction && event.shiftKey) return this.#pan(direction);
    if (direction && node) return this.#focus(this.#neighbourOf(node, direction) ?? node);
    switch (event.key) {
      case "Enter":
      case " ":
        if (node) this.#open(node);
        return node !== null;
      case "Home":
        return this.#focus(this.#first());
      case "End":
        return this.#focus([...(this.#drawing?.nodes.values() ?? [])].at(-1) ?? null);
      case "+":
      case "=":
        this.zoom(1);
        return true;
      case "-":
        this.zoom(-1);
        return true;
      case "0":
        this.fit();
        return true;
      case "Escape":
        this.#hideTooltip();
    }
    return false;
  }

  zoom(step: number): void {
    this.#hideTooltip();
    this.#panZoom.zoom(step > 0 ? ZOOM_STEP : 1 / ZOOM_STEP);
  }

  setHeight(height: number): void {
    this.#panZoom.setHeight(height);
  }

  fit(): void {
    this.#hideTooltip();
    this.#panZoom.fit();
  }

  #pan(direction: Direction): boolean {
    const [dx, dy] = { up: [0, 1], down: [0, -1], left: [1, 0], right: [-1, 0] }[direction] as [number, number];
    this.#panZoom.pan(dx * PAN_STEP, dy * PAN_STEP);
    return true;
  }

  #neighbourOf(node: DrawnNode, direction: Direction): DrawnNode | null {
    const { flow } = this.context.live;
    if (!this.#drawing || !flow) return null;
    const drawing = this.#drawing;
    const tasks = node.tasks.flatMap((task) => [
      ...(flow.upstream.get(task) ?? []),
      ...(flow.downstream.get(task) ?? []),
    ]);
    const linked = tasks.flatMap((task) => drawing.nodesOfTask(task));
    return neighbour(node, direction, linked, [...drawing.nodes.values()], (one) => centre(one.bounds));
  }

  #first(): DrawnNode | null {
    return this.#drawing?.nodes.values().next().value ?? null;
  }

  #nodeById(id: string | null): DrawnNode | null {
    return (id !== null && this.#drawing?.nodes.get(id)) || null;
  }

  #nodeAt(target: EventTarget | null): DrawnNode | null {
    const element = target instanceof Element ? target.closest("g.node") : null;
    return this.#nodeById(element?.getAttribute("data-id") ?? null);
  }

  #setRoving(node: DrawnNode | null): void {
    this.#drawing?.svg.querySelector('g.node[tabindex="0"]')?.setAttribute("tabindex", "-1");
    node?.element.setAttribute("tabindex", "0");
  }

  #focus(node: DrawnNode | null): boolean {
    node?.element.focus({ preventScroll: true });
    return node !== null;
  }

  #focused(node: DrawnNode | null): void {
    if (!node) return;
    this.context.memory.focused = node.id;
    this.#setRoving(node);
    this.#reveal(node);
    this.#hovered(node);
  }

  /** Give the focus back to the node that had it. */
  focusAgain(): void {
    this.#focus(this.#nodeById(this.context.memory.focused));
  }

  #reveal(node: DrawnNode): void {
    const box = node.element.getBoundingClientRect();
    const frame = this.#frame.getBoundingClientRect();
    this.#panZoom.reveal({
      left: box.left - frame.left,
      right: box.right - frame.left,
      top: box.top - frame.top,
      bottom: box.bottom - frame.top,
    });
  }

  // -- what is told of a node ------------------------------------------------------------------------------------------

  #hovered(node: DrawnNode | null): void {
    const { live } = this.context;
    if (!node || !live.flow) return this.#hideTooltip();
    this.#told = node;
    const stale = isStale(node, live.flow) ? node.tasks.map((task) => live.flow?.stale.get(task)).find(Boolean) : null;
    const standing = standingOf(node, live.run, live.nowUs);
    const lines = [
      node.name,
      node.isGroup ? counted(node.tasks.length, "task") : "",
      told(standing),
      isStale(node, live.flow) ? `stale${stale ? `: ${stale}` : ""}` : "",
      attachedText(standing),
    ];
    this.#tooltip.show(lines, node.element.getBoundingClientRect(), this.element.getBoundingClientRect());
  }

  #hideTooltip(): void {
    this.#told = null;
    this.#tooltip.hide();
  }

  // -- searching -------------------------------------------------------------------------------------------------------

  search(): number {
    const query = folded(this.context.memory.query.trim());
    const { flow } = this.context.live;
    const all = [...(this.#drawing?.nodes.values() ?? [])];
    const isMatch = (node: DrawnNode): boolean =>
      folded(node.name).includes(query) || node.tasks.some((task) => flow?.tasks.get(task)?.folded.includes(query));
    const was = this.#matches[this.#at];
    if (was && this.#told === was) this.#hideTooltip();
    this.#matches = query ? all.filter(isMatch) : [];
    this.#at = -1;
    const found = new Set(this.#matches);
    for (const node of all) {
      node.element.classList.toggle("is-match", found.has(node));
      node.element.classList.toggle("is-dim", query !== "" && !found.has(node));
      node.element.classList.remove("is-current");
    }
    return this.#matches.length;
  }

  next(step: number): number {
    if (!this.#matches.length) return 0;
    const from = this.#at < 0 && step < 0 ? 0 : this.#at;
    this.#at = (from + step + this.#matches.length) % this.#matches.length;
    const node = this.#matches[this.#at];
    if (node) {
      this.#drawing?.svg.querySelector(".is-current")?.classList.remove("is-current");
      node.element.classList.add("is-current");
      this.context.memory.focused = node.id;
      this.#setRoving(node);
      this.#reveal(node);
      this.#hovered(node);
    }
    return this.#at + 1;
  }

  dispose(): void {
    this.#panZoom.dispose();
  }
}

/** What is told where there is no picture. */
function nothingOf(flow: Flow | null): string {
  if (flow?.tasks.size === 0) return "This flow has no tasks.";
  return flow?.pictureMessage ?? "There is no picture.";
}

function classOf(node: DrawnNode): string {
  return node.element.getAttribute("class") ?? "";
}

/** The kernel's picture, or one of groups where that was asked for. */
function drawingOf(flow: Flow, context: Context): Drawing | null {
  const { grouping, opened } = context.memory;
  if (grouping) return groupedDrawing(flow, grouping, opened);
  const svg = flow.svg ? safeSvg(flow.svg) : null;
  if (svg) return new Drawing(svg, subjectsOf(flow));
  return flow.tasks.size > 0 && flow.tasks.size <= MANY_NODES ? groupedDrawing(flow, null, opened) : null;
}

function* subjectsOf(flow: Flow): Generator<Subject> {
  for (const [id, node] of flow.drawn) {
    const index = node.index ?? UNMAPPED;
    yield { id, name: flow.nameOf(node.task, index), tasks: [node.task], index, isGroup: false };
  }
}
