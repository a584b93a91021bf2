import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import widget from "../src/widget";
import type { ToKernel } from "../src/wire";
import { click, frame, newPage } from "./dom";
import { chain, settled, snapshot } from "./fake";

/** A kernel that several pages look at: what it says, all of them hear. */
class Kernel {
  readonly asked: Extract<ToKernel, { type: "detail" }>[] = [];
  readonly #pages: ((message: unknown) => void)[] = [];
  readonly #closed: (() => void)[] = [];

  open(): HTMLElement {
    const model = {
      on: (name: string, hear: (message: unknown) => void): void => {
        if (name === "msg:custom") this.#pages.push(hear);
      },
      send: (message: ToKernel): void => {
        if (message.type === "detail") this.asked.push(message);
      },
    };
    const shown = widget();
    const el = document.createElement("div");
    shown.initialize({ model });
    this.#closed.push(shown.render({ model, el }));
    return el;
  }

  tell(...messages: unknown[]): void {
    for (const message of messages) for (const hear of this.#pages) hear(message);
    frame();
  }

  close(): void {
    for (const close of this.#closed) close();
  }
}

let kernel: Kernel;

beforeEach(() => {
  newPage();
  kernel = new Kernel();
});

afterEach(() => kernel.close());

test("an answer that another page has asked for is not taken for one's own", async () => {
  const pages = [kernel.open(), kernel.open()];
  kernel.tell(chain(["load", "clean"]), snapshot([]));
  pages.forEach((page, place) => {
    click(page.querySelector(`g[data-id="node-${place}"]`));
  });

  kernel.tell({ type: "detail", request: kernel.asked[0]?.request, node: 0, code: "of load" });
  await settled();

  const told = pages.map((page) => page.querySelector(".nbflow-sections")?.textContent);
  assert.deepEqual(told, ["Codeof load", "…"]);
});
