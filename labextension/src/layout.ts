// Places a few boxes in layers, for groups that are opened and closed in the browser; tasks themselves are laid out by
// Graphviz, in the kernel.
//
// Source: K. Sugiyama, S. Tagawa and M. Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981.

export interface Box {
  readonly width: number;
  readonly height: number;
}

export interface Place {
  /** Of the box's centre. */
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly places: readonly Place[];
  readonly width: number;
  readonly height: number;
}

const GAP_X = 22;
const GAP_Y = 36;
const SWEEPS = 8;

/**
 * @param boxes n boxes.
 * @param arrows [from, to] by the boxes' places; those that would close a cycle do not count.
 */
export function layered(boxes: readonly Box[], arrows: readonly (readonly [number, number])[]): Layout {
  const after: number[][] = boxes.map(() => []);
  const before: number[][] = boxes.map(() => []);
  for (const [from, to] of withoutCycles(boxes.length, arrows)) {
    after[from]?.push(to);
    before[to]?.push(from);
  }
  const layers = ordered(layersOf(after, before), after, before);
  return placed(boxes, layers, before, after);
}

/** Without the arrows that go back, seen from the order of definition. */
function withoutCycles(size: number, arrows: readonly (readonly [number, number])[]): [number, number][] {
  const downstream: number[][] = Array.from({ length: size }, () => []);
  for (const [from, to] of arrows) if (from !== to) downstream[from]?.push(to);
  const mark = new Uint8Array(size); // 1: on the way, 2: done
  const kept: [number, number][] = [];
  for (let root = 0; root < size; root++) {
    if (mark[root]) continue;
    const way: [number, number][] = [[root, 0]];
    mark[root] = 1;
    while (way.length) {
      const top = way[way.length - 1] as [number, number];
      const next = downstream[top[0]]?.[top[1]++];
      if (next === undefined) {
        mark[top[0]] = 2;
        way.pop();
      } else if (mark[next] !== 1) {
        kept.push([top[0], next]);
        if (!mark[next]) {
          mark[next] = 1;
          way.push([next, 0]);
        }
      }
    }
  }
  return kept;
}

/** Each box in the layer below the lowest that it waits for. */
function layersOf(after: readonly number[][], before: readonly number[][]): number[][] {
  const waiting = before.map((all) => all.length);
  const layer = new Array<number>(after.length).fill(0);
  const ready = waiting.flatMap((count, box) => (count ? [] : [box]));
  const layers: number[][] = [];
  for (let at = 0; at < ready.length; at++) {
    const box = ready[at] as number;
    const own = layer[box] ?? 0;
    const members = layers[own] ?? [];
    members.push(box);
    layers[own] = members;
    for (const next of after[box] ?? []) {
      layer[next] = Math.max(layer[next] ?? 0, own + 1);
      waiting[next] = (waiting[next] ?? 0) - 1;
      if (!waiting[next]) ready.push(next);
    }
  }
  return layers;
}

/** Each layer sorted by where its boxes' neighbours are, again and again. */
function ordered(layers: number[][], after: readonly number[][], before: readonly number[][]): number[][] {
  const position = new Map<number, number>();
  const number = (layer: readonly number[]): void => {
    layer.forEach((box, at) => {
      position.set(box, (at + 0.5) / layer.length);
    });
  };
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    const neighbours = isDown ? before : after;
    for (const layer of isDown ? layers : [...layers].reverse()) {
      const wish = new Map(layer.map((box) => [box, mean(neighbours[box] ?? [], position) ?? position.get(box) ?? 0]));
      layer.sort((one, other) => (wish.get(one) ?? 0) - (wish.get(other) ?? 0));
      number(layer);
    }
  }
  return layers;
}

function mean(boxes: readonly number[], position: ReadonlyMap<number, number>): number | null {
  if (!boxes.length) return null;
  return boxes.reduce((sum, box) => sum + (position.get(box) ?? 0), 0) / boxes.length;
}

function placed(
  boxes: readonly Box[],
  layers: readonly (readonly number[])[],
  before: readonly number[][],
  after: readonly number[][],
): Layout {
  const x = new Map<number, number>();
  const widthOf = (layer: readonly number[]): number =>
    layer.reduce((sum, box) => sum + (boxes[box]?.width ?? 0) + GAP_X, -GAP_X);
  const width = Math.max(0, ...layers.map(widthOf));
  for (const layer of layers) {
    let left = (width - widthOf(layer)) / 2;
    for (const box of layer) {
      const own = boxes[box]?.width ?? 0;
      x.set(box, left + own / 2);
      left += own + GAP_X;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (const layer of sweep % 2 ? [...layers].reverse() : layers)
      nudge(layer, boxes, x, sweep % 2 ? after : before, width);
  const places = new Array<Place>(boxes.length).fill({ x: 0, y: 0 });
  let top = 0;
  for (const layer of layers) {
    const height = Math.max(0, ...layer.map((box) => boxes[box]?.height ?? 0));
    for (const box of layer) places[box] = { x: x.get(box) ?? 0, y: top + height / 2 };
    top += height + GAP_Y;
  }
  return { places, width, height: Math.max(0, top - GAP_Y) };
}

/** Each box towards the middle of its neighbours, as far as those beside it let it. */
function nudge(
  layer: readonly number[],
  boxes: readonly Box[],
  x: Map<number, number>,
  neighbours: readonly number[][],
  width: number,
): void {
  layer.forEach((box, at) => {
    const wish = mean(neighbours[box] ?? [], x);
    if (wish === null) return;
    const half = (boxes[box]?.width ?? 0) / 2;
    const left = layer[at - 1];
    const right = layer[at + 1];
    const least = left === undefined ? half : (x.get(left) ?? 0) + (boxes[left]?.width ?? 0) / 2 + GAP_X + half;
    const most =
      right === undefined ? width - half : (x.get(right) ?? 0) - (boxes[right]?.width ?? 0) / 2 - GAP_X - half;
    x.set(box, Math.max(least, Math.min(most, wish)));
  });
}
