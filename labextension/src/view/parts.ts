// Small parts that several places show.

import { STATES } from "../theme/states.generated";
import type { Artifact, Display } from "../wire";
import { printable, stateText } from "../words";
import { h } from "./dom";
import { marked } from "./marked";

/** A state as glyph and word on its colour. */
export function chip(state: number): HTMLElement {
  return h("span", { class: `nbflow-chip ${STATES[state]?.className ?? ""}` }, stateText(state));
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
  const text = shown.text ?? shown.plain;
  if (shown.marked) return marked(shown.marked);
  return imageOf(shown, "output of the task") ?? (text ? pre(text) : null);
}

export function pre(text: string): HTMLElement {
  return h("pre", { tabindex: "0" }, text);
}

function imageOf({ png, svg }: Display, alt: string): HTMLElement | null {
  if (png && BASE64.test(png)) return image(`data:image/png;base64,${png}`, alt);
  return svg ? image(`data:image/svg+xml;base64,${base64(svg)}`, alt) : null;
}

/** What a task has attached, under its title. Only web addresses can be followed. */
export function artifact(shown: Artifact): HTMLElement {
  const title = printable(shown.title || shown.key);
  const parts = [
    shown.description ? h("p", {}, shown.description) : null,
    tableOf(shown),
    shown.marked ? marked(shown.marked) : null,
    imageOf(shown, title) ?? (shown.plain ? sentences(shown.plain) : null),
    shown.text ? h("p", { class: "nbflow-message" }, shown.text) : null,
    shown.href ? link(shown.href) : null,
  ];
  return h("div", { class: "nbflow-artifact" }, h("b", {}, title), ...parts);
}

/** Words of ours, in which commands stand in backticks. */
function sentences(text: string): HTMLElement {
  const parts = text.split(/`([^`\n]+)`/g).map((part, place) => (place % 2 ? h("code", {}, part) : part));
  return h("p", { class: "nbflow-message" }, ...parts);
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

function image(source: string, alt: string): HTMLElement {
  return h("img", { src: source, alt, class: "nbflow-image" });
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
