// Moves and scales a picture in its frame: by wheel with Ctrl, by dragging, by two fingers, by buttons and keys.

import type { Position } from "./context";
import type { Bounds } from "./shape";

/** Points of a picture as pixels of a page: names are then as large as the text around. */
const LARGEST_FIT = 4 / 3;
/** Names of a large picture that is smaller than this are left out: nobody could read them, and painting them costs most. */
const READABLE = 0.4;
const LEAST = 0.05;
const MOST = 8;
const EDGE = 24;
const TALLEST = 520;
const LOWEST = 120;
const DRAG = 4;

interface Point {
  readonly x: number;
  readonly y: number;
}

export class PanZoom {
  #layers: readonly SVGSVGElement[] = [];
  #size = { width: 1, height: 1 };
  #at: Position = { x: 0, y: 0, scale: 1 };
  #isFitted = true;
  /** Of the frame, when it was looked at last. */
  #width = 0;
  #isHeightChosen = false;
  readonly #observer: ResizeObserver | null;
  /** A drag has just ended: the click that follows is none. */
  hasDragged = false;

  constructor(
    private readonly frame: HTMLElement,
    private readonly moved: (position: Position | null) => void,
  ) {
    frame.addEventListener("wheel", this.#wheel, { passive: false });
    frame.addEventListener("pointerdown", this.#pointerDown);
    this.#observer = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(() => this.#resized());
    this.#observer?.observe(frame);
  }

  /**
   * Put a picture in.
   *
   * @param layers it consists of, all of one size.
   * @param position where it stood before; null: fitted.
   */
  show(layers: readonly SVGSVGElement[], position: Position | null, height: number | null): void {
    const box = (layers[0]?.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
    const before = this.#layers.length ? this.#size : null;
    this.#size = { width: box[2] || 1, height: box[3] || 1 };
    const isAsLarge = before?.width === this.#size.width && before.height === this.#size.height;
    for (const svg of layers) {
      svg.setAttribute("width", String(this.#size.width));
      svg.setAttribute("height", String(this.#size.height));
    }
    this.#layers = layers;
    this.frame.replaceChildren(...layers);
    this.setHeight(height);
    if (position) this.#place(position);
    else if (isAsLarge && this.#isFitted && this.frame.clientWidth === this.#width && this.#isAllSeen) this.#apply();
    else this.fit();
  }

  /** Make the frame as high as somebody wants; null: as the picture needs. */
  setHeight(height: number | null): void {
    this.#isHeightChosen = height !== null;
    const width = this.frame.clientWidth || this.#size.width;
    const natural = this.#size.height * Math.min(LARGEST_FIT, width / this.#size.width) + 16;
    this.frame.style.height = `${Math.round(height ?? Math.min(TALLEST, Math.max(LOWEST, natural)))}px`;
  }

  /** All of it, as large as it can be shown; not larger than the text around. */
  fit(): void {
    const { width, height } = this.#frameSize;
    const scale = Math.max(LEAST, Math.min(LARGEST_FIT, width / this.#size.width, height / this.#size.height));
    this.#isFitted = true;
    this.#width = width;
    this.#at = {
      scale,
      x: (width - this.#size.width * scale) / 2,
      y: Math.max(0, (height - this.#size.height * scale) / 2),
    };
    this.#apply();
    this.moved(null);
  }

  get #frameSize(): { width: number; height: number } {
    return { width: this.frame.clientWidth || this.#size.width, height: this.frame.clientHeight || this.#size.height };
  }

  #resized(): void {
    if (!this.frame.clientWidth || !this.#layers.length) return; // hidden
    if (!this.#isHeightChosen) this.setHeight(null);
    const isNarrower = this.frame.clientWidth < this.#width;
    this.#width = this.frame.clientWidth;
    // a click on a task opens what is told of it beside the picture: what was clicked stays below the pointer
    if (this.#isFitted && !(isNarrower && this.#isAllSeen)) this.fit();
  }

  get #isAllSeen(): boolean {
    const { left, top, right, bottom } = this.seen;
    return left <= 0 && top <= 0 && right >= this.#size.width && bottom >= this.#size.height;
  }

  /** The part of the picture that is seen, in the picture's units from its upper left corner. */
  get seen(): Bounds {
    const { x, y, scale } = this.#at;
    const { width, height } = this.#frameSize;
    return { left: -x / scale, top: -y / scale, right: (width - x) / scale, bottom: (height - y) / scale };
  }

  /** Scale about a place in the frame, its middle by default. */
  zoom(factor: number, x = this.#frameSize.width / 2, y = this.#frameSize.height / 2): void {
    const scale = Math.min(MOST, Math.max(LEAST, this.#at.scale * factor));
    const real = scale / this.#at.scale;
    this.#move({ scale, x: x - (x - this.#at.x) * real, y: y - (y - this.#at.y) * real });
  }

  pan(dx: number, dy: number): void {
    this.#move({ ...this.#at, x: this.#at.x + dx, y: this.#at.y + dy });
  }

  /** Move as little as is needed for these bounds, in units of the picture's own coordinates on the screen, to be seen. */
  reveal(bounds: Bounds): void {
    if (this.#isFitted) return; // all of it is seen
    const { width, height } = this.#frameSize;
    const dx = missing(bounds.left, bounds.right, width);
    const dy = missing(bounds.top, bounds.bottom, height);
    if (dx || dy) this.pan(dx, dy);
  }

  /** Some of the picture stays in the frame: what is lost from sight would have to be looked for. */
  #move({ x, y, scale }: Position): void {
    const { width, height } = this.#frameSize;
    const within = (at: number, size: number, room: number): number =>
      Math.min(room - EDGE, Math.max(EDGE - size * scale, at));
    this.#place({ x: within(x, this.#size.width, width), y: within(y, this.#size.height, height), scale });
  }

  #place(position: Position): void {
    this.#isFitted = false;
    this.#at = position;
    this.#apply();
    this.moved(position);
  }

  #apply(): void {
    const { x, y, scale } = this.#at;
    const isLarge = this.#layers.length > 1;
    // in three dimensions each of several is painted by itself; letters of a single one are sharper without
    const [three, z] = isLarge ? ["3d", ", 0"] : ["", ""];
    for (const svg of this.#layers)
      svg.style.transform = `translate${three}(${x.toFixed(1)}px, ${y.toFixed(1)}px${z}) scale(${scale.toFixed(4)})`;
    this.frame.classList.toggle("is-far", isLarge && scale * (globalThis.devicePixelRatio || 1) < READABLE);
  }

  readonly #wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const box = this.frame.getBoundingClientRect();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.zoom(Math.exp(-step / 300), event.clientX - box.left, event.clientY - box.top);
  };

  /** Where each finger is that is down, or the mouse. */
  readonly #fingers = new Map<number, Point>();

  readonly #pointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const start = { x: event.clientX, y: event.clientY };
    this.#fingers.set(event.pointerId, start);
    this.hasDragged = this.#fingers.size > 1;
    const move = (next: PointerEvent): void => {
      const last = next.pointerId === event.pointerId ? this.#fingers.get(event.pointerId) : undefined;
      if (!last) return;
      if (!this.hasDragged && Math.hypot(next.clientX - start.x, next.clientY - start.y) < DRAG) return;
      this.hasDragged = true;
      this.frame.classList.add("is-dragging");
      const now = { x: next.clientX, y: next.clientY };
      this.#fingers.set(event.pointerId, now);
      const [other] = [...this.#fingers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      if (other) this.#pinch(last, now, other);
      else this.pan(now.x - last.x, now.y - last.y);
    };
    const up = (next: PointerEvent): void => {
      if (next.pointerId !== event.pointerId) return;
      this.#fingers.delete(event.pointerId);
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      this.frame.classList.remove("is-dragging");
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  };

  /** One of two fingers has moved: what lies under both of them stays there. */
  #pinch(last: Point, now: Point, other: Point): void {
    const factor = distance(now, other) / Math.max(1, distance(last, other));
    const box = this.frame.getBoundingClientRect();
    this.zoom(factor, (last.x + other.x) / 2 - box.left, (last.y + other.y) / 2 - box.top);
    this.pan((now.x - last.x) / 2, (now.y - last.y) / 2);
  }

  /** Show no picture. */
  clear(note: HTMLElement): void {
    this.#layers = [];
    this.frame.replaceChildren(note);
    this.frame.style.height = "";
  }

  dispose(): void {
    this.#observer?.disconnect();
  }
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

/** By how much to move so that what lies from `low` to `high` is inside 0 to `size`. */
function missing(low: number, high: number, size: number): number {
  if (high - low > size - 2 * EDGE) return size / 2 - (low + high) / 2;
  if (low < EDGE) return EDGE - low;
  if (high > size - EDGE) return size - EDGE - high;
  return 0;
}
