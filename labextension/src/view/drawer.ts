// All that there is to know about one task run, beside the picture.

import { gravest, hasFailures, shownSeconds, toldCounts } from "../counts";
import { isFailed, UNMAPPED } from "../run";
import { S } from "../theme/states.generated";
import type { Action, Detail } from "../wire";
import { duration, printable, printableLines, stateText } from "../words";
import { Answer } from "./answer";
import { ChildList } from "./childlist";
import type { Chosen, Context } from "./context";
import { h } from "./dom";
import { artifact, button, chip, display, pre, setEnabled, withoutColours } from "./parts";
import { type Section, Sections } from "./sections";

const REFRESH_MS = 2_000;
/** ... and so soon where it stands in another state. */
const NEWS_MS = 200;
/** A question without an answer for so long may be asked again. */
const LOST_MS = 30_000;
const ERROR = "Error";
const ACTIONS: readonly (readonly [Action, string, string])[] = [
  ["run_from", "Run from here", "Run this task and all that wait for it"],
  ["run_with_needs", "Run with needs", "Run this task and what it needs"],
  ["run_only", "Run only this", "Run this task with the values there are"],
];

export class Drawer {
  readonly element = h("aside", { class: "nbflow-drawer", "aria-label": "Task", hidden: true });
  readonly #head = h("header", {});
  readonly #facts = h("div", { class: "nbflow-facts" });
  readonly #buttons = h("div", { class: "nbflow-buttons" });
  readonly #answer: Answer;
  readonly #sections: Sections;
  readonly #children: ChildList;
  readonly #actions = new Map<Action, HTMLButtonElement>();
  #shown: Chosen | null = null;
  #name = "";
  #isAsking = false;
  #isAskedAgain = false;
  #askedMs = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueMs = 0;
  /** How it stood when it was looked at last. */
  #standing: { readonly state: number | null; readonly isFailing: boolean } = { state: null, isFailing: false };

  constructor(
    private readonly context: Context,
    private readonly act: (action: Action, task?: number) => Promise<{ ok: boolean; text: string }>,
  ) {
    this.#sections = new Sections(context.memory.sections);
    this.#children = new ChildList(context);
    this.#answer = new Answer(context.live);
    for (const [action, text, title] of ACTIONS) {
      const one = button(text, () => void this.#press(action), { "data-title": title, title });
      this.#actions.set(action, one);
      this.#buttons.append(one);
    }
    this.element.append(
      this.#head,
      this.#facts,
      this.#buttons,
      this.#answer.element,
      this.#children.element,
      this.#sections.element,
    );
  }

  show(chosen: Chosen | null): void {
    const name = (chosen && this.context.live.flow?.nameOf(chosen.task, chosen.index)) ?? "";
    const isPlace = chosen?.task === this.#shown?.task && chosen?.index === this.#shown?.index;
    const isSame = isPlace && name === this.#name; // in another flow the same number is another task
    this.#shown = chosen;
    this.#name = name;
    this.element.hidden = chosen === null;
    if (!chosen || isSame) return;
    this.element.setAttribute("aria-label", `Task ${name}`);
    const close = button("×", () => this.context.choose(null), { "aria-label": "Close", title: "Close (Esc)" });
    close.classList.add("nbflow-close");
    this.#head.replaceChildren(
      h("h3", { class: "nbflow-name", title: name }, name),
      this.#parentLink(chosen) ?? "",
      close,
    );
    this.#sections.note("…");
    this.#answer.tell("");
    this.#isAskedAgain = false;
    this.#standing = this.#standingNow;
    this.update(null);
    this.#ask();
  }

