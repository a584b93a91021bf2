// A page that is robbed of messages, and told others twice, comes to where the run is, and never shows what was not so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveFlow } from "../src/live";
import type { Event } from "../src/run";
import { chain, FakeChannel } from "./fake";
import { batchOf, endOf, eventsOf, folded, NAMES, snapshotOf } from "./golden";

const SEEDS = 25;
const LOST = 0.3;
const DOUBLED = 0.2;
const MOST_BEATS = 200;

/** Numbers from 0 to 1 that are the same each time. */
function luck(seed: number): () => number {
  let at = seed * 2_654_435_761;
  return () => {
    at = (Math.imul(at ^ (at >>> 15), 1 | at) + 0x6d2b79f5) | 0;
    return ((at ^ (at >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A kernel of which not all comes through. */
class LossyKernel {
  told = 0;
  #batch = 0;
  #answered = 0;

  constructor(
    private readonly events: readonly Event[],
    private readonly channel: FakeChannel,
    private readonly random: () => number,
    private readonly seen: () => void,
  ) {}

  tellAll(): void {
    const run = folded(this.events.slice(0, this.told));
    this.#send({ ...snapshotOf(run), batch: ++this.#batch });
  }

  tellSome(): void {
    const some = this.events.slice(this.told, this.told + 1 + Math.floor(this.random() * 4));
    this.told += some.length;
    this.#send(batchOf(some, ++this.#batch));
  }

  beat(): void {
    this.#send({ type: "beat", batch: this.#batch });
  }

  /** What the page has asked for since the last time. */
  answer(): void {
    const asked = this.channel.sent.slice(this.#answered).filter(({ type }) => type === "resync");
    this.#answered = this.channel.sent.length;
    if (asked.length) this.tellAll();
  }

  #send(message: unknown): void {
    if (this.random() < LOST) return;
    const times = this.random() < DOUBLED ? 2 : 1;
    for (let time = 0; time < times; time++) this.channel.tell(message);
    this.seen();
  }
}

for (const name of NAMES)
  test(`the golden run ${name} is never shown as it was not, and comes to its end whatever is lost`, (context) => {
    context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e12 });
    const events = eventsOf(name);
    const names = folded(events.slice(0, 1)).state.map((_, task) => `task ${task}`);
    for (let seed = 1; seed <= SEEDS; seed++) {
      const channel = new FakeChannel();
      const live = new LiveFlow(channel);
      channel.tell(chain(names));
      const seen = (): void => {
        const { run } = live;
        if (run?.seq) assert.deepEqual(endOf(run), endOf(folded(events.slice(0, run.seq))), `seed ${seed}`);
      };
      const kernel = new LossyKernel(events, channel, luck(seed), seen);
      kernel.told = 1;

      kernel.tellAll();
      while (kernel.told < events.length) {
        kernel.tellSome();
        kernel.answer();
        context.mock.timers.tick(4_000);
      }
      for (let beat = 0; beat < MOST_BEATS && live.run?.seq !== events.length; beat++) {
        kernel.beat();
        kernel.answer();
        context.mock.timers.tick(4_000);
      }

      assert.deepEqual(live.run && endOf(live.run), endOf(folded(events)), `seed ${seed}`);
    }
  });
