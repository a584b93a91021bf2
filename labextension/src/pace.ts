// Draws at most once a frame, and less often where much is to be drawn or the page is slow.

/** A page at rest has so much between two frames. */
const FRAME_MS = 17;
/** Painting takes no more than one part in so many of the time. */
const SHARE = 4;
const LONGEST_REST_MS = 400;

export class Pace {
  #last = Number.NEGATIVE_INFINITY;
  #restMs = 0;
  #isAsked = false;
  #handle = 0;

  /**
   * @param draw what is done.
   * @param everyMs how long to wait between two drawings, at least.
   */
  constructor(
    private readonly draw: () => void,
    private readonly everyMs: () => number,
    private readonly frame: (call: (nowMs: number) => void) => number = (call) => requestAnimationFrame(call),
    private readonly cancel: (handle: number) => void = (handle) => cancelAnimationFrame(handle),
  ) {}

  /** Something is to be drawn: soon, with all else that comes until then. */
  ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#handle = this.frame(this.#step);
  }

  stop(): void {
    this.cancel(this.#handle);
    this.#isAsked = false;
  }

  readonly #step = (nowMs: number): void => {
    if (nowMs - this.#last < Math.max(this.everyMs(), this.#restMs)) {
      this.#handle = this.frame(this.#step);
      return;
    }
    this.#last = nowMs;
    this.#isAsked = false;
    this.draw();
    // what was drawn is painted before the next frame: so long that takes
    this.frame((next) => {
      const paintMs = Math.max(0, next - nowMs - FRAME_MS);
      this.#restMs = Math.min(LONGEST_REST_MS, paintMs * SHARE);
    });
  };
}
