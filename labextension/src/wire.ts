// The messages between the kernel and the browser, as they travel. Whatever comes is checked where it is read.

export type StateNumber = number;

export interface FlowNode {
  /** Of its element in the SVG; null where it is not drawn. */
  readonly id: string | null;
  /** The task's number. */
  readonly task: number;
  /** The child's number below a mapped task, for children that are drawn by themselves. */
  readonly index?: number | null;
  readonly name: string;
  readonly kind?: string;
  readonly group?: string | null;
  readonly tags?: readonly string[];
  readonly mapped?: boolean;
  readonly label?: string;
}

export interface FlowEdge {
  readonly id?: string | null;
  /** Tasks' numbers. */
  readonly from: number;
  readonly to: number;
  readonly key?: string | null;
  readonly why?: string | null;
}

export interface Group {
  readonly name: string;
  readonly kind?: string;
  readonly tasks: readonly number[];
}

export interface Stale {
  readonly task: number;
  readonly why?: string;
}

export interface Estimate {
  readonly median_s: number;
}

export type Action = "cancel" | "retry_failed" | "run_from" | "run_with_needs" | "run_only";

/** A task in a flow that may be another one: by its name, and where several have that, its number. */
interface NamedTask {
  readonly name: string;
  readonly task: number;
}

/** What somebody has chosen in a view, for the view of the run that a press begins. */
export interface ViewState {
  readonly tab?: "graph" | "timeline" | "table";
  /** null: tasks are not to be drawn together. */
  readonly grouping?: "heading" | "tag" | "name" | null;
  /** Names of groups. */
  readonly opened?: readonly string[];
  /** Where the picture of this layout stood in its frame. */
  readonly position?: { readonly x: number; readonly y: number; readonly scale: number; readonly layout: string };
  readonly chosen?: NamedTask & { readonly index: number };
  readonly query?: string;
  readonly state_filter?: StateNumber;
  readonly sort?: "task" | "state" | "seconds" | "attempt" | "began" | "group";
  readonly is_descending?: boolean;
  readonly expanded?: readonly NamedTask[];
  readonly height?: number;
  /** Titles of those that are open. */
  readonly sections?: readonly string[];
}

export type Can = Partial<Record<Action, boolean>>;

export interface FlowMessage {
  readonly type: "flow";
  readonly name: string;
  readonly svg?: string | null;
  readonly picture_message?: string | null;
  readonly nodes: readonly FlowNode[];
  readonly groups?: readonly Group[];
  readonly edges?: readonly FlowEdge[];
  readonly estimate?: Readonly<Record<string, Estimate>>;
  readonly stale?: readonly (number | Stale)[];
  readonly can?: Can;
  readonly hint?: string | null;
  /** The name of the picture that stands below for those who cannot see this one. */
  readonly still?: string | null;
  /** What was chosen in the picture whose place this one takes. */
  readonly view?: ViewState | null;
}

export interface RunFacts {
  readonly id: string;
  readonly name?: string;
  readonly flow?: string;
  readonly parameters?: Readonly<Record<string, unknown>> | null;
  readonly parent?: string | null;
  /** Tasks that are shown, and are not in the run: they stay as they are. */
  readonly bystanders?: readonly number[];
}

export interface StandColumns {
  readonly node: readonly number[];
  readonly index: readonly number[];
  readonly state: readonly StateNumber[];
  readonly attempt: readonly number[];
  readonly loop: readonly number[];
  readonly started_us: readonly (number | null)[];
  readonly ended_us: readonly (number | null)[];
}

export interface SnapshotMessage {
  readonly type: "snapshot";
  readonly batch: number;
  readonly run: RunFacts;
  readonly seq: number;
  readonly now_us: number;
  readonly run_state: StateNumber;
  readonly stopping?: StateNumber | null;
  readonly message?: string | null;
  readonly started_us?: number | null;
  readonly ended_us?: number | null;
  readonly width?: Readonly<Record<string, number>>;
  readonly columns: StandColumns;
  /** {mapped task: {state: how many of its children}}, where these are too many to be listed. */
  readonly folded?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** [node, index, key, title] of each artifact. */
  readonly attached?: readonly (readonly [number, number, string, string | null])[];
  /** {mapped task: one character a child, chr(48 + state)}. */
  readonly states?: Readonly<Record<string, string>>;
}

