// What was chosen in a view, as it goes to the kernel with what is pressed, and comes back to the view of the run that follows.

import type { Flow } from "../flow";
import type { ViewState } from "../wire";
import type { Memory } from "./context";

/** A kernel that gets more of it leaves that out. */
const LONGEST = 200;
const MOST = 50;

/** What is to outlive the run that is shown. */
export function viewStateOf(memory: Memory, flow: Flow | null): ViewState {
  const { tab, position, chosen, query, stateFilter, height } = memory;
  const names = (found: Iterable<string>): string[] =>
    [...found].filter((name) => name.length <= LONGEST).slice(0, MOST);
  const named = (task: number): { name: string; task: number } => ({ name: flow?.tasks.get(task)?.name ?? "", task });
  return {
    ...(tab && { tab }),
    ...(memory.hasChosenGrouping && { grouping: memory.grouping }),
    opened: names(memory.opened),
    ...(position && flow && { position: { ...position, layout: layoutOf(flow, memory) } }),
    ...(chosen && { chosen: { ...named(chosen.task), index: chosen.index } }),
    query: query.slice(0, LONGEST),
    ...(stateFilter !== null && { state_filter: stateFilter }),
    sort: memory.sort,
    is_descending: memory.isDescending,
    expanded: [...memory.expanded].slice(0, MOST).map(named),
    ...(height !== null && { height }),
    sections: names(memory.sections),
  };
}

/** Begin a view as another one stood. Of what was chosen there only what is there in this flow; where it was looked at, see `placeAgain`. */
export function inherit(memory: Memory, told: ViewState, flow: Flow): void {
  if (told.tab) memory.tab = told.tab;
  if (told.grouping !== undefined) Object.assign(memory, { grouping: told.grouping, hasChosenGrouping: true });
  for (const name of told.opened ?? []) memory.opened.add(name);
  memory.awaited = told.position ?? null;
  const task = told.chosen && taskIn(flow, told.chosen);
  if (told.chosen && task !== undefined) {
    memory.chosen = { task, index: told.chosen.index };
    memory.focused = [...flow.drawn].find(([, node]) => node.task === task)?.[0] ?? null;
  }
  memory.query = told.query ?? "";
  memory.stateFilter = told.state_filter ?? null;
  memory.sort = told.sort ?? memory.sort;
  memory.isDescending = told.is_descending ?? memory.isDescending;
  for (const one of told.expanded ?? []) {
    const found = taskIn(flow, one);
    if (found !== undefined) memory.expanded.add(found);
  }
  memory.height = told.height ?? null;
  if (!told.sections) return;
  memory.sections.clear(); // the same set stays: whoever shows sections has it
  for (const title of told.sections) memory.sections.add(title);
}

/** The picture is where it was looked at, once it is the same one: until it is laid out, another may be shown in its place. */
export function placeAgain(memory: Memory, flow: Flow): void {
  if (!memory.awaited || memory.awaited.layout !== layoutOf(flow, memory)) return;
  const { x, y, scale } = memory.awaited;
  memory.awaited = null;
  memory.position ??= { x, y, scale };
}

/** The task that has the name; of several the one that has the number as well. */
function taskIn(flow: Flow, { name, task }: { readonly name: string; readonly task: number }): number | undefined {
  const same = [...flow.tasks.values()].filter((one) => one.name === name).map(({ number }) => number);
  return same.length > 1 ? same.find((number) => number === task) : same[0];
}

/** A few letters, other ones for other pictures. */
function layoutOf(flow: Flow, { grouping, opened }: Memory): string {
  const names = [...flow.tasks.values()].map(({ name }) => name);
  const edges = flow.edges.map(({ from, to }) => `${from} ${to}`);
  return hash(JSON.stringify([grouping ? null : flow.svg, grouping, [...opened].sort(), names, edges]));
}

function hash(text: string): string {
  let found = 0x811c9dc5; // FNV-1a
  for (let place = 0; place < text.length; place++) found = Math.imul(found ^ text.charCodeAt(place), 0x01000193);
  return `${text.length}-${found >>> 0}`;
}
