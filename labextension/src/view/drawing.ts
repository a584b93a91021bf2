// A picture in the page whose nodes are coloured by state; how the nodes came to their places does not matter here.

import { alongBar, gravest, shortCounts, shownSeconds, tally, toldCounts, total } from "../counts";
import { type Flow, MANY_NODES } from "../flow";
import type { Run } from "../run";
import { UNMAPPED } from "../run";
import { S, STATES } from "../theme/states.generated";
import { counted, duration, stateText } from "../words";
import { s, setAttribute, setText } from "./dom";
import { type Bounds, boundsOf } from "./shape";

/** What a node of a picture stands for. */
export interface Subject {
  readonly id: string;
  readonly name: string;
  /** The tasks that it stands for; one but for groups. */
  readonly tasks: readonly number[];
  /** The child's number, where it stands for one child of a mapped task. */
  readonly index: number;
  readonly isGroup: boolean;
}

export interface DrawnNode extends Subject {
  readonly element: SVGGElement;
  readonly bounds: Bounds;
  readonly line: SVGTextElement | null;
  readonly fixedClass: string;
}

/** How a node stands. */
export interface Standing {
  readonly state: number | null;
  /** Of how many task runs in which states it consists; null of a single one. */
  readonly counts: Int32Array | null;
  readonly seconds: number | null;
  readonly attempt: number;
  /** Titles of what it has attached. */
  readonly attached: readonly string[];
}

const LONGEST_LINE = 19;

export class Drawing {
  readonly nodes = new Map<string, DrawnNode>();
  readonly #ofTask = new Map<number, DrawnNode[]>();
  readonly edges = new Map<string, SVGGElement>();
  /** What is drawn, one above the other: of a large flow the edges are apart, since they need not be painted again. */
  readonly layers: readonly SVGSVGElement[];
  /** Where the upper left corner is in the nodes' own coordinates. */
  readonly #corner: readonly [number, number];

  /**
   * @param svg its nodes are `<g class="node …" data-id="…">`.
   * @param subjects what they stand for; those that are not in the picture are left out.
   */
  constructor(
    readonly svg: SVGSVGElement,
    subjects: Iterable<Subject>,
  ) {
    const elements = new Map<string, SVGGElement>();
    for (const element of svg.querySelectorAll<SVGGElement>("g[data-id]")) {
      const id = element.getAttribute("data-id") ?? "";
      if (element.classList.contains("node")) elements.set(id, element);
      else if (element.classList.contains("edge")) this.edges.set(id, element);
    }
    for (const subject of subjects) {
      const element = elements.get(subject.id);
      const bounds = element && boundsOf(element);
      if (!element || !bounds) continue;
      this.#add({
        ...subject,
        element,
        bounds,
        line: element.querySelector<SVGTextElement>("text.state"),
        fixedClass: ["node", ...kindsOf(element)].join(" "),
      });
    }
    this.#corner = cornerOf(svg);
    this.layers = this.isLarge ? [edgesOf(svg), svg] : [svg];
  }

  /** Whether a node is inside of a part of the picture, which is told from its upper left corner. */
  isIn(part: Bounds, { bounds }: DrawnNode): boolean {
    const [x, y] = this.#corner;
    return (
      bounds.right > part.left + x &&
      bounds.left < part.right + x &&
      bounds.bottom > part.top + y &&
      bounds.top < part.bottom + y
    );
  }

  get isLarge(): boolean {
    return this.nodes.size > MANY_NODES;
  }

  #add(node: DrawnNode): void {
    node.element.querySelector("title")?.remove(); // we have a better tooltip
    this.nodes.set(node.id, node);
    for (const task of node.tasks) {
      const nodes = this.#ofTask.get(task);
      if (nodes) nodes.push(node);
      else this.#ofTask.set(task, [node]);
    }
  }

  /** The nodes that may look different when these task runs have changed. */
  nodesOf(run: Run, taskRuns: Iterable<number>): Set<DrawnNode> {
    const found = new Set<DrawnNode>();
    for (const number of taskRuns) {
      const [task, index] = run.placeOf(number);
      for (const node of this.#ofTask.get(task) ?? [])
        if (node.index === UNMAPPED || node.index === index) found.add(node);
    }
    return found;
  }

  nodesOfTask(task: number): readonly DrawnNode[] {
    return this.#ofTask.get(task) ?? [];
  }

  /** Colour nodes as they stand now. */
  paint(nodes: Iterable<DrawnNode>, flow: Flow, run: Run | null, nowUs: number): void {
    for (const node of nodes) paintNode(node, standingOf(node, run, nowUs), isStale(node, flow));
  }
}

