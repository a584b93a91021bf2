// A view of a run for tests: made anew for each of them, told by a kernel that is none.

import { afterEach, beforeEach } from "node:test";
import { LiveFlow } from "../src/live";
import { S } from "../src/theme/states.generated";
import { freshMemory, type Memory } from "../src/view/context";
import { FlowView } from "../src/view/flowview";
import { all, click, frame, newPage } from "./dom";
import { chain, FakeChannel, type Row, snapshot } from "./fake";

export let page: HTMLElement;
export let channel: FakeChannel;
export let memory: Memory;
export let view: FlowView;
let live: LiveFlow;

beforeEach(() => {
  page = newPage();
  channel = new FakeChannel();
  live = new LiveFlow(channel);
  memory = freshMemory();
  view = new FlowView(page, live, memory);
});

afterEach(() => view.dispose());

/** Another view of the same run in place of the one before. */
export function showAgain(): void {
  view = new FlowView(page, live, memory);
}

export function tell(...messages: unknown[]): void {
  channel.tell(...messages);
  frame();
}

/** A mapped task of two children, of which the second has failed. */
export function tellMapped(): void {
  const rows: Row[] = [
    [0, -1, S.MAPPED, 0],
    [0, 0, S.SUCCESS, 0, 1],
    [0, 1, S.FAILED, 0, 1],
  ];
  tell(chain(["load"]), snapshot(rows, { width: { 0: 2 } }));
}

export function node(place: number): Element {
  return page.querySelector(`g[data-id="node-${place}"]`) as Element;
}

export function pane(): HTMLElement {
  return all(page, ".nbflow-pane").find((one) => !one.hidden) as HTMLElement;
}

export function tab(name: string): void {
  click(all(page, "[role=tab]").find((one) => one.textContent === name));
}

export function button(text: string): HTMLElement {
  return all(page, "button").find((one) => one.textContent?.includes(text)) as HTMLElement;
}

export const PENDING: Row[] = [
  [0, -1, S.PENDING],
  [1, -1, S.PENDING],
  [2, -1, S.PENDING],
];
export const NAMES = ["load", "clean", "report"];
