// SVG from the kernel, taken apart: only what a picture needs is made anew in the page, and all text is text.

import { SVG } from "./dom";

const ELEMENTS = new Set([
  "svg",
  "g",
  "path",
  "polygon",
  "polyline",
  "ellipse",
  "circle",
  "rect",
  "line",
  "text",
  "tspan",
  "title",
]);
const ATTRIBUTES = new Set([
  "class",
  "cx",
  "cy",
  "d",
  "dx",
  "dy",
  "fill",
  "font-family",
  "font-size",
  "font-style",
  "font-weight",
  "height",
  "opacity",
  "points",
  "r",
  "rx",
  "ry",
  "stroke",
  "stroke-dasharray",
  "stroke-width",
  "text-anchor",
  "transform",
  "viewBox",
  "width",
  "x",
  "x1",
  "x2",
  "y",
  "y1",
  "y2",
]);
/** Letters, numbers and what paths, colours and transforms need; no colon, so that no address fits. */
const PLAIN = /^[\p{L}\p{N}\s.,#%()'"+\-_]*$/u;
const DEEPEST = 50;

/** The picture for this page; null: it is no SVG. An `id` becomes `data-id`: the same picture may be shown twice. */
export function safeSvg(text: string): SVGSVGElement | null {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const root = parsed.documentElement;
  if (parsed.querySelector("parsererror") || root.localName !== "svg" || root.namespaceURI !== SVG) return null;
  return copied(root, 0) as SVGSVGElement;
}

function copied(element: Element, depth: number): Element | null {
  if (element.namespaceURI !== SVG || !ELEMENTS.has(element.localName) || depth > DEEPEST) return null;
  const copy = document.createElementNS(SVG, element.localName);
  for (const { name, value } of element.attributes) {
    if (name === "id") copy.setAttribute("data-id", value);
    else if (ATTRIBUTES.has(name) && PLAIN.test(value) && !/url\s*\(/i.test(value)) copy.setAttribute(name, value);
  }
  for (const child of element.childNodes) {
    if (child.nodeType === 3) {
      if (isText(element)) copy.append(child.nodeValue ?? "");
    } else if (child.nodeType === 1) {
      const inner = copied(child as Element, depth + 1);
      if (inner) copy.append(inner);
    }
  }
  return copy;
}

function isText(element: Element): boolean {
  return ["text", "tspan", "title"].includes(element.localName);
}
