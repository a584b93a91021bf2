// Written by write_theme.py from notebook_flows/views/theme.py and core/lifecycle.py: change those, not this.

export interface StateFacts {
  readonly word: string;
  readonly glyph: string;
  readonly className: string;
  readonly isFinal: boolean;
  readonly isSuccessful: boolean;
  readonly isFailed: boolean;
}

export const S = {
  PENDING: 0,
  READY: 1,
  QUEUED: 2,
  RUNNING: 3,
  RETRYING: 4,
  PAUSED: 5,
  LOOPED: 6,
  EXPANDED: 7,
  SUCCESS: 10,
  CACHED: 11,
  SKIPPED: 12,
  MAPPED: 13,
  FAILED: 20,
  TIMED_OUT: 21,
  UPSTREAM_FAILED: 22,
  VALIDATION_FAILED: 23,
  CANCELLED: 30,
  CRASHED: 31,
  NOT_RUN: 32,
} as const;

export const STATES: Readonly<Record<number, StateFacts>> = {
  0: {"word": "pending", "glyph": "·", "className": "state-pending", "isFinal": false, "isSuccessful": false, "isFailed": false},
  1: {"word": "ready", "glyph": "○", "className": "state-ready", "isFinal": false, "isSuccessful": false, "isFailed": false},
  2: {"word": "queued", "glyph": "◌", "className": "state-queued", "isFinal": false, "isSuccessful": false, "isFailed": false},
  3: {"word": "running", "glyph": "▶", "className": "state-running", "isFinal": false, "isSuccessful": false, "isFailed": false},
  4: {"word": "retrying", "glyph": "↻", "className": "state-retrying", "isFinal": false, "isSuccessful": false, "isFailed": false},
  5: {"word": "paused", "glyph": "‖", "className": "state-paused", "isFinal": false, "isSuccessful": false, "isFailed": false},
  6: {"word": "looping", "glyph": "⟳", "className": "state-looping", "isFinal": false, "isSuccessful": false, "isFailed": false},
  7: {"word": "mapping", "glyph": "▷", "className": "state-mapping", "isFinal": false, "isSuccessful": false, "isFailed": false},
  10: {"word": "success", "glyph": "✓", "className": "state-success", "isFinal": true, "isSuccessful": true, "isFailed": false},
  11: {"word": "cached", "glyph": "≡", "className": "state-cached", "isFinal": true, "isSuccessful": true, "isFailed": false},
  12: {"word": "skipped", "glyph": "»", "className": "state-skipped", "isFinal": true, "isSuccessful": true, "isFailed": false},
  13: {"word": "mapped", "glyph": "✓", "className": "state-mapped", "isFinal": true, "isSuccessful": true, "isFailed": false},
  20: {"word": "failed", "glyph": "✗", "className": "state-failed", "isFinal": true, "isSuccessful": false, "isFailed": true},
  21: {"word": "timed out", "glyph": "◷", "className": "state-timed-out", "isFinal": true, "isSuccessful": false, "isFailed": true},
  22: {"word": "upstream failed", "glyph": "⊘", "className": "state-upstream-failed", "isFinal": true, "isSuccessful": false, "isFailed": true},
  23: {"word": "validation failed", "glyph": "✗", "className": "state-validation-failed", "isFinal": true, "isSuccessful": false, "isFailed": true},
  30: {"word": "cancelled", "glyph": "■", "className": "state-cancelled", "isFinal": true, "isSuccessful": false, "isFailed": true},
  31: {"word": "crashed", "glyph": "☠", "className": "state-crashed", "isFinal": true, "isSuccessful": false, "isFailed": true},
  32: {"word": "not run", "glyph": "-", "className": "state-not-run", "isFinal": true, "isSuccessful": false, "isFailed": true},
};

/** What people want to be told first. */
export const GRAVITY: readonly number[] = [31, 20, 21, 23, 22, 30, 5, 4, 3, 7, 6, 2, 1, 0, 32, 10, 11, 13, 12];

export const KINDS: readonly string[] = ["run", "task", "expanded", "verdict", "artifact"];
