// A page for the tests of what is drawn.

import { JSDOM } from "jsdom";

/** Make a new page, and let the code under test find it where a browser has it. */
export function newPage(): HTMLElement {
  const { window } = new JSDOM('<!doctype html><div id="here"></div>', { pretendToBeVisual: true });
  const names = ["document", "window", "Node", "Element", "HTMLElement", "HTMLInputElement", "HTMLSelectElement"];
  for (const name of [...names, "DOMParser", "Document", "MutationObserver", "KeyboardEvent", "MouseEvent", "Event"])
    Object.defineProperty(globalThis, name, {
      value: (window as unknown as Record<string, unknown>)[name],
      configurable: true,
      writable: true,
    });
  frames = [];
  globalThis.requestAnimationFrame = (call) => frames.push(call);
  globalThis.cancelAnimationFrame = (handle) => {
    frames[handle - 1] = () => undefined;
  };
  return window.document.getElementById("here") as unknown as HTMLElement;
}

let frames: FrameRequestCallback[] = [];
let now = 0;

/** Let a frame pass. */
export function frame(ms = 1_000): void {
  now += ms;
  const due = frames;
  frames = [];
  for (const call of due) call(now);
}

export function press(element: Element, key: string, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  element.dispatchEvent(event);
  return event;
}

export function click(element: Element | null | undefined): void {
  element?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
}

export function all<E extends Element = HTMLElement>(root: ParentNode, selector: string): E[] {
  return [...root.querySelectorAll<E>(selector)];
}
