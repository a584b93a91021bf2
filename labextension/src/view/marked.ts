// A Markdown text, of which the kernel has made a tree, as elements of a few kinds. All text is text: there is no HTML here.

import type { Marked } from "../wire";
import { printable } from "../words";
import { h } from "./dom";

/** What each kind is here; headings stand below that of the drawer. */
const TAGS = {
  p: "p",
  h1: "h4",
  h2: "h5",
  h3: "h6",
  h4: "h6",
  ul: "ul",
  ol: "ol",
  li: "li",
  strong: "strong",
  em: "em",
  s: "s",
  code: "code",
  pre: "pre",
  a: "a",
  blockquote: "blockquote",
  table: "table",
  tr: "tr",
  th: "th",
  td: "td",
  hr: "hr",
  br: "br",
} as const;
type Kind = keyof typeof TAGS;
const FOLLOWED = /^(https?:\/\/|mailto:)/i;
const SIDES = ["left", "center", "right"];
const DEEPEST = 50;

export function marked(tree: readonly Marked[]): HTMLElement {
  return h("div", { class: "nbflow-marked" }, ...built(tree, 0));
}

function built(nodes: readonly Marked[], depth: number): (Node | string)[] {
  if (!Array.isArray(nodes) || depth > DEEPEST) return [];
  return nodes.flatMap((node) => (typeof node === "string" ? node : elementOf(node, depth)));
}

function elementOf(node: Exclude<Marked, string>, depth: number): (Node | string)[] {
  if (!Array.isArray(node)) return [];
  const [kind, of, more] = node;
  const inner = built(of, depth + 1);
  if (!Object.hasOwn(TAGS, kind)) return inner;
  return [h(TAGS[kind as Kind], propertiesOf(kind, more), ...inner)];
}

function propertiesOf(kind: string, more: unknown): Record<string, string | number> {
  if (kind === "pre" || kind === "table") return { tabindex: "0" }; // it may have to be scrolled
  if (kind === "a" && typeof more === "string" && FOLLOWED.test(more))
    return { href: more, title: printable(more, 2_000), target: "_blank", rel: "noopener noreferrer" };
  if (kind === "ol" && typeof more === "number") return { start: more };
  const side = typeof more === "string" && SIDES.includes(more) ? { class: `is-${more}` } : {};
  return kind === "th" ? { scope: "col", ...side } : kind === "td" ? side : {};
}
