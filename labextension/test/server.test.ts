import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { JSDOM } from "jsdom";
import { type Ask, type Byway, LiveFlow } from "../src/live";
import { jupyterServer } from "../src/server";
import { S } from "../src/theme/states.generated";
import { chain, events, FakeChannel, type Row, settled, snapshot as told } from "./fake";

const HERE = "https://hub.example.org/user/me/lab";
const CONFIG = { baseUrl: "/user/me/", token: "secret" };
let asked: { url: string; init: RequestInit }[] = [];

function page(config: unknown, cookie = ""): Document {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  const script = config === null ? "" : `<script id="jupyter-config-data" type="application/json">${text}</script>`;
  const { window } = new JSDOM(`<!doctype html>${script}`, { url: HERE });
  if (cookie) window.document.cookie = cookie;
  return window.document;
}

function answering(status: number, body: unknown): void {
  mock.method(globalThis, "fetch", async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    return new Response(JSON.stringify(body), { status });
  });
}

beforeEach(() => {
  mock.restoreAll();
  asked = [];
});

test("a page of JupyterLab has its server, with its token and its XSRF cookie", async () => {
  answering(202, { message: "The run is asked to stop." });
  const server = jupyterServer(page(CONFIG, "_xsrf=2|x|y"));

  const answer = await server?.ask("a b", "cancel");

  assert.deepEqual(answer, { ok: true, message: "The run is asked to stop." });
  assert.equal(asked[0]?.url, "https://hub.example.org/user/me/notebook-flows/api/runs/a%20b/requests");
  assert.equal(asked[0]?.init.method, "POST");
  assert.equal(asked[0]?.init.body, '{"kind":"cancel"}');
  const headers = asked[0]?.init.headers as Record<string, string>;
  assert.equal(headers.Authorization, "token secret");
  assert.equal(headers["X-XSRFToken"], "2|x|y");
});

for (const [what, config] of [
  ["no configuration", null],
  ["one that cannot be read", "{oops"],
  ["one of another host", { ...CONFIG, baseUrl: "https://evil.example.org/" }],
] as const)
  test(`a page with ${what} has none`, () => {
    assert.equal(jupyterServer(page(config)), null);
  });

test("a server without our extension, or away, sees no run", async () => {
  const server = jupyterServer(page(CONFIG));

  answering(404, {});
  const without = await server?.sees("r");
  mock.method(globalThis, "fetch", async () => {
    throw new TypeError("away");
  });

  assert.equal(without, false);
  assert.equal(await server?.sees("r"), false);
  assert.deepEqual(await server?.ask("r", "retry_failed"), {
    ok: false,
    message: "The Jupyter server does not answer.",
  });
});

test("what a server refuses is told in its words", async () => {
  answering(409, { message: "Run r does not go on any more." });

  const answer = await jupyterServer(page(CONFIG))?.ask("r", "cancel");

  assert.deepEqual(answer, { ok: false, message: "Run r does not go on any more." });
});

test("a server that hangs is given up after a while", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    mock.method(globalThis, "fetch", (_: string, { signal }: RequestInit) => {
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    });
    const server = jupyterServer(page(CONFIG));

    const looked = server?.sees("r");
    const click = server?.ask("r", "cancel");
    mock.timers.tick(60_000);

    assert.equal(await looked, false);
    assert.deepEqual(await click, { ok: false, message: "The Jupyter server does not answer." });
  } finally {
    mock.timers.reset();
  }
});

// -- which way a click goes ----------------------------------------------------------------------------------------------

class FakeByway implements Byway {
  readonly asked: string[] = [];

  constructor(public isSeen = true) {}

  async sees(run: string): Promise<boolean> {
    this.asked.push(`sees ${run}`);
    return this.isSeen;
  }

  async ask(run: string, action: Ask): Promise<{ ok: boolean; message: string }> {
    this.asked.push(`${action} ${run}`);
    return { ok: this.isSeen, message: this.isSeen ? "asked" : "not seen" };
  }
}

const ROWS: readonly Row[] = [
  [0, -1, S.RUNNING, 1],
  [1, -1, S.PENDING],
];

function running(byway: Byway, can: Record<string, boolean>): { live: LiveFlow; channel: FakeChannel } {
  const channel = new FakeChannel();
  const live = new LiveFlow(channel, byway);
  channel.tell(chain(["a", "b"], { can }), told(ROWS));
  return { live, channel };
}