export interface EventColumns {
  readonly seq: readonly number[];
  readonly at_us: readonly number[];
  readonly kind: readonly (string | number)[];
  readonly node: readonly number[];
  readonly index: readonly number[];
  readonly attempt: readonly number[];
  readonly loop: readonly number[];
  readonly state: readonly StateNumber[];
}

export interface EventsMessage {
  readonly type: "events";
  readonly batch: number;
  readonly now_us: number;
  readonly columns: EventColumns;
  readonly data?: Readonly<Record<string, Readonly<Record<string, unknown>> | null>>;
}

export interface NamedValue {
  readonly name: string;
  readonly repr?: string;
  readonly from?: string;
}

export interface Attempt {
  readonly attempt: number;
  readonly started_us?: number | null;
  readonly ended_us?: number | null;
  readonly state?: StateNumber | null;
  readonly message?: string | null;
}

/**
 * A node of a Markdown text: text, or its kind, what is in it, and what else there is to say: the address of `a`, the first
 * number of `ol`, the side to which `th` and `td` are set.
 */
export type Marked = string | readonly [kind: string, of: readonly Marked[], more?: string | number];

/** A rich output; `png` is base64, the others are texts, or in place of a Markdown text its tree. */
export interface Display {
  readonly png?: string;
  readonly svg?: string;
  readonly text?: string;
  readonly plain?: string;
  readonly marked?: readonly Marked[];
}

export interface Artifact extends Display {
  readonly key: string;
  readonly title?: string | null;
  readonly kind?: string;
  readonly description?: string | null;
  readonly href?: string | null;
  readonly table?: {
    readonly columns: readonly string[];
    readonly rows: readonly (readonly unknown[])[];
    /** How many rows are not listed. */
    readonly more?: number;
  };
}

export interface Detail {
  readonly type: "detail";
  readonly request: number;
  readonly node: number;
  readonly index?: number | null;
  readonly code?: string | null;
  readonly doc?: string | null;
  readonly inputs?: readonly NamedValue[];
  readonly outputs?: readonly NamedValue[];
  readonly state?: StateNumber | null;
  readonly message?: string | null;
  readonly attempts?: readonly Attempt[];
  readonly traceback?: string | null;
  readonly logs?: readonly string[];
  readonly displays?: readonly Display[];
  readonly artifacts?: readonly Artifact[];
  readonly cached?: { readonly run?: string; readonly saved_s?: number } | null;
  readonly reads?: readonly string[];
  readonly writes?: readonly string[];
  readonly why?: readonly { readonly from?: string; readonly text: string }[];
  readonly error?: string | null;
}

export interface Done {
  readonly type: "done";
  readonly request: number;
  readonly ok: boolean;
  readonly message?: string | null;
}

export interface CanMessage {
  readonly type: "can";
  readonly can?: Can;
  readonly hint?: string | null;
}

export interface StaleMessage {
  readonly type: "stale";
  readonly stale?: readonly (number | Stale)[];
}

/** The kernel asks whether anybody is there, and can be heard: not every kernel hears a page while a cell runs. */
export interface Ping {
  readonly type: "ping";
}

/** A run goes on, and nothing was told for a while. */
export interface Beat {
  readonly type: "beat";
  /** The last one. */
  readonly batch: number;
}

export interface Bye {
  readonly type: "bye";
  readonly reason?: string;
}

export type FromKernel =
  | FlowMessage
  | SnapshotMessage
  | EventsMessage
  | Detail
  | Done
  | CanMessage
  | StaleMessage
  | Ping
  | Beat
  | Bye;

export type ToKernel =
  | { type: "ready" }
  | { type: "pong" }
  | { type: "resync"; have: number }
  | { type: "detail"; request: number; node: number; index: number }
  | { type: "action"; request: number; action: Action; node?: number; view?: ViewState };
