// Small parts that several places show.

import { STATES } from "../theme/states.generated";
import type { Artifact, Display } from "../wire";
import { printable } from "../words";
import { h } from "./dom";

/** A state as glyph and word on its colour. */
export function chip(state: number, extra = ""): HTMLElement {
  const facts = STATES[state];
  const word = facts ? `${facts.glyph} ${facts.word}` : "unknown";
  return h("span", { class: `nbflow-chip ${facts?.className ?? ""}` }, extra ? `${word} ${extra}` : word);
}

export function button(text: string, press: () => void, properties: Record<string, string> = {}): HTMLButtonElement {
  return h("button", { type: "button", class: "nbflow-button", ...properties, click: press }, text);
}

/** Switch a button off in such a way that it can still be reached, and tells why it is off. */
export function setEnabled(one: HTMLButtonElement, isEnabled: boolean, why: string): void {
  one.setAttribute("aria-disabled", String(!isEnabled));
  one.classList.toggle("is-off", !isEnabled);
  one.title = isEnabled ? (one.dataset.title ?? "") : why;
}

const BASE64 = /^[A-Za-z0-9+/=\s]*$/;

/** A rich output. Pictures are shown as images, in which no script runs; all else is text. */
export function display(shown: Display): HTMLElement | null {
  if (shown.png && BASE64.test(shown.png)) return image(`data:image/png;base64,${shown.png}`);
  if (shown.svg) return image(`data:image/svg+xml;base64,${base64(shown.svg)}`);
  const text = shown.text ?? shown.plain;
  return text ? h("pre", {}, text) : null;
}

/** What a task has attached, under its title. Only web addresses can be followed. */
export function artifact(shown: Artifact): HTMLElement {
  const title = h("b", {}, printable(shown.title || shown.key));
  const parts = [shown.description ? h("p", {}, shown.description) : null, tableOf(shown), display(shown)];
  if (shown.href) parts.push(link(shown.href));
  return h("div", { class: "nbflow-artifact" }, title, ...parts);
}

function link(address: string): HTMLElement {
  if (!/^https?:\/\//i.test(address)) return h("p", {}, h("code", {}, printable(address, 2_000)));
  return h("p", {}, h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, printable(address, 2_000)));
}

function tableOf({ table }: Artifact): HTMLElement | null {
  if (!table) return null;
  const cell = (value: unknown): HTMLElement => h("td", {}, value === null ? "" : String(value));
  const head = h("tr", {}, ...table.columns.map((name) => h("th", { scope: "col" }, String(name))));
  const rows = table.rows.map((row) => h("tr", {}, ...row.map(cell)));
  const more = table.more ? h("p", {}, `… and ${table.more.toLocaleString("en")} more rows`) : null;
  return h("div", {}, h("table", { tabindex: "0" }, h("thead", {}, head), h("tbody", {}, ...rows)), more);
}

function image(source: string): HTMLElement {
  return h("img", { src: source, alt: "output of the task", class: "nbflow-image" });
}

function base64(text: string): string {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}

const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, "g");

/** Text without the signs that colour it in a terminal. */
export function withoutColours(text: string): string {
  return text.replace(ANSI, "");
}