function cornerOf(svg: SVGSVGElement): [number, number] {
  const [x = 0, y = 0] = (svg.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
  const moved = /translate\(([-\d.]+)[\s,]+([-\d.]+)\)/.exec(svg.firstElementChild?.getAttribute("transform") ?? "");
  return [x - Number(moved?.[1] ?? 0), y - Number(moved?.[2] ?? 0)];
}

/** The edges, taken out of a picture into one of the same size. */
function edgesOf(svg: SVGSVGElement): SVGSVGElement {
  const picture = svg.cloneNode(false) as SVGSVGElement;
  const edges = [...svg.querySelectorAll("g.edge")];
  const moved = edges[0]?.parentElement?.closest("g")?.cloneNode(false) as Element | undefined; // by Graphviz
  if (moved) picture.append(moved);
  (moved ?? picture).append(...edges);
  setAttribute(picture, "aria-hidden", "true");
  return picture;
}

function kindsOf(element: Element): string[] {
  return [...element.classList].filter((name) => name !== "node" && !name.startsWith("state-"));
}

export function isStale(subject: Subject, flow: Flow): boolean {
  return subject.tasks.some((task) => flow.stale.has(task));
}

export function standingOf(subject: Subject, run: Run | null, nowUs: number): Standing {
  const nothing = { state: null, counts: null, seconds: null, attempt: 0, attached: [] };
  const [task] = subject.tasks;
  if (!run || task === undefined) return nothing;
  if (subject.isGroup) {
    const counts = tally(run, subject.tasks);
    return { ...nothing, state: gravest(counts), counts };
  }
  if (subject.index !== UNMAPPED) {
    const number = run.find(task, subject.index);
    return number === null ? { ...nothing, state: S.PENDING } : ofTaskRun(run, number, nowUs);
  }
  const own = ofTaskRun(run, task, nowUs);
  const counts = run.childCounts.get(task);
  return counts && run.children.get(task)?.width ? { ...own, state: gravest(counts) ?? own.state, counts } : own;
}

function ofTaskRun(run: Run, number: number, nowUs: number): Standing {
  return {
    state: run.state[number] ?? null,
    counts: null,
    seconds: shownSeconds(run, number, nowUs),
    attempt: run.attempt[number] ?? 0,
    attached: [...(run.attached.get(number)?.values() ?? [])],
  };
}

/** What stands below the name. */
function lineOf(standing: Standing): string {
  if (standing.counts) return shortCounts(standing.counts);
  if (standing.state === null) return "";
  const word = stateText(standing.state);
  if (standing.seconds === null) return word;
  const whole = `${word} ${duration(standing.seconds)}`;
  return whole.length <= LONGEST_LINE ? whole : word;
}

/** The state in words, for those who hear it or want to know more. */
export function told(standing: Standing): string {
  if (standing.state === null) return "";
  const parts = [standing.counts ? toldCounts(standing.counts) : (STATES[standing.state]?.word ?? "")];
  if (standing.seconds !== null) parts.push(duration(standing.seconds));
  if (standing.attempt > 1) parts.push(`attempt ${standing.attempt}`);
  return parts.join(", ");
}

/** What it has attached, in words. */
export function attachedText({ attached }: Standing): string {
  if (!attached.length) return "";
  const more = attached.length > 3 ? ", …" : "";
  return `${counted(attached.length, "artifact")}: ${attached.slice(0, 3).join(", ")}${more}`;
}

function paintNode(node: DrawnNode, standing: Standing, stale: boolean): void {
  const kept = [...node.element.classList].filter((name) => name.startsWith("is-") && name !== "is-stale");
  const state = standing.state === null ? "state-none" : (STATES[standing.state]?.className ?? "state-none");
  const classes = [node.fixedClass, state, ...(stale ? ["is-stale"] : []), ...kept].join(" ");
  setAttribute(node.element, "class", classes);
  if (node.line) setText(node.line, lineOf(standing));
  const heard = [node.name, told(standing), stale ? "stale" : "", attachedText(standing)].filter(Boolean).join(", ");
  setAttribute(node.element, "aria-label", heard);
  paintBar(node, standing.counts);
  const attached = standing.attached.length;
  paintCorner(node, "stale", stale ? "⟲" : null);
  paintCorner(node, "attached", attached ? (attached < 100 ? String(attached) : "99+") : null);
}

const BAR_HEIGHT = 4;
/** What is there is seen, however few. */
const LEAST_SHARE = 0.02;

/** How many children are in which state, as a bar along the bottom of a node. */
function paintBar(node: DrawnNode, counts: Int32Array | null): void {
  let bar = node.element.querySelector("g.nbflow-counts");
  if (!counts) {
    bar?.remove();
    return;
  }
  if (!bar) {
    bar = s("g", { class: "nbflow-counts", "aria-hidden": "true" });
    node.element.append(bar);
  }
  const { left, right, bottom } = node.bounds;
  const sum = total(counts);
  const states = sum ? alongBar(counts) : [];
  const shares = states.map((state) => Math.max((counts[state] ?? 0) / sum, LEAST_SHARE));
  const whole = shares.reduce((all, one) => all + one, 0);
  let x = left;
  const parts = states.map((state, place) => {
    const width = ((right - left) * (shares[place] ?? 0)) / whole;
    const part = s("rect", {
      class: `nbflow-bar ${STATES[state]?.className ?? ""}`,
      x: x.toFixed(2),
      y: bottom + 1.5,
      width: width.toFixed(2),
      height: BAR_HEIGHT,
    });
    x += width;
    return part;
  });
  bar.replaceChildren(...parts);
}

/** A sign in a circle at a corner of a node; null: none. */
function paintCorner(node: DrawnNode, name: "stale" | "attached", sign: string | null): void {
  let mark = node.element.querySelector(`g.nbflow-${name}`);
  if (sign === null) {
    mark?.remove();
    return;
  }
  if (!mark) {
    const x = name === "stale" ? node.bounds.left + 3 : node.bounds.right - 3;
    const text = s("text", { "text-anchor": "middle", y: 3, "font-size": 8 });
    const place = { "aria-hidden": "true", transform: `translate(${x} ${node.bounds.top + 2})` };
    mark = s("g", { class: `nbflow-corner nbflow-${name}`, ...place }, s("circle", { r: 6 }), text);
    node.element.append(mark);
  }
  setText(mark.querySelector("text") as Element, sign);
}
