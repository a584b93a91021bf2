// What is told of a task in sections that can be opened. Those that say the same as before stay as they are: whoever reads,
// marks or has gone into one is not disturbed by what is told anew every other second.

import { focusedIn, h } from "./dom";

export interface Section {
  readonly title: string;
  /** What it is made of: where that is the same, so is the section. */
  readonly of: unknown;
  /** Its content; nothing: there is no such section. */
  readonly make: () => readonly (HTMLElement | null)[];
}

interface Kept {
  readonly told: string;
  readonly element: HTMLElement;
}

/** Of this one the end is what people want to see. */
const FOLLOWED = "Logs";
const NEAR = 8;

export class Sections {
  readonly element = h("div", { class: "nbflow-sections" });
  #kept = new Map<string, Kept>();

  /** @param open titles of those that are open; whoever opens others changes it. */
  constructor(private readonly open: Set<string>) {}

  get isEmpty(): boolean {
    return this.#kept.size === 0;
  }

  /** Nothing but a line. */
  note(text: string): void {
    this.#kept.clear();
    this.element.replaceChildren(h("p", { class: "nbflow-note" }, text));
  }

  /** This one is not true any more. */
  drop(title: string): void {
    this.#kept.get(title)?.element.remove();
    this.#kept.delete(title);
  }

  /** @param nothing is told where there are no sections. */
  show(sections: readonly Section[], nothing: string): void {
    const before = this.#kept;
    this.#kept = new Map();
    for (const section of sections) {
      const told = JSON.stringify(section.of) ?? "";
      const old = before.get(section.title);
      const element = old?.told === told ? old.element : this.#made(section);
      if (element) this.#kept.set(section.title, { told, element });
    }
    if (this.isEmpty) return this.note(nothing);
    const hadFocus = focusedIn(this.element)?.closest("details");
    const wasAt = new Map([...before].map(([title, { element }]) => [title, placeOf(element)]));
    this.#put([...this.#kept.values()].map(({ element }) => element));
    for (const [title, { element }] of this.#kept) {
      const old = before.get(title)?.element;
      if (old === element) continue;
      scroll(element, wasAt.get(title) ?? (title === FOLLOWED ? null : 0), title === FOLLOWED);
      if (old && old === hadFocus) element.querySelector("summary")?.focus({ preventScroll: true });
    }
  }

  #made({ title, make }: Section): HTMLElement | null {
    const parts = make().filter((part) => part !== null);
    if (!parts.length) return null;
    const properties = { open: this.open.has(title), "data-section": title };
    const element = h("details", properties, h("summary", {}, title), ...parts);
    element.addEventListener("toggle", () => {
      if (element.open) this.open.add(title);
      else this.open.delete(title);
    });
    return element;
  }

  /** An element that is moved loses the focus: so only what has to be is. */
  #put(elements: readonly HTMLElement[]): void {
    for (const child of [...this.element.children]) if (!elements.includes(child as HTMLElement)) child.remove();
    elements.forEach((element, place) => {
      const there = this.element.children[place] ?? null;
      if (there !== element) this.element.insertBefore(element, there);
    });
  }
}

/** How far its text is scrolled; null: to the end. */
function placeOf(section: Element): number | null {
  const text = section.querySelector("pre");
  if (!text) return 0;
  return text.scrollHeight - text.scrollTop - text.clientHeight < NEAR ? null : text.scrollTop;
}

function scroll(section: Element, place: number | null, isFollowed: boolean): void {
  const text = section.querySelector("pre");
  if (text) text.scrollTop = place ?? (isFollowed ? text.scrollHeight : 0);
}
