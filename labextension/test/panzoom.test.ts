// A picture in its frame: where it stands when the frame changes.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { PanZoom } from "../src/view/panzoom";
import { newPage } from "./dom";

let frame: HTMLElement;
let svg: SVGSVGElement;
let resized: () => void;
let panZoom: PanZoom;
const before = globalThis.ResizeObserver;

class FakeObserver {
  constructor(hear: () => void) {
    resized = hear;
  }
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

beforeEach(() => {
  globalThis.ResizeObserver = FakeObserver as unknown as typeof ResizeObserver;
  frame = newPage();
  Object.defineProperty(frame, "clientHeight", { get: () => 320 });
  svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 300 200");
  panZoom = new PanZoom(frame, () => {});
});

afterEach(() => {
  panZoom.dispose();
  globalThis.ResizeObserver = before;
});

function widen(width: number): void {
  Object.defineProperty(frame, "clientWidth", { get: () => width, configurable: true });
  resized();
}

test("a picture that is seen as a whole stays where it is when the frame becomes narrower", () => {
  widen(1000);
  panZoom.show([svg], null, null);
  const shown = svg.style.transform;

  widen(720);
  const stayed = svg.style.transform;
  widen(1000);

  assert.equal(shown, "translate(300.0px, 26.7px) scale(1.3333)");
  assert.equal(stayed, shown);
  assert.equal(svg.style.transform, shown);
});

test("a picture that is drawn anew stands where the one before stood", () => {
  widen(1000);
  panZoom.show([svg], null, null);
  widen(720);

  const again = svg.cloneNode(true) as SVGSVGElement;
  again.style.transform = "";
  panZoom.show([again], null, null);

  assert.equal(again.style.transform, "translate(300.0px, 26.7px) scale(1.3333)");
});

test("a picture that would be cut is fitted into the narrower frame", () => {
  widen(1000);
  panZoom.show([svg], null, null);

  widen(600);

  assert.equal(svg.style.transform, "translate(100.0px, 26.7px) scale(1.3333)");
});

test("a picture is fitted into a frame that becomes wider", () => {
  widen(600);
  panZoom.show([svg], null, null);

  widen(1000);

  assert.equal(svg.style.transform, "translate(300.0px, 26.7px) scale(1.3333)");
});
