// The kernel's run as the browser knows it: listens, asks again where something was lost, and tells views what changed.

import { Flow } from "./flow";
import { isFailed, isFinal, isOver, OutOfOrderError, Run } from "./run";
import type {
  Action,
  Can,
  Detail,
  Done,
  EventsMessage,
  FromKernel,
  SnapshotMessage,
  ToKernel,
  ViewState,
} from "./wire";

/** The way to the kernel and back. */
export interface Channel {
  send(message: ToKernel): void;
  listen(hear: (message: unknown) => void): void;
}

/** What a run that goes on can be asked for. */
export type Ask = "cancel" | "retry_failed";

/** A way to the process of a run that goes past its kernel, which may be busy. */
export interface Byway {
  /** Whether a run can be asked for something there. */
  sees(run: string): Promise<boolean>;
  ask(run: string, action: Ask): Promise<{ readonly ok: boolean; readonly message: string }>;
}

export interface Change {
  /** The flow is another. */
  readonly flow: boolean;
  /** The run is another, or told anew as a whole. */
  readonly run: boolean;
  /** Task runs that stand differently. */
  readonly taskRuns: ReadonlySet<number>;
}

export type Connection = "waiting" | "live" | "gone";

/** How many tasks there are at least. */
function listed({ columns }: { readonly columns: { readonly node: readonly number[] } }): number {
  return columns.node.reduce((most, node) => Math.max(most, node + 1), 0);
}

function wentWell(state: number | undefined): boolean {
  return state !== undefined && isFinal(state) && !isFailed(state);
}

/** How long nothing may be heard after something was asked for, before that is told. */
const PATIENCE_MS = 10_000;
/** A run that is not seen on the byway is looked for again: soon, and then ever more seldom. */
const LOOK_AGAIN_MS = 1_000;
const LOOK_SELDOM_MS = 30_000;
/** How long the kernel may take to answer, before the other way is taken. */
const SOON_MS = 1_500;
/** What is pressed again so soon was pressed by a double click. */
const TWICE_MS = 1_000;
/** How long nothing may be heard of a run that goes on, before that is told: three times as long as a kernel keeps silent. */
const SILENCE_MS = 30_000;
const SILENT =
  "Nothing has been heard from the kernel for a while: this is how things stood then. It may be busy, out of reach or gone.";

export class LiveFlow {
  flow: Flow | null = null;
  run: Run | null = null;
  connection: Connection = "waiting";
  /** Why there is nothing live: the kernel was restarted, say. */
  reason: string | null = null;
  /** The run that was asked to stop. */
  #cancelled: string | null = null;
  #can: Can = {};
  #hint: string | null = null;
  /** The run that was looked for on the byway, and the one that was found there. */
  #looked: string | null = null;
  #seen: string | null = null;
  #batch = 0;
  /** What the run was made of: the last snapshot, and the batches after it. */
  #snapshot: SnapshotMessage | null = null;
  #since: EventsMessage[] = [];
  #skewMs = 0;
  #goneUs: number | null = null;
  /** When a snapshot was asked for that has not come; 0: none was. */
  #askedMs = 0;
  #requests: number;
  /** What was asked to be done last, of which run; and whether no answer has come. */
  #pressed: { what: string; atMs: number; isOpen: boolean; answer: Promise<Pick<Done, "ok" | "message">> } | null =
    null;
  readonly #waiting = new Map<number, (answer: Detail | Done) => void>();
  /** Those of them that ask for something to be done. */
  readonly #orders = new Set<number>();
  readonly #views = new Set<(change: Change) => void>();
  #silence: ReturnType<typeof setTimeout> | null = null;
  #heardMs = 0;
  /** Waits for a silence, while a run goes on. */
  #watch: ReturnType<typeof setTimeout> | null = null;
  #isSilent = false;

  /**
   * @param requests the number before the first question's. A kernel answers so that all pages hear it, and may answer after
   *   its page was loaded anew: pages must not number alike.
   */
  constructor(
    private readonly channel: Channel,
    private readonly byway: Byway | null = null,
    requests = 0,
  ) {
    this.#requests = requests;
    channel.listen((message) => this.receive(message as FromKernel));
  }

