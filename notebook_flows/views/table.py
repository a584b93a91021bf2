"""How many task runs are in which state, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.text import padded
from notebook_flows.views.theme import ASCII_GLYPHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GRAVITY = (
    S.CRASHED,
    S.FAILED,
    S.TIMED_OUT,
    S.VALIDATION_FAILED,
    S.UPSTREAM_FAILED,
    S.CANCELLED,
    S.PAUSED,
    S.RETRYING,
    S.RUNNING,
    S.EXPANDED,
    S.LOOPED,
    S.QUEUED,
    S.READY,
    S.PENDING,
    S.NOT_RUN,
    S.SUCCESS,
    S.CACHED,
    S.MAPPED,
    S.SKIPPED,
)
"""What people want to be told first."""


def counts_of(states: Iterable[S | None]) -> dict[S, int]:
    """How many there are of each, the gravest first; those whose state is not known do not count."""
    found = Counter(state for state in states if state is not None)
    return {state: found[state] for state in GRAVITY if state in found}


def gravest(counts: Mapping[S, int]) -> S | None:
    """The one state to be told where only one can be; None of nothing.

    >>> gravest({S.SUCCESS: 9_999, S.FAILED: 1}).name
    'FAILED'
    """
    return next((state for state in GRAVITY if counts.get(state)), None)


def told_counts(counts: Mapping[S, int]) -> str:
    """Counts in one line.

    >>> told_counts({S.SUCCESS: 180, S.FAILED: 3})
    '3 failed, 180 success'
    """
    return ", ".join(f"{counts[state]:,} {facts_of(state).word}" for state in GRAVITY if counts.get(state))


def short_counts(counts: Mapping[S, int], *, most: int = 3) -> str:
    r"""Counts as they fit below a name; of more than ``most`` states the least grave are left out.

    >>> short_counts({S.SUCCESS: 9_180, S.FAILED: 3})
    '✗ 3\u2002✓ 9180'
    """
    told = [f"{facts_of(state).glyph} {counts[state]}" for state in GRAVITY if counts.get(state)]
    return "\N{EN SPACE}".join(told if len(told) <= most else [*told[: most - 1], "…"])


def summary_table(states: Iterable[S | None], *, encoding: str = "utf-8") -> str:
    """A line for each state that occurs: glyph, word, count, share.

    Args:
        states: of the task runs.
        encoding: of where it is written; where it cannot carry the glyphs, letters stand for them.
    """
    counts = counts_of(states)
    total = sum(counts.values())
    width = max((len(facts_of(state).word) for state in counts), default=0)
    digits = len(f"{max(counts.values(), default=0):,}")
    return "\n".join(
        f"{glyph_of(state, encoding)} {padded(facts_of(state).word, width)}  {count:>{digits},}  {count / total:6.1%}"
        for state, count in counts.items()
    )


def glyph_of(state: S, encoding: str) -> str:
    """The state's glyph, or the letter that stands for it in this encoding."""
    return facts_of(state).glyph if carries_glyphs(encoding) else ASCII_GLYPHS[state]


def carries_glyphs(encoding: str) -> bool:
    """Whether text in this encoding can have all glyphs, lines and dots that we draw with.

    >>> carries_glyphs("utf-8"), carries_glyphs("cp1252")
    (True, False)
    """
    try:
        ("".join(facts_of(state).glyph for state in S) + "┌├└│─━…").encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
