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

test("however far it is moved, some of the picture stays in sight", () => {
  widen(1000);
  panZoom.show([svg], null, null);

  panZoom.pan(5_000, -5_000);

  const { left, top, right, bottom } = panZoom.seen;
  assert.ok(left < 300 && right > 0 && top < 200 && bottom > 0, JSON.stringify(panZoom.seen));

  const position = { x: 900, y: -150, scale: 1 };
  widen(0); // a view that is made anew, and has no place in the page yet
  panZoom.show([svg], position, null);

  assert.equal(svg.style.transform, "translate(900.0px, -150.0px) scale(1.0000)");
});

test("two fingers that move apart look closer, and what lies between them stays there", () => {
  widen(1000);
  panZoom.show([svg], { x: 0, y: 0, scale: 1 }, null);
  const finger = (kind: string, pointerId: number, clientX: number): void => {
    const event = new MouseEvent(`pointer${kind}`, { bubbles: true, clientX, clientY: 100 });
    Object.defineProperty(event, "pointerId", { value: pointerId });
    frame.dispatchEvent(event);
  };

  finger("down", 1, 100);
  finger("down", 2, 200);
  finger("move", 1, 50);
  finger("move", 2, 250);
  finger("up", 1, 50);
  finger("up", 2, 250);
  const pinched = svg.style.transform;
  finger("move", 1, 400);

  assert.equal(pinched, "translate(-150.0px, -100.0px) scale(2.0000)");
  assert.equal(svg.style.transform, pinched);
});