  /** Ask for everything. */
  begin(): void {
    this.channel.send({ type: "ready" });
    this.#silence ??= setTimeout(() => {
      if (this.connection !== "waiting") return;
      this.reason = "The kernel does not answer yet. If it was restarted, run the cell again.";
      this.#tell({});
    }, PATIENCE_MS);
  }

  /** Be told of changes until the returned function is called. */
  subscribe(view: (change: Change) => void): () => void {
    this.#views.add(view);
    return () => this.#views.delete(view);
  }

  /** Now by the kernel's clock; when the kernel is gone, the moment when it went, or when it was heard last. */
  get nowUs(): number {
    return this.#goneUs ?? ((this.#isSilent ? this.#heardMs : Date.now()) + this.#skewMs) * 1000;
  }

  /** Nothing is heard of a run that goes on, as far as anybody knows: a sentence for people. */
  get silence(): string | null {
    return this.#isSilent && this.isRunning ? SILENT : null;
  }

  get isRunning(): boolean {
    return this.connection === "live" && this.run !== null && this.run.runState !== 0 && !isOver(this.run.runState);
  }

  /** What can be asked for: what the kernel says, and what can be had without it. */
  get can(): Can {
    return this.isRunning && this.#seen === this.run?.facts.id
      ? { ...this.#can, cancel: true, retry_failed: true }
      : this.#can;
  }

  /** Why what `can` does not allow cannot be had now. */
  get whyNot(): string {
    return this.#hint ?? "This cannot be done now.";
  }

  /** The run was asked to stop, and has not begun to. */
  get isCancelling(): boolean {
    return this.isRunning && this.run?.stopping === null && this.#cancelled === this.run.facts.id;
  }

  /** Ask for what there is to know about a task run. */
  detail(node: number, index: number): Promise<Detail> {
    return this.#ask((request) => ({ type: "detail", request, node, index })) as Promise<Detail>;
  }

  /**
   * Have something done; pressed twice, as in a double click, it is done once.
   *
   * @param view what the view of a run begins with that begins by this.
   */
  act(action: Action, node?: number, view?: ViewState): Promise<Pick<Done, "ok" | "message">> {
    const what = JSON.stringify([action, node, this.run?.facts.id, this.isRunning]);
    const before = this.#pressed;
    if (before?.what === what && (before.isOpen || Date.now() - before.atMs < TWICE_MS)) return before.answer;
    const pressed = { what, atMs: Date.now(), isOpen: true, answer: this.#act(action, node, view) };
    this.#pressed = pressed;
    void pressed.answer.finally(() => {
      pressed.isOpen = false;
    });
    return pressed.answer;
  }

  async #act(action: Action, node?: number, view?: ViewState): Promise<Pick<Done, "ok" | "message">> {
    const run = this.run?.facts.id ?? null;
    if (action === "retry_failed" && this.isRunning) return this.#askRun(run, action, view);
    if (action !== "cancel") return this.#order(action, node, view);
    this.#cancelled = run;
    this.#tell({});
    const answer = await this.#askRun(run, action);
    if (!answer.ok) this.#cancelled = null;
    this.#tell({});
    return answer;
  }

  /** By the kernel if it hears, else past it; a kernel that is slow to answer may be busy with the cell. */
  async #askRun(run: string | null, action: Ask, view?: ViewState): Promise<Pick<Done, "ok" | "message">> {
    const { byway } = this;
    if (!byway || run === null) return this.#order(action, undefined, view);
    if (this.#can[action] !== true) return byway.ask(run, action);
    const heard = this.#order(action, undefined, view);
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), SOON_MS));
    const first = await Promise.race([heard, late]);
    if (first && this.connection !== "gone") return first;
    const asked = await byway.ask(run, action);
    return asked.ok ? asked : heard;
  }

  #order(action: Action, node?: number, view?: ViewState): Promise<Done> {
    return this.#ask((request) => {
      this.#orders.add(request);
      return { type: "action", request, action, ...(node !== undefined && { node }), ...(view && { view }) };
    }) as Promise<Done>;
  }

  #ask(message: (request: number) => ToKernel): Promise<Detail | Done> {
    const request = ++this.#requests;
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      this.channel.send(message(request));
    });
  }

  receive(message: FromKernel): void {
    this.#heardMs = Date.now();
    const wasSilent = this.#isSilent;
    this.#isSilent = false;
    this.#take(message);
    if (wasSilent) this.#tell({});
    this.#listen();
  }

  /** Notice it when nothing is heard any more of a run that goes on. */
  #listen(): void {
    if (this.#watch !== null || !this.isRunning) return;
    const look = (): void => {
      this.#watch = null;
      if (!this.isRunning || this.#isSilent) return;
      if (Date.now() - this.#heardMs < SILENCE_MS) return this.#listen();
      this.#isSilent = true;
      this.#askedMs = 0;
      this.#resync(); // whoever comes back tells how things stand
      this.#tell({});
    };
    this.#watch = setTimeout(look, Math.max(0, this.#heardMs + SILENCE_MS - Date.now()));
  }

  #take(message: FromKernel): void {
    switch (message?.type) {
      case "flow":
        this.#hears();
        this.flow = new Flow(message);
        this.#allow(message);
        if (this.run && this.run.size < this.flow.size) this.run = this.#replayed(this.flow.size);
        return this.#tell({ flow: true, run: true });
      case "snapshot":
        this.#hears();
        return this.#takeSnapshot(message);
      case "events":
        this.#hears();
        return this.#takeEvents(message);
      case "ping":
        return this.channel.send({ type: "pong" });
      case "beat":
        if (message.batch !== this.#batch) this.#resync(); // what came last was lost
        return;
      case "can":
        this.#allow(message);
        return this.#tell({});
      case "stale":
        this.flow?.setStale(message.stale ?? []);
        return this.#tell({ run: true });
      case "detail":
      case "done": {
        const answer = this.#waiting.get(message.request);
        this.#waiting.delete(message.request);
        this.#orders.delete(message.request);
        answer?.(message);
        return;
      }
      case "bye":
        this.#goneUs ??= this.nowUs;
        this.connection = "gone";
        this.reason = message.reason ?? "The kernel has ended.";
        this.#can = {};
        this.#giveUp(this.reason);
        return this.#tell({});
    }
  }

  /** Nobody does any more what was asked for; what was told of a task before stays. */
  #giveUp(message: string): void {
    for (const request of this.#orders) {
      const answer = this.#waiting.get(request);
      this.#waiting.delete(request);
      answer?.({ type: "done", request, ok: false, message });
    }
    this.#orders.clear();
  }

  #allow({ can, hint }: { readonly can?: Can; readonly hint?: string | null }): void {
    this.#can = can ?? {};
    this.#hint = hint ?? null;
    this.#look();
  }

  /** A run that the kernel cannot be asked to cancel: look whether it can be reached past it. */
  #look(): void {
    const run = this.run?.facts.id;
    if (!run || run === this.#looked || !this.#isLookedFor(run)) return;
    this.#looked = run;
    void this.#lookFor(run, LOOK_AGAIN_MS);
  }

  #isLookedFor(run: string): boolean {
    return this.byway !== null && this.isRunning && this.run?.facts.id === run && this.#can.cancel !== true;
  }

  /** Until it is seen: pages hear of a run a moment before its history does, and a server may be away for a while. */
  async #lookFor(run: string, restMs: number): Promise<void> {
    if (await this.byway?.sees(run)) {
      this.#seen = run;
      return this.#tell({});
    }
    setTimeout(() => {
      if (this.#looked !== run) return; // another one is
      if (this.#isLookedFor(run)) void this.#lookFor(run, Math.min(2 * restMs, LOOK_SELDOM_MS));
      else this.#looked = null;
    }, restMs);
  }

  #hears(): void {
    this.connection = "live";
    this.#goneUs = null;
    this.reason = null;
  }

  #takeSnapshot(message: SnapshotMessage): void {
    this.#batch = message.batch;
    this.#askedMs = 0;
    this.#setClock(message.now_us);
    const before = this.run?.facts.id === message.run.id ? this.#staleOnes() : [];
    this.#snapshot = message;
    this.#since = [];
    this.run = this.#replayed(Math.max(listed(message), this.flow?.size ?? 0));
    this.#freshen(before);
    this.#look();
    this.#tell({ run: true });
  }

  /** The run with room for so many tasks: a snapshot does not list those that are pending, and may come before the flow. */
  #replayed(size: number): Run {
    const run = this.#snapshot ? Run.fromSnapshot(this.#snapshot, size) : new Run(size);
    for (const message of this.#since) run.applyAll(message);
    run.takeChanged();
    return run;
  }

  #takeEvents(message: EventsMessage): void {
    if (message.batch <= this.#batch && this.run) return; // told twice
    if (this.#askedMs) return this.#resync(); // the snapshot that was asked for will have it
    if (!this.run || message.batch !== this.#batch + 1) return this.#resync();
    this.#setClock(message.now_us);
    const before = this.#staleOnes();
    try {
      if (listed(message) > this.run.size) this.run = this.#replayed(listed(message));
      this.run.applyAll(message);
    } catch (error) {
      if (!(error instanceof OutOfOrderError)) throw error;
      return this.#resync();
    }
    this.#batch = message.batch;
    this.#since.push(message);
    this.#freshen(before);
    this.#look();
    this.#tell({ taskRuns: this.run.takeChanged() });
  }

  /** Stale tasks that have not run well yet. */
  #staleOnes(): number[] {
    return [...(this.flow?.stale.keys() ?? [])].filter((task) => !wentWell(this.run?.state[task]));
  }

  /** What was stale and has run well since then is so no more. */
  #freshen(before: readonly number[]): void {
    for (const task of before) if (wentWell(this.run?.state[task])) this.flow?.stale.delete(task);
  }

  #resync(): void {
    if (Date.now() - this.#askedMs < PATIENCE_MS) return;
    this.#askedMs = Date.now();
    this.channel.send({ type: "resync", have: this.#batch });
  }

  #setClock(nowUs: number): void {
    this.#skewMs = nowUs / 1000 - Date.now();
  }

  #tell(change: Partial<Change>): void {
    const whole = { flow: false, run: false, taskRuns: new Set<number>(), ...change };
    for (const view of this.#views) view(whole);
  }
}
