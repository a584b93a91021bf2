// How numbers, names and states are told to people.

import { STATES } from "./theme/states.generated";

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min` */
export function duration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return joined(`${minutes} min`, whole % 60, "s");
  return joined(`${Math.floor(minutes / 60)} h`, minutes % 60, "min");
}

function joined(head: string, rest: number, unit: string): string {
  return rest ? `${head} ${rest} ${unit}` : head;
}

/** `✓ success` */
export function stateText(state: number): string {
  const facts = STATES[state];
  return facts ? `${facts.glyph} ${facts.word}` : "unknown";
}

/** `1 task`, `3 tasks` */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A name as it can be shown: no control characters, no signs that turn the text round, not endless. */
export function printable(text: string, longest = 300): string {
  const plain = text.replace(/[\p{Cc}\p{Cs}\u200b\u2028-\u202e\u2060-\u206f\ufeff]/gu, "\ufffd");
  return plain.length <= longest ? plain : `${plain.slice(0, longest - 1)}…`;
}

/** A name inside of a sentence: cut, and turning nothing else round where it is written from right to left. */
export function isolated(name: string, longest: number): string {
  return `\u2068${printable(name, longest)}\u2069`;
}

/** What is searched for: case and accents do not count. */
export function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
