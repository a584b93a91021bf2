import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../src/pace";

/** Frames that come when the test says so. */
class Frames {
  drawn: number[] = [];
  #now = 0;
  #calls: ((nowMs: number) => void)[] = [];

  pace(everyMs = 0): Pace {
    return new Pace(
      () => this.drawn.push(this.#now),
      () => everyMs,
      (call) => this.#calls.push(call),
      () => {
        this.#calls = [];
      },
    );
  }

  pass(ms: number): void {
    this.#now += ms;
    const calls = this.#calls;
    this.#calls = [];
    for (const call of calls) call(this.#now);
  }
}

test("what is asked for many times before a frame is drawn once", () => {
  const frames = new Frames();
  const pace = frames.pace();

  for (let time = 0; time < 100; time++) pace.ask();
  frames.pass(16);
  frames.pass(16);

  assert.deepEqual(frames.drawn, [16]);
});

test("where much is to be drawn it is drawn less often, and the last change is not lost", () => {
  const frames = new Frames();
  const pace = frames.pace(100);

  for (let time = 0; time < 20; time++) {
    pace.ask();
    frames.pass(16);
  }

  assert.deepEqual(frames.drawn, [16, 128, 240]);
});

test("a page that takes long to paint is left time for other things", () => {
  const frames = new Frames();
  const pace = frames.pace();
  pace.ask();
  frames.pass(16);

  frames.pass(67); // painting has taken 50 ms more than a frame has
  for (let time = 0; time < 20; time++) {
    pace.ask();
    frames.pass(16);
  }

  assert.equal(frames.drawn[0], 16);
  assert.ok((frames.drawn[1] ?? 0) - 16 >= 200);
});

test("after the end nothing is drawn", () => {
  const frames = new Frames();
  const pace = frames.pace();

  pace.ask();
  pace.stop();
  frames.pass(16);

  assert.deepEqual(frames.drawn, []);
});
