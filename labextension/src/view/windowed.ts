// A long list of which only the rows that are seen are in the page.

import { h } from "./dom";

export interface Row {
  /** By which its element is kept while it changes. */
  readonly key: string;
}

/** Rows of one height in a frame that scrolls. */
export class Windowed<R extends Row, E extends HTMLElement> {
  #rows: readonly R[] = [];
  #kept = new Map<string, E>();
  #at = -1;
  readonly #above: HTMLElement;
  readonly #below: HTMLElement;

  /**
   * @param frame what scrolls.
   * @param list what the rows are put into.
   * @param height of a row, in pixels.
   * @param make a new element.
   * @param fill an element with a row.
   */
  constructor(
    private readonly frame: HTMLElement,
    private readonly list: HTMLElement,
    private readonly height: number,
    private readonly make: (row: R) => E,
    private readonly fill: (element: E, row: R, place: number) => void,
    spacer: "tr" | "div",
  ) {
    this.#above = h(spacer, { "aria-hidden": "true", class: "nbflow-space" });
    this.#below = h(spacer, { "aria-hidden": "true", class: "nbflow-space" });
    list.append(this.#above, this.#below);
    frame.addEventListener("scroll", () => this.#draw(), { passive: true });
  }

  show(rows: readonly R[]): void {
    this.#rows = rows;
    this.#draw();
  }

  get length(): number {
    return this.#rows.length;
  }

  /** Bring a row into view. */
  reveal(place: number): void {
    const top = place * this.height;
    const { scrollTop, clientHeight } = this.frame;
    if (top < scrollTop || top + this.height * 2 > scrollTop + clientHeight)
      this.frame.scrollTop = Math.max(0, top - clientHeight / 2);
    this.#draw();
  }

  /** Before the first row again. */
  startOver(): void {
    this.#at = -1;
  }

  /** Go on by some rows, round and round, and bring that row into view; its place counts from 1, 0: there is none. */
  go(step: number): { place: number; element: E | undefined } {
    if (!this.#rows.length) return { place: 0, element: undefined };
    const from = this.#at < 0 && step < 0 ? 0 : this.#at; // the one before the first is the last
    this.#at = (from + step + this.#rows.length) % this.#rows.length;
    this.reveal(this.#at);
    const row = this.#rows[this.#at] as R;
    return { place: this.#at + 1, element: this.#kept.get(row.key) };
  }

  #draw(): void {
    const seen = Math.ceil((this.frame.clientHeight || 400) / this.height);
    const first = Math.max(0, Math.floor(this.frame.scrollTop / this.height) - 5);
    const last = Math.min(this.#rows.length, first + seen + 10);
    const kept = new Map<string, E>();
    let before: Element = this.#above;
    for (let place = first; place < last; place++) {
      const row = this.#rows[place] as R;
      const element = this.#kept.get(row.key) ?? this.make(row);
      this.#kept.delete(row.key);
      kept.set(row.key, element);
      this.fill(element, row, place);
      if (before.nextSibling !== element) before.after(element);
      before = element;
    }
    for (const gone of this.#kept.values()) gone.remove();
    this.#kept = kept;
    if (this.list.lastChild !== this.#below) this.list.append(this.#below);
    this.#above.style.height = `${first * this.height}px`;
    this.#below.style.height = `${(this.#rows.length - last) * this.height}px`;
  }
}
