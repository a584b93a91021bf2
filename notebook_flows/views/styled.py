"""Lines with colours for a terminal: parts of text, each with the name of a style."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.views.text import columns_of, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

Part = tuple[str, str]
"""A text, and its style: words such as ``bold red``; empty for none."""

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}
_COLOURLESS = frozenset({"bold", "dim"})

# Names, not the theme's colours: a terminal's own palette suits its background, dark or light.
_STYLES: dict[S, str] = {
    S.RUNNING: "yellow",
    S.EXPANDED: "yellow",
    S.RETRYING: "yellow",
    S.LOOPED: "yellow",
    S.PAUSED: "bold yellow",
    S.SUCCESS: "green",
    S.MAPPED: "green",
    S.CACHED: "cyan",
    S.SKIPPED: "cyan",
    S.FAILED: "bold red",
    S.TIMED_OUT: "bold red",
    S.VALIDATION_FAILED: "bold red",
    S.CRASHED: "bold red",
    S.UPSTREAM_FAILED: "magenta",
    S.CANCELLED: "magenta",
}


def style_of(state: S) -> str:
    """The terminal's style of a state; every state also has its glyph and word.

    >>> style_of(S.SUCCESS), style_of(S.PENDING)
    ('green', 'dim')
    """
    return _STYLES.get(state, "dim")


def width_of(parts: Iterable[Part]) -> int:
    """How many columns parts take."""
    return sum(columns_of(text) for text, _ in parts)


def fitting(parts: Iterable[Part], columns: int) -> list[Part]:
    """Not more than so many columns of them.

    >>> fitting([("load", "bold"), (" the rows", "")], 8)
    [('load', 'bold'), (' th…', '')]
    """
    kept: list[Part] = []
    left = columns
    for text, style in parts:
        cut = shortened(text, left)
        kept.append((cut, style))
        if cut != text:
            break
        left -= columns_of(cut)
    return kept


def painted(parts: Iterable[Part], *, with_colours: bool) -> str:
    r"""The parts as a terminal shows them; without colours bold and dim stay.

    >>> painted([("x", "bold red"), (" ", ""), ("y", "dim")], with_colours=False)
    '\x1b[1mx\x1b[0m \x1b[2my\x1b[0m'
    """
    return "".join(
        f"\x1b[{code}m{text}\x1b[0m" if (code := _code(style, with_colours=with_colours)) and text else text
        for text, style in parts
    )


def plain(parts: Iterable[Part]) -> str:
    """Their text."""
    return "".join(text for text, _ in parts).rstrip()


@cache
def _code(style: str, *, with_colours: bool) -> str:
    return ";".join(_CODES[word] for word in style.split() if with_colours or word in _COLOURLESS)