test("a run that a busy kernel cannot be asked to cancel is cancelled past it", async () => {
  const byway = new FakeByway();
  const { live, channel } = running(byway, {});
  await settled();

  assert.equal(live.can.cancel, true);
  assert.deepEqual(await live.act("cancel"), { ok: true, message: "asked" });

  assert.deepEqual(byway.asked, ["sees r", "cancel r"]);
  assert.deepEqual(channel.sent, []);
  assert.equal(live.isCancelling, true);
});

test("a run that is not seen there leaves the click as the kernel allows it", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const byway = new FakeByway(false);
  const { live, channel } = running(byway, {});
  channel.tell(events(2, 2, [[1, S.RUNNING]]));
  await settled();

  assert.equal(live.can.cancel, undefined);
  assert.deepEqual(byway.asked, ["sees r"]);
});

test("a run that is not seen at once is looked for again, ever more seldom, until it is or has ended", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const byway = new FakeByway(false);
  const { live, channel } = running(byway, {});
  const pass = async (ms: number): Promise<number> => {
    await settled();
    context.mock.timers.tick(ms);
    await settled();
    return byway.asked.length;
  };

  const asked = [await pass(0), await pass(1_000), await pass(1_000), await pass(1_000)];
  byway.isSeen = true;
  const isAllowed = [live.can.cancel];
  await pass(4_000);
  isAllowed.push(live.can.cancel);
  asked.push(await pass(600_000));

  assert.deepEqual(asked, [1, 2, 2, 3, 4]);
  assert.deepEqual(isAllowed, [undefined, true]);

  byway.isSeen = false;
  channel.tell(told(ROWS, { batch: 2, seq: 1, run: { id: "next" } }));
  await settled();
  channel.tell(told(ROWS, { batch: 3, seq: 2, run: { id: "next" }, run_state: S.SUCCESS }));

  assert.equal(await pass(600_000), 5);
});

test("a kernel that hears is asked, and nobody else", async () => {
  const byway = new FakeByway();
  const { live, channel } = running(byway, { cancel: true });

  const click = live.act("cancel");
  channel.tell({ type: "done", request: 1, ok: true, message: "The run is being stopped." });

  assert.equal((await click).message, "The run is being stopped.");
  assert.deepEqual(byway.asked, []);
});

test("a kernel that was heard before and is busy now is gone past after a while", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const byway = new FakeByway();
    const { live } = running(byway, { cancel: true });

    const click = live.act("cancel");
    mock.timers.tick(2_000);

    assert.equal((await click).message, "asked");
    assert.deepEqual(byway.asked, ["cancel r"]);
  } finally {
    mock.timers.reset();
  }
});

test("a kernel that is gone before it has answered is gone past", async () => {
  const byway = new FakeByway();
  const { live, channel } = running(byway, { cancel: true });

  const click = live.act("cancel");
  channel.tell({ type: "bye" });

  assert.equal((await click).message, "asked");
  assert.deepEqual(byway.asked, ["cancel r"]);
});

test("asked to cancel holds until the run begins to stop, and not for the next run", async () => {
  const { live, channel } = running(new FakeByway(), {});
  await live.act("cancel");
  const after = [live.isCancelling];

  channel.tell(told(ROWS, { batch: 2, seq: 2, stopping: S.CANCELLED }));
  after.push(live.isCancelling);
  channel.tell(told(ROWS, { batch: 3, seq: 1, run: { id: "next" } }));
  after.push(live.isCancelling);

  assert.deepEqual(after, [true, false, false]);
});

test("what was seen of one run does not hold for the next", async () => {
  const byway = new FakeByway();
  const { live, channel } = running(byway, {});
  await settled();

  channel.tell(told(ROWS, { batch: 2, seq: 1, run: { id: "next" } }));
  const atOnce = live.can.cancel;
  await settled();

  assert.equal(atOnce, undefined);
  assert.equal(live.can.cancel, true);
  assert.deepEqual(byway.asked, ["sees r", "sees next"]);
});

test("what has failed in a run that goes on is tried again past a busy kernel, and by the kernel when nothing runs", async () => {
  const byway = new FakeByway();
  const { live, channel } = running(byway, {});
  await settled();

  await live.act("retry_failed");
  channel.tell(told(ROWS, { batch: 2, seq: 2, run_state: S.FAILED }));
  void live.act("retry_failed");

  assert.deepEqual(byway.asked, ["sees r", "retry_failed r"]);
  assert.deepEqual(channel.sent, [{ type: "action", request: 1, action: "retry_failed" }]);
});
