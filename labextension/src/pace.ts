// Draws at most once a frame, and less often where much is to be drawn.

export class Pace {
  #last = Number.NEGATIVE_INFINITY;
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
    if (nowMs - this.#last < this.everyMs()) {
      this.#handle = this.frame(this.#step);
      return;
    }
    this.#last = nowMs;
    this.#isAsked = false;
    this.draw();
  };
}
