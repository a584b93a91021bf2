// What the parts of a view share: the model, what is remembered of the view, and what they may have done.

import type { Grouping } from "../flow";
import type { LiveFlow } from "../live";
import type { ViewState } from "../wire";

export type Tab = "graph" | "timeline" | "table";

/** A task run that somebody has chosen. */
export interface Chosen {
  readonly task: number;
  /** The child's number, or -1. */
  readonly index: number;
}

/** Where a picture stands in its frame. */
export interface Position {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export type SortKey = "task" | "state" | "seconds" | "attempt" | "began" | "group";

/** What outlives a view: JupyterLab makes a new one whenever the output is updated. */
export interface Memory {
  tab: Tab | null;
  grouping: Grouping | null;
  hasChosenGrouping: boolean;
  opened: Set<string>;
  position: Position | null;
  focused: string | null;
  chosen: Chosen | null;
  query: string;
  stateFilter: number | null;
  sort: SortKey;
  isDescending: boolean;
  expanded: Set<number>;
  height: number | null;
  /** Titles of the sections that are open beside a task. */
  sections: Set<string>;
  /** Whether it has begun with what was chosen in the picture whose place this one has taken. */
  hasInherited: boolean;
  /** Where that picture stood, until there is the same one here. */
  awaited: NonNullable<ViewState["position"]> | null;
}

export function freshMemory(): Memory {
  return {
    tab: null,
    grouping: null,
    hasChosenGrouping: false,
    opened: new Set(),
    position: null,
    focused: null,
    chosen: null,
    query: "",
    stateFilter: null,
    sort: "task",
    isDescending: false,
    expanded: new Set(),
    height: null,
    sections: new Set(["Error", "Note", "Logs", "Outputs", "Artifacts"]),
    hasInherited: false,
    awaited: null,
  };
}

export interface Context {
  readonly live: LiveFlow;
  readonly memory: Memory;
  /** Show what there is to know about a task run; null: nothing more. */
  choose(chosen: Chosen | null): void;
}

/** One of the three ways to look at a run. */
export interface Pane {
  readonly element: HTMLElement;
  /** The flow is another one. */
  rebuild(): void;
  /** These task runs stand differently; null: everything may. */
  update(taskRuns: ReadonlySet<number> | null): void;
  /** Called about once a second while something runs. */
  tick(): void;
  /** Show what matches; returns how many there are. */
  search(): number;
  /** Go to the next (1) or previous (-1) match; returns its place among them, from 1. */
  next(step: number): number;
  dispose(): void;
}
