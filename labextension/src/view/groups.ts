// The picture with tasks drawn together by heading, tag or name, each group a node that can be opened.

import type { Flow, Grouping, TaskGroup } from "../flow";
import { layered } from "../layout";
import { UNMAPPED } from "../run";
import { s } from "./dom";
import { Drawing, type Subject } from "./drawing";

const FONT = "Helvetica,Arial,sans-serif";
const LETTER = 5.8;
const NARROWEST = 84;
const WIDEST = 240;
const HEIGHT = 34;
/** With more nodes than this groups stay closed: a picture of all would be of no use, and slow. */
const MOST_NODES = 600;

/** Which groups of one grouping are open. */
export type Opened = ReadonlySet<string>;

/** @param by null: each task by itself, where there is no picture from Graphviz. */
export function groupedDrawing(flow: Flow, by: Grouping | null, opened: Opened): Drawing {
  const subjects = subjectsOf(flow, by ? flow.groups(by) : flow.alone(), opened);
  const nodeOf = new Map<number, number>();
  subjects.forEach((subject, place) => {
    for (const task of subject.tasks) nodeOf.set(task, place);
  });
  const seen = new Set<string>();
  const arrows: [number, number][] = [];
  for (const { from, to } of flow.edges) {
    const [start, end] = [nodeOf.get(from), nodeOf.get(to)];
    if (start === undefined || end === undefined || start === end || seen.has(`${start} ${end}`)) continue;
    seen.add(`${start} ${end}`);
    arrows.push([start, end]);
  }
  return new Drawing(drawn(subjects, arrows), subjects);
}

function subjectsOf(flow: Flow, groups: readonly TaskGroup[], opened: Opened): Subject[] {
  let room = MOST_NODES - groups.length;
  return groups.flatMap((group, place): Subject[] => {
    const [first] = group.tasks;
    const isOpen = opened.has(group.name) && group.tasks.length <= room;
    if (group.tasks.length > 1 && !isOpen)
      return [{ id: `group-${place}`, name: group.name, tasks: group.tasks, index: UNMAPPED, isGroup: true }];
    if (first === undefined) return [];
    if (group.tasks.length > 1) room -= group.tasks.length;
    return group.tasks.map((task) => ({
      id: `task-${task}`,
      name: flow.nameOf(task),
      tasks: [task],
      index: UNMAPPED,
      isGroup: false,
    }));
  });
}

function drawn(subjects: readonly Subject[], arrows: readonly (readonly [number, number])[]): SVGSVGElement {
  const labels = subjects.map(labelOf);
  const boxes = labels.map((label) => ({
    width: Math.min(WIDEST, Math.max(NARROWEST, label.length * LETTER + 20)),
    height: HEIGHT,
  }));
  const { places, width, height } = layered(boxes, arrows);
  const pad = 10;
  const svg = s("svg", {
    class: "nbflow",
    viewBox: `${-pad} ${-pad} ${width + 2 * pad} ${height + 2 * pad}`,
  });
  for (const [from, to] of arrows) {
    const [start, end] = [places[from], places[to]];
    if (start && end) svg.append(arrow(start.x, start.y + HEIGHT / 2, end.x, end.y - HEIGHT / 2));
  }
  subjects.forEach((subject, place) => {
    const at = places[place];
    const box = boxes[place];
    if (at && box) svg.append(node(subject, labels[place] ?? "", at.x, at.y, box.width));
  });
  return svg;
}

function labelOf(subject: Subject): string {
  const name = subject.name.length > 36 ? `${subject.name.slice(0, 35)}…` : subject.name;
  return subject.isGroup ? `${name} (${subject.tasks.length})` : name;
}

function node(subject: Subject, label: string, x: number, y: number, width: number): SVGGElement {
  const [left, top] = [x - width / 2, y - HEIGHT / 2];
  const box = { x: left, y: top, width, height: HEIGHT, rx: subject.isGroup ? 2 : 6 };
  const text = { "text-anchor": "middle", x, "font-family": FONT };
  return s(
    "g",
    { class: `node ${subject.isGroup ? "group" : "task"} state-none`, "data-id": subject.id },
    subject.isGroup && s("rect", { ...box, x: left + 3, y: top - 3, class: "border nbflow-behind" }),
    s("rect", { ...box, class: "shape border" }),
    s("text", { ...text, y: y - 2, "font-size": 10, class: "name" }, label),
    s("text", { ...text, y: y + 11, "font-size": 9, class: "state" }),
  );
}

function arrow(x1: number, y1: number, x2: number, y2: number): SVGGElement {
  const bend = Math.max(12, Math.abs(y2 - y1) / 2);
  return s(
    "g",
    { class: "edge" },
    s("path", { d: `M${x1},${y1}C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2 - 6}` }),
    s("polygon", { points: `${x2 - 3},${y2 - 7} ${x2 + 3},${y2 - 7} ${x2},${y2}` }),
  );
}
