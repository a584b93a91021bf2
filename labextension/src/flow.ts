// What is drawn and listed: tasks, edges and groups, as the kernel tells them once.

import type { Estimate, FlowEdge, FlowMessage, FlowNode, Stale, ViewState } from "./wire";
import { folded, printable } from "./words";

export interface TaskFacts {
  readonly number: number;
  readonly name: string;
  /** For searching. */
  readonly folded: string;
  readonly kind: string;
  readonly group: string | null;
  readonly tags: readonly string[];
}

export interface TaskGroup {
  readonly name: string;
  readonly tasks: readonly number[];
}

/** By what tasks can be drawn together. */
export type Grouping = "heading" | "tag" | "name";

/** With more nodes than this a picture is of no use before some of them are drawn together. */
export const MANY_NODES = 300;

export class Flow {
  readonly name: string;
  readonly svg: string | null;
  readonly pictureMessage: string | null;
  /** The nodes of the picture, by their element's id. */
  readonly drawn = new Map<string, FlowNode>();
  readonly tasks = new Map<number, TaskFacts>();
  /** Tasks' numbers are below this. */
  readonly size: number;
  readonly edges: readonly FlowEdge[];
  readonly upstream = new Map<number, number[]>();
  readonly downstream = new Map<number, number[]>();
  /** {task: why it is stale}. */
  readonly stale = new Map<number, string>();
  readonly estimate: Readonly<Record<string, Estimate>>;
  /** The name of the picture that stands below for those who cannot see this one. */
  readonly still: string | null;
  /** What its view begins with. */
  readonly view: ViewState | null;
  readonly #told: FlowMessage;
  /** How deep tasks lie, once that was asked for. */
  #levels: Map<number, number> | null = null;

  constructor(told: FlowMessage) {
    this.#told = told;
    this.name = printable(told.name);
    this.svg = told.svg ?? null;
    this.pictureMessage = told.picture_message ?? null;
    this.estimate = told.estimate ?? {};
    this.still = told.still && /^[\w-]+$/.test(told.still) ? told.still : null;
    this.view = told.view ?? null;
    for (const node of told.nodes) {
      if (node.id) this.drawn.set(node.id, node);
      if (!this.tasks.has(node.task)) this.tasks.set(node.task, factsOf(node));
    }
    this.size = [...this.tasks.keys()].reduce((most, task) => Math.max(most, task + 1), 0);
    this.edges = (told.edges ?? []).filter(({ from, to }) => this.tasks.has(from) && this.tasks.has(to) && from !== to);
    for (const { from, to } of this.edges) {
      add(this.downstream, from, to);
      add(this.upstream, to, from);
    }
    this.setStale(told.stale ?? []);
  }

  setStale(stale: readonly (number | Stale)[]): void {
    this.stale.clear();
    for (const one of stale) {
      if (typeof one === "number") this.stale.set(one, "");
      else this.stale.set(one.task, one.why ?? "");
    }
  }

  nameOf(task: number, index = -1): string {
    const name = this.tasks.get(task)?.name ?? `task ${task}`;
    return index < 0 ? name : `${name} [${index}]`;
  }

  /** How deep a task lies: 1 for those that wait for nothing. */
  levelOf(task: number): number {
    this.#levels ??= depths(this);
    return this.#levels.get(task) ?? 1;
  }

  /** By what these tasks can be grouped: whatever makes at least two groups, one of them of several tasks. */
  groupings(): Grouping[] {
    const all: Grouping[] = ["heading", "tag", "name"];
    return all.filter((by) => {
      const groups = this.groups(by);
      return groups.length > 1 && groups.length < this.tasks.size && groups.some((group) => group.tasks.length > 1);
    });
  }

  /** The grouping to begin with: of a large flow the first that makes it small enough to be looked at. */
  firstGrouping(): Grouping | null {
    if (Math.max(this.drawn.size, this.svg ? 0 : this.tasks.size) <= MANY_NODES) return null;
    const all = this.groupings();
    return all.find((by) => this.groups(by).length <= MANY_NODES) ?? (this.svg ? null : (all.at(-1) ?? null));
  }

  /** Each task by itself. */
  alone(): TaskGroup[] {
    return [...this.tasks.values()].map(({ number, name }) => ({ name, tasks: [number] }));
  }

  /** Groups that together hold each task once; a task that belongs nowhere is alone. */
  groups(by: Grouping): TaskGroup[] {
    const found = new Map<string, number[]>();
    const placed = new Set<number>();
    if (by !== "name") {
      for (const group of this.#told.groups ?? []) {
        if ((group.kind ?? "heading") !== by) continue;
        const tasks = group.tasks.filter((task) => this.tasks.has(task) && !placed.has(task));
        for (const task of tasks) placed.add(task);
        if (tasks.length) found.set(group.name, [...(found.get(group.name) ?? []), ...tasks]);
      }
    }
    for (const task of this.tasks.values()) {
      if (placed.has(task.number)) continue;
      const name = by === "heading" ? task.group : by === "tag" ? (task.tags[0] ?? null) : stem(task.name);
      add(found, name ?? `\0${task.number}`, task.number); // \0: by itself
    }
    return [...found].map(([name, tasks]) => ({
      name: name.startsWith("\0") ? this.nameOf(tasks[0] as number) : printable(name),
      tasks,
    }));
  }
}

function factsOf(node: FlowNode): TaskFacts {
  const name = printable(node.name) || "(no name)";
  return {
    number: node.task,
    name,
    folded: folded(name),
    kind: node.kind ?? "task",
    group: node.group ?? null,
    tags: node.tags ?? [],
  };
}

function depths(flow: Flow): Map<number, number> {
  const found = new Map<number, number>();
  const waiting = new Map([...flow.tasks.keys()].map((task) => [task, flow.upstream.get(task)?.length ?? 0]));
  const ready = [...waiting].filter(([, count]) => !count).map(([task]) => task);
  for (const task of ready) found.set(task, 1);
  for (let at = 0; at < ready.length; at++) {
    const task = ready[at] as number;
    for (const after of flow.downstream.get(task) ?? []) {
      found.set(after, Math.max(found.get(after) ?? 1, (found.get(task) ?? 1) + 1));
      const left = (waiting.get(after) ?? 1) - 1;
      waiting.set(after, left);
      if (!left) ready.push(after);
    }
  }
  return found;
}

/** `load-12` and `load_3` are calls of `load`. */
function stem(name: string): string {
  return name.replace(/[\s_\-[(]*\d+[\])]?$/u, "") || name;
}

function add<K>(map: Map<K, number[]>, key: K, value: number): void {
  const found = map.get(key);
  if (!found) map.set(key, [value]);
  else if (found.at(-1) !== value) found.push(value);
}
