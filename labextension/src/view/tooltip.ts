// What is told of a node where the mouse rests, or the keyboard is.

import { printable } from "../words";
import { h } from "./dom";

export class Tooltip {
  readonly element = h("div", { class: "nbflow-tooltip", role: "tooltip", hidden: true });

  /** Show lines, the first of them bold, beside a box on the screen. */
  show(lines: readonly string[], box: DOMRect, frame: DOMRect): void {
    const [name = "", ...rest] = lines.filter(Boolean);
    this.element.replaceChildren(
      h("b", { class: "nbflow-name" }, printable(name, 160)),
      ...rest.map((line) => h("div", {}, line)),
    );
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = Math.min(Math.max(4, box.left - frame.left + box.width / 2 - width / 2), frame.width - width - 4);
    const below = box.bottom - frame.top + 6;
    const fitsBelow = below + height < frame.height || box.top - frame.top < height + 6;
    this.element.style.left = `${Math.max(0, left)}px`;
    this.element.style.top = `${fitsBelow ? below : box.top - frame.top - height - 6}px`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
