"""Whether a flow is many pieces that would lie side by side in one very long row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE = 8
"""So many nodes side by side can still be read in a notebook."""


def is_long_row(size: int, arrows: Sequence[tuple[int, int]]) -> bool:
    """Whether n nodes fall into several pieces, and more than `WIDE` of them lie side by side.

    Args:
        size: n.
        arrows: (start, end), by their places among the nodes; they may form cycles.
    """
    below: list[list[int]] = [[] for _ in range(size)]
    waits = [0] * size
    for start, end in arrows:
        below[start].append(end)
        waits[end] += 1
    return _widest(below, waits) > WIDE and _has_pieces(below)


def _widest(below: Sequence[Sequence[int]], waits: list[int]) -> int:
    """How many nodes are equally far from those that wait for none, at most; what lies in a cycle has no such place."""
    level = [0] * len(below)
    ready = [node for node, count in enumerate(waits) if not count]
    for node in ready:
        for one in below[node]:
            level[one] = max(level[one], level[node] + 1)
            waits[one] -= 1
            if not waits[one]:
                ready.append(one)
    return max(Counter(level[node] for node in ready).values(), default=0)


def _has_pieces(below: Sequence[Sequence[int]]) -> bool:
    beside: list[list[int]] = [list(ends) for ends in below]
    for start, ends in enumerate(below):
        for end in ends:
            beside[end].append(start)
    seen, found = {0}, [0]
    for node in found:
        new = {one for one in beside[node] if one not in seen}
        seen |= new
        found.extend(new)
    return len(found) < len(below)
