"""The tasks of a flow as plain text: a tree, or a list where a tree would be too deep."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.graph import Graph, Input, order_of
from notebook_flows.core.lifecycle import facts_of
from notebook_flows.views.table import carries_glyphs, counts_of, glyph_of, told_counts
from notebook_flows.views.text import columns_of, counted, padded, printable, shortened, told_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.lifecycle import S

MOST_LINES = 300
DEEPEST = 12
NARROWEST = 20
STAIRS = 4
"""A chain of more tasks than this is a strand."""
_UNPLACED = -1


class _Row(NamedTuple):
    """One line to be.

    Attributes:
        head: rails, glyph and name.
        word: the state.
        time: the duration.
        note: what else it waits for.
    """

    head: str
    word: str
    time: str
    note: str


def task_tree(
    names: Sequence[str],
    upstream: Sequence[Sequence[int]],
    states: Sequence[S | None] = (),
    durations: Mapping[int, float] | None = None,
    *,
    notes: Mapping[int, str] | None = None,
    width: int = 100,
    encoding: str = "utf-8",
    most_lines: int = MOST_LINES,
) -> str:
    """A line for each task: glyph, name, state, duration, below the task that it waits for.

    A task that waits for several stands below the one furthest from the start, and names the others. Where the tree
    would be deeper than 12 levels it is a list in the order of running instead, and each task names all it waits for. A
    long chain, such as the cells of a notebook, is one strand.

    Args:
        names: of n tasks.
        upstream: of each task, the numbers of those it waits for.
        states: of each task; none where nothing has run.
        durations: {task: seconds}.
        notes: {task: more to be said}, such as how its children ended.
        width: columns; longer lines are cut.
        encoding: of where it is written; what it cannot carry is written in ASCII.
        most_lines: further tasks are only counted.

    >>> from notebook_flows.core.lifecycle import S
    >>> print(task_tree(["load", "clean", "report"], [[], [0], [1, 0]], [S.SUCCESS, S.FAILED, S.UPSTREAM_FAILED], {0: 2}))
    ✓ load            success          2.0 s
    └─ ✗ clean        failed
       └─ ⊘ report    upstream failed         also after load
    """
    size = len(names)
    named = [printable(name) or "(no name)" for name in names]
    order, parent, depth = placed(size, upstream)
    is_strand = is_chain(order, upstream)
    is_tree = is_strand or max(depth, default=0) <= DEEPEST
    rails = strand(order) if is_strand else rails_of(order, parent) if is_tree else dict.fromkeys(order, "")
    shown = list(rails)[:most_lines]
    rows = []
    for number in shown:
        state = states[number] if states else None
        head = rails[number] + (f"{facts_of(state).glyph} " if state is not None else "") + named[number]
        others = [named[one] for one in dict.fromkeys(upstream[number]) if not is_tree or one != parent[number]]
        after = f"{'also ' * is_tree}after {', '.join(others)}" if others else ""
        note = "; ".join(filter(None, [printable((notes or {}).get(number, "")), after]))
        seconds = (durations or {}).get(number)
        word = facts_of(state).word if state is not None else ""
        rows.append(_Row(head, word, "" if seconds is None else told_duration(seconds), note))
    lines = _columns(rows, max(width, NARROWEST))
    if len(shown) < size:
        left = counts_of(states[number] for number in list(rails)[most_lines:]) if states else {}
        lines.append(f"… and {counted(size - len(shown), 'more task')}" + (f": {told_counts(left)}" if left else ""))
    return in_encoding("\n".join(lines), encoding, {state for state in states if state is not None})


def placed(size: int, upstream: Sequence[Sequence[int]]) -> tuple[list[int], list[int], list[int]]:
    """The order of running, and of each task the one that it stands below, and how far it is from the start.

    What stands on a cycle comes last, below nothing.
    """
    downstream: list[list[int]] = [[] for _ in range(size)]
    for number, above in enumerate(upstream):
        for one in above:
            downstream[one].append(number)
    inputs = [[Input(one, None, False, False) for one in above] for above in upstream]
    order = order_of(Graph(inputs=inputs, downstream=downstream))
    parent, depth = [_UNPLACED] * size, [0] * size
    for number in order:
        if upstream[number]:
            parent[number] = max(dict.fromkeys(upstream[number]), key=depth.__getitem__)
            depth[number] = depth[parent[number]] + 1
    missing = set(range(size)).difference(order)
    return order + sorted(missing), parent, depth


def rails_of(order: Sequence[int], parent: Sequence[int]) -> dict[int, str]:
    """The lines before each name, in the order in which the names are written."""
    below: dict[int, list[int]] = {}
    for number in sorted(order):
        below.setdefault(parent[number], []).append(number)
    rails: dict[int, str] = {}
    waiting = [(root, "", "") for root in reversed(below.get(_UNPLACED, []))]
    while waiting:
        number, before, inside = waiting.pop()
        rails[number] = before
        children = below.get(number, [])
        for place, child in reversed(list(enumerate(children))):
            is_last = place == len(children) - 1
            waiting.append((child, inside + ("└─ " if is_last else "├─ "), inside + ("   " if is_last else "│  ")))
    return rails


def is_chain(order: Sequence[int], upstream: Sequence[Sequence[int]]) -> bool:
    """Whether many tasks stand in one row, each waiting for the one before alone: as a tree, stairs that tell nothing."""
    if len(order) <= STAIRS:
        return False
    before = [_UNPLACED, *order[:-1]]
    return all(set(upstream[one]) == {above} - {_UNPLACED} for above, one in zip(before, order, strict=True))


def strand(order: Sequence[int]) -> dict[int, str]:
    """The lines before each name of a chain."""
    return {one: "┌ " if one == order[0] else "└ " if one == order[-1] else "│ " for one in order}


def _columns(rows: Sequence[_Row], width: int) -> list[str]:
    """The rows, with their parts below one another."""
    words = max((len(row.word) for row in rows), default=0)
    times = max((len(row.time) for row in rows), default=0)
    fixed = sum(part + 2 for part in (words, times) if part)
    notes = min(max((columns_of(row.note) for row in rows), default=0), width // 3)
    heads = min(max((columns_of(row.head) for row in rows), default=0), max(width - fixed - notes - 4, width // 3))
    heads += 2 if fixed else 0
    lines = []
    for row in rows:
        parts = [padded(shortened(row.head, heads), heads)]
        parts += [padded(row.word, words)] if words else []
        parts += [row.time.rjust(times)] if times else []
        parts += [row.note] if row.note else []
        lines.append(shortened("  ".join(parts).rstrip(), width))
    return lines


def in_encoding(text: str, encoding: str, states: set[S]) -> str:
    """The text as this encoding can carry it, with the letters that stand for the glyphs of these states."""
    if carries_glyphs(encoding):
        return text
    plain: dict[str, str | int | None] = {"┌": ",", "├": "|", "└": "`", "│": "|", "─": "-", "━": "=", "…": "~"}
    plain.update({facts_of(state).glyph: glyph_of(state, encoding) for state in states})
    try:
        return text.translate(str.maketrans(plain)).encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text.translate(str.maketrans(plain)).encode("ascii", "replace").decode("ascii")
