// The line below a view by which it is made taller, with the mouse or by keys.

import { h, setAttribute } from "./dom";

const LOWEST = 120;
const KEY_STEP = 40;

/**
 * The line.
 *
 * @param height of what it changes, now.
 * @param chosen is told the new height.
 */
export function grip(height: () => number, chosen: (height: number) => void): HTMLElement {
  const choose = (wanted: number): void => {
    const real = Math.max(LOWEST, Math.round(wanted));
    chosen(real);
    setAttribute(element, "aria-valuenow", String(real));
  };
  const drag = (event: PointerEvent): void => {
    event.preventDefault();
    const begin = height() - event.clientY;
    const move = (next: Event): void => choose(begin + (next as PointerEvent).clientY);
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", () => element.removeEventListener("pointermove", move), {
      once: true,
    });
  };
  const key = (event: KeyboardEvent): void => {
    const step = { ArrowUp: -KEY_STEP, ArrowDown: KEY_STEP }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(height() + step);
  };
  const element = h("div", {
    class: "nbflow-grip",
    role: "separator",
    tabindex: "0",
    "aria-orientation": "horizontal",
    "aria-label": "Height",
    "aria-valuemin": LOWEST,
    "aria-valuenow": LOWEST,
    focus: () => setAttribute(element, "aria-valuenow", String(height())),
    title: "Drag, or press ↑ and ↓, to change the height",
    pointerdown: drag,
    keydown: key,
  });
  return element;
}
