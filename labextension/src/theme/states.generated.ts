// Written by write_theme.py from notebook_flows/views/theme.py and core/lifecycle.py: change those, not this.

export interface StateFacts {
  readonly word: string;
  readonly glyph: string;
  readonly className: string;
  readonly isFinal: boolean;
  readonly isFailed: boolean;
}

export enum S {
  PENDING = 0,
  READY = 1,
  QUEUED = 2,
  RUNNING = 3,
  RETRYING = 4,
  PAUSED = 5,
  LOOPED = 6,
  EXPANDED = 7,
  SUCCESS = 10,
  CACHED = 11,
  SKIPPED = 12,
  MAPPED = 13,
  FAILED = 20,
  TIMED_OUT = 21,
  UPSTREAM_FAILED = 22,
  VALIDATION_FAILED = 23,
  CANCELLED = 30,
  CRASHED = 31,
  NOT_RUN = 32,
}

const ROWS: readonly (readonly [number, string, string, number])[] = [
  [0, "pending", "·", 0],
  [1, "ready", "○", 0],
  [2, "queued", "◌", 0],
  [3, "running", "▶", 0],
  [4, "retrying", "↻", 0],
  [5, "paused", "‖", 0],
  [6, "looping", "⟳", 0],
  [7, "mapping", "▷", 0],
  [10, "success", "✓", 1],
  [11, "cached", "≡", 1],
  [12, "skipped", "»", 1],
  [13, "mapped", "✓", 1],
  [20, "failed", "✗", 3],
  [21, "timed out", "◷", 3],
  [22, "upstream failed", "⊘", 3],
  [23, "validation failed", "✗", 3],
  [30, "cancelled", "■", 3],
  [31, "crashed", "☠", 3],
  [32, "not run", "-", 3],
];

export const STATES: Readonly<Record<number, StateFacts>> = Object.fromEntries(
  ROWS.map(([state, word, glyph, flags]) => [
    state,
    {
      word,
      glyph,
      className: `state-${word.replaceAll(" ", "-")}`,
      isFinal: (flags & 1) !== 0,
      isFailed: (flags & 2) !== 0,
    },
  ]),
);

/** What people want to be told first. */
export const GRAVITY: readonly number[] = [31, 20, 21, 23, 22, 30, 5, 4, 3, 7, 6, 2, 1, 0, 32, 10, 11, 13, 12];

export const KINDS: readonly string[] = ["run", "task", "expanded", "verdict", "artifact", "reopened"];
