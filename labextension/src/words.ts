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

/** A duration that nobody knows to the second. */
export function roughly(seconds: number): string {
  const step = seconds < 10 ? 1 : seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  const whole = Math.max(1, Math.ceil(seconds / step)) * step;
  return whole < 60 ? `${whole} s` : duration(whole);
}

/** A moment on an axis whose marks are `stepS` apart, so finely that no two of them are told alike. */
export function moment(seconds: number, stepS: number): string {
  if (seconds >= 59.9995) return duration(seconds);
  if (seconds < 0.9995 && stepS < 0.0995) return `${tidy(seconds * 1000, stepS * 1000)} ms`;
  return `${tidy(seconds, stepS)} s`;
}

function tidy(value: number, step: number): string {
  return value.toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
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

const HIDDEN = /[\p{Cc}\p{Cs}\u200b\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** A name as it can be shown: one line, no control characters, no signs that turn the text round, not endless. */
export function printable(text: string, longest = 300): string {
  return cut(text.replace(/\s+/gu, " ").trim().replace(HIDDEN, "\ufffd"), longest);
}

/** The same of a text that may have several lines. */
export function printableLines(text: string, longest: number): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/\t/g, "    ").replace(HIDDEN, "\ufffd"));
  return cut(lines.join("\n"), longest);
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

/** A name inside of a sentence: cut, and turning nothing else round where it is written from right to left. */
export function isolated(name: string, longest: number): string {
  return `\u2068${printable(name, longest)}\u2069`;
}

/** What is searched for: case and accents do not count. */
export function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
