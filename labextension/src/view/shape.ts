// Where a node's shape is, read from its numbers: nothing has to be on the page for that.

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The bounds of a node's group: those of its outermost shape. */
export function boundsOf(group: Element): Bounds | null {
  let found: Bounds | null = null;
  for (const shape of group.querySelectorAll("path, polygon, ellipse, rect")) {
    const one = ofShape(shape);
    if (!one) continue;
    found = found
      ? {
          left: Math.min(found.left, one.left),
          top: Math.min(found.top, one.top),
          right: Math.max(found.right, one.right),
          bottom: Math.max(found.bottom, one.bottom),
        }
      : one;
  }
  return found;
}

function ofShape(shape: Element): Bounds | null {
  const number = (name: string): number => Number(shape.getAttribute(name) ?? 0);
  if (shape.localName === "ellipse") {
    const [x, y, rx, ry] = [number("cx"), number("cy"), number("rx"), number("ry")];
    return { left: x - rx, top: y - ry, right: x + rx, bottom: y + ry };
  }
  if (shape.localName === "rect") {
    const [left, top] = [number("x"), number("y")];
    return { left, top, right: left + number("width"), bottom: top + number("height") };
  }
  const numbers = (shape.getAttribute("points") ?? shape.getAttribute("d") ?? "").match(/-?\d+(\.\d+)?/g)?.map(Number);
  if (!numbers || numbers.length < 4) return null;
  const xs = numbers.filter((_, place) => place % 2 === 0);
  const ys = numbers.filter((_, place) => place % 2 === 1);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

export function centre(bounds: Bounds): { x: number; y: number } {
  return { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
}

export type Direction = "up" | "down" | "left" | "right";

/**
 * The node to go to with an arrow key: along an edge where one goes that way, else the nearest that way.
 *
 * @param from where we are.
 * @param linked nodes that an edge joins with it.
 * @param all every node.
 */
export function neighbour<N>(
  from: N,
  direction: Direction,
  linked: readonly N[],
  all: readonly N[],
  placeOf: (node: N) => { x: number; y: number },
): N | null {
  return nearest(from, direction, linked, placeOf) ?? nearest(from, direction, all, placeOf);
}

function nearest<N>(
  from: N,
  direction: Direction,
  candidates: readonly N[],
  placeOf: (node: N) => { x: number; y: number },
): N | null {
  const here = placeOf(from);
  let best: N | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (candidate === from) continue;
    const there = placeOf(candidate);
    const [dx, dy] = [there.x - here.x, there.y - here.y];
    const along = { up: -dy, down: dy, left: -dx, right: dx }[direction];
    const across = direction === "up" || direction === "down" ? Math.abs(dx) : Math.abs(dy);
    if (along < 1 || across > along * 8) continue;
    const distance = along + across * 2;
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}