  /** From a child back to all of them. */
  #parentLink({ task, index }: Chosen): HTMLElement | null {
    if (index === UNMAPPED) return null;
    return button("All children", () => this.context.choose({ task, index: UNMAPPED }));
  }

  /** These task runs stand differently. */
  update(taskRuns: ReadonlySet<number> | null): void {
    const { live } = this.context;
    if (!this.#shown) return;
    const number = this.#number;
    this.#children.show(this.#shown.index === UNMAPPED ? this.#shown.task : null);
    this.#showFacts();
    this.#showActions();
    this.#answer.update();
    if (this.#standsAnew()) this.#askSoon(NEWS_MS);
    else if (taskRuns && number !== null && taskRuns.has(number)) this.#askSoon();
    else if (taskRuns === null && live.run) this.#askSoon();
  }

  /** It is in another state than before: the error of an attempt that is past goes away at once. */
  #standsAnew(): boolean {
    const before = this.#standing;
    this.#standing = this.#standingNow;
    if (before.isFailing && !this.#standing.isFailing) this.#sections.drop(ERROR);
    return before.state !== this.#standing.state || before.isFailing !== this.#standing.isFailing;
  }

  get #standingNow(): { readonly state: number | null; readonly isFailing: boolean } {
    const { run } = this.context.live;
    const number = this.#number;
    if (!run || number === null) return { state: null, isFailing: false };
    const counts = run.childCounts.get(number);
    const state = run.state[number] ?? S.PENDING;
    return {
      state,
      isFailing: isFailed(state) || state === S.RETRYING || (counts !== undefined && hasFailures(counts)),
    };
  }

  tick(): void {
    if (!this.#shown) return;
    this.#showFacts();
    const number = this.#number;
    if (number !== null && this.context.live.run?.state[number] === S.RUNNING) this.#askSoon();
  }

  /** The task run's number, if there is such a task run by now. */
  get #number(): number | null {
    const { run } = this.context.live;
    return run && this.#shown ? run.find(this.#shown.task, this.#shown.index) : null;
  }

  #showFacts(): void {
    const { live } = this.context;
    const { flow, run } = live;
    const number = this.#number;
    const rows: (string | HTMLElement)[] = [];
    if (run && number !== null) {
      const counts = run.childCounts.get(number);
      rows.push(chip((counts && gravest(counts)) ?? run.state[number] ?? S.PENDING)); // as its node
      const seconds = shownSeconds(run, number, live.nowUs);
      if (seconds !== null) rows.push(duration(seconds));
      if ((run.attempt[number] ?? 0) > 1) rows.push(`attempt ${run.attempt[number]}`);
      if ((run.loop[number] ?? 1) > 1) rows.push(`round ${run.loop[number]}`);
      if (counts) rows.push(toldCounts(counts));
    }
    const usual = this.#shown && flow?.estimate[String(this.#shown.task)]?.median_s;
    if (usual) rows.push(`usually ${duration(usual)}`);
    if (this.#shown && flow?.stale.has(this.#shown.task)) {
      const why = flow.stale.get(this.#shown.task);
      rows.push(why ? `⟲ stale: ${why}` : "⟲ stale");
    }
    this.#facts.replaceChildren(...rows.map((row) => h("span", {}, row)));
  }

  #showActions(): void {
    const { live } = this.context;
    for (const [action, one] of this.#actions) {
      setEnabled(one, live.can[action] === true, live.whyNot);
      one.hidden = live.can[action] === undefined; // it can never be done here
    }
    const isNever = [...this.#actions.values()].every((one) => one.hidden);
    this.#buttons.hidden = this.#shown?.index !== UNMAPPED || isNever;
  }

  async #press(action: Action): Promise<void> {
    const { live } = this.context;
    if (!this.#shown) return;
    if (live.can[action] !== true) return this.#answer.tell(live.whyNot);
    await this.#answer.say(action, this.act(action, this.#shown.task));
  }

  // -- what only the kernel knows --------------------------------------------------------------------------------------

  #askSoon(restMs = REFRESH_MS): void {
    const due = Math.max(Date.now(), this.#askedMs + restMs);
    if (this.#timer !== null) {
      if (this.#dueMs <= due) return;
      clearTimeout(this.#timer);
    }
    this.#dueMs = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#shown) this.#ask();
    }, due - Date.now());
  }

  /** One question at a time: a kernel that is busy would answer all of them at its end. */
  #ask(): void {
    const asked = this.#shown;
    if (!asked) return;
    if (this.#isAsking && Date.now() - this.#askedMs < LOST_MS) {
      this.#isAskedAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#askedMs = Date.now();
    const late = setTimeout(() => this.#tellLate(asked), 1_500);
    const show = (detail: Detail): void => {
      clearTimeout(late);
      this.#isAsking = false;
      if (this.#shown?.task === asked.task && this.#shown.index === asked.index)
        this.#sections.show(sectionsOf(this.#withoutPast(detail)), detail.error ?? "There is nothing more to tell.");
      if (this.#isAskedAgain) {
        this.#isAskedAgain = false;
        this.#ask();
      }
    };
    void this.context.live.detail(asked.task, asked.index).then((detail) => {
      const child = detail.traceback ? null : this.#failedChild(asked);
      if (child === null) show(detail);
      else void this.#withErrorOf(child, asked.task, detail).then(show);
    });
  }

  /** The first child of a mapped task that has failed: its error is what somebody looks for who sees the task red. */
  #failedChild({ task, index }: Chosen): number | null {
    const { run } = this.context.live;
    const children = index === UNMAPPED ? run?.children.get(task) : undefined;
    const counts = run?.childCounts.get(task);
    if (!run || !children?.width || !counts || !hasFailures(counts)) return null;
    for (let child = 0; child < children.width; child++)
      if (isFailed(run.state[children.first + child] ?? S.PENDING)) return child;
    return null;
  }

  async #withErrorOf(child: number, task: number, detail: Detail): Promise<Detail> {
    const { message, traceback, state } = await this.context.live.detail(task, child);
    if (!isFailed(state ?? S.FAILED)) return detail; // it was tried again meanwhile
    const name = this.context.live.flow?.nameOf(task, child) ?? `[${child}]`;
    const said = { ...detail, message: message ? `${name}: ${message}` : `${name} has failed.` };
    return traceback ? { ...said, traceback } : said;
  }

  /** It was asked for when an attempt had failed, and that is past: the error would contradict the state above it. */
  #withoutPast(detail: Detail): Detail {
    const isPast = this.#standing.state !== null && !this.#standing.isFailing && isFailed(detail.state ?? S.SUCCESS);
    return isPast ? { ...detail, message: null, traceback: null } : detail;
  }

  #tellLate(asked: Chosen): void {
    if (this.#shown?.task !== asked.task || !this.#sections.isEmpty) return;
    this.#sections.note("The kernel is busy: code, logs and outputs are shown when it answers.");
  }

  dispose(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

function sectionsOf(detail: Detail): Section[] {
  const { message, traceback, displays, outputs, cached, artifacts, logs, inputs, attempts, doc, code } = detail;
  const { why, reads, writes } = detail;
  const isError = Boolean(traceback) || isFailed(detail.state ?? S.FAILED);
  const saved = cached && !message ? cachedText(cached) : null;
  return [
    {
      title: isError ? ERROR : "Note",
      of: [message, traceback],
      make: () => [messageOf(detail), traceback ? pre(withoutColours(traceback)) : null],
    },
    {
      title: "Outputs",
      of: [displays, outputs, saved],
      make: () => [...(displays ?? []).map(display), ...values(outputs), saved ? h("p", {}, saved) : null],
    },
    { title: "Artifacts", of: artifacts, make: () => (artifacts ?? []).map(artifact) },
    { title: "Logs", of: logs, make: () => (logs?.length ? [pre(withoutColours(logs.join("\n")))] : []) },
    { title: "Inputs", of: inputs, make: () => values(inputs) },
    { title: "Attempts", of: attempts, make: () => attemptsOf(detail) },
    { title: "Code", of: [doc, code], make: () => [doc ? h("p", {}, doc) : null, code ? pre(code) : null] },
    { title: "Why it waits", of: [why, reads, writes], make: () => whyOf(detail) },
  ];
}

function messageOf({ message }: Detail): HTMLElement | null {
  return message ? h("p", { class: "nbflow-message" }, printableLines(message, 2_000)) : null;
}

function values(all: Detail["inputs"]): (HTMLElement | null)[] {
  if (!all?.length) return [];
  const rows = all.flatMap(({ name, repr, from }) => [
    h("dt", {}, printable(name), from ? h("small", {}, ` from ${printable(from)}`) : null),
    h("dd", {}, repr === undefined ? null : h("code", {}, repr)),
  ]);
  return [h("dl", {}, ...rows)];
}

function attemptsOf(detail: Detail): (HTMLElement | null)[] {
  const attempts = detail.attempts ?? [];
  if (attempts.length < 2) return [];
  const rows = attempts.map((one) => {
    const seconds = one.started_us && one.ended_us ? duration((one.ended_us - one.started_us) / 1e6) : "";
    const word = one.state === null || one.state === undefined ? "" : stateText(one.state);
    return h("li", {}, [word, seconds, printable(one.message ?? "")].filter(Boolean).join(", "));
  });
  return [h("ol", {}, ...rows)];
}

function whyOf(detail: Detail): (HTMLElement | null)[] {
  const rows = (detail.why ?? []).map(({ from, text }) =>
    h("li", {}, from ? h("b", {}, `${printable(from)}: `) : null, text),
  );
  const reads = detail.reads?.length ? h("p", {}, `reads ${detail.reads.join(", ")}`) : null;
  const writes = detail.writes?.length ? h("p", {}, `writes ${detail.writes.join(", ")}`) : null;
  return [rows.length ? h("ul", {}, ...rows) : null, reads, writes];
}

function cachedText({ run, saved_s: saved }: { readonly run?: string; readonly saved_s?: number }): string {
  const parts = ["cached", run ? `from run ${run.slice(0, 8)}` : "", saved ? `saved ${duration(saved)}` : ""];
  return parts.filter(Boolean).join(", ");
}
