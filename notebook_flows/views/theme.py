"""How each state looks. The one place with colours; they are Okabe and Ito's, which colour-blind people tell apart.

No state is told by its colour alone: each also has its glyph and word (`core.lifecycle`) and its border. Texts stand on
the node's own fill and lines are a middle grey, so that pictures read on light and dark pages alike.

Source:
    M. Okabe and K. Ito, "Color Universal Design", 2002.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from notebook_flows.core.lifecycle import S, facts_of

FONT = "Helvetica,Arial,sans-serif"
NAME_POINTS = 10
STATE_POINTS = 9
LINE = "#767676"
"""Of edges and their labels: 4.5 : 1 on white, 4.2 : 1 on JupyterLab's dark page."""

BADGE_FILL, BADGE_INK = "#FFFFFF", "#000000"
BADGE_RADIUS = 6
BADGE_POINTS = 7
"""Of the number of a task's artifacts, in a circle at its corner."""

_INK, _PAPER = "#000000", "#FFFFFF"
_PALE, _GREY, _SLATE, _COAL = "#F2F2F2", "#D4D4D4", "#595959", "#1F1F1F"
_BLUE, _SKY, _ORANGE, _YELLOW, _VERMILION, _PURPLE = "#0072B2", "#56B4E9", "#E69F00", "#F0E442", "#D55E00", "#CC79A7"
_NAVY = "#003554"

Dash = Literal["solid", "dashed", "dotted"]


class Look(NamedTuple):
    """Colours and border of a node.

    Attributes:
        fill: of its area.
        ink: of its text.
        border: of its border.
        points: how wide the border is.
        dash: how the border is drawn.
    """

    fill: str
    ink: str
    border: str
    points: float
    dash: Dash


PLAIN = Look(_PALE, _COAL, LINE, 1, "solid")
"""A node whose state nobody knows, or asks for."""

_LOOKS: dict[S, Look] = {
    S.PENDING: PLAIN,
    S.READY: Look(_PALE, _COAL, _COAL, 1, "solid"),
    S.QUEUED: Look(_PALE, _COAL, _COAL, 1, "dashed"),
    S.RUNNING: Look(_ORANGE, _INK, _INK, 2, "dashed"),
    S.RETRYING: Look(_YELLOW, _INK, _INK, 2, "dashed"),
    S.PAUSED: Look(_YELLOW, _INK, _INK, 2, "solid"),
    S.LOOPED: Look(_YELLOW, _INK, _INK, 2, "dotted"),
    S.EXPANDED: Look(_ORANGE, _INK, _INK, 2, "dotted"),
    S.SUCCESS: Look(_BLUE, _PAPER, _NAVY, 1, "solid"),
    S.CACHED: Look(_SKY, _INK, _NAVY, 1.5, "dashed"),
    S.SKIPPED: Look(_GREY, _COAL, _SLATE, 1.5, "dotted"),
    S.MAPPED: Look(_BLUE, _PAPER, _NAVY, 1, "solid"),
    S.FAILED: Look(_VERMILION, _INK, _INK, 3, "solid"),
    S.TIMED_OUT: Look(_VERMILION, _INK, _INK, 3, "dashed"),
    S.UPSTREAM_FAILED: Look(_PURPLE, _INK, _INK, 1.5, "dashed"),
    S.VALIDATION_FAILED: Look(_VERMILION, _INK, _INK, 3, "dotted"),
    S.CANCELLED: Look(_SLATE, _PAPER, _GREY, 2, "solid"),
    S.CRASHED: Look(_COAL, _PAPER, _VERMILION, 3, "solid"),
    S.NOT_RUN: Look(_GREY, _COAL, _COAL, 1, "dotted"),
}

_DASHES: dict[Dash, str | None] = {"solid": None, "dashed": "5,2", "dotted": "1,3"}

ASCII_GLYPHS: dict[S, str] = {
    S.PENDING: ".",
    S.READY: "o",
    S.QUEUED: "q",
    S.RUNNING: ">",
    S.RETRYING: "r",
    S.PAUSED: "=",
    S.LOOPED: "@",
    S.EXPANDED: ">",
    S.SUCCESS: "+",
    S.CACHED: "c",
    S.SKIPPED: "/",
    S.MAPPED: "+",
    S.FAILED: "x",
    S.TIMED_OUT: "t",
    S.UPSTREAM_FAILED: "u",
    S.VALIDATION_FAILED: "v",
    S.CANCELLED: "!",
    S.CRASHED: "#",
    S.NOT_RUN: "-",
}
"""For terminals and files that cannot carry the glyphs of `core.lifecycle`."""


def look_of(state: S | None) -> Look:
    """How a node in this state looks; None: nobody asks."""
    return PLAIN if state is None else _LOOKS[state]


def class_of(state: S | None) -> str:
    """The CSS class of a node in this state.

    >>> class_of(S.UPSTREAM_FAILED)
    'state-upstream-failed'
    """
    return "state-" + ("none" if state is None else facts_of(state).word.replace(" ", "-"))


def dashes_of(look: Look) -> str | None:
    """SVG's ``stroke-dasharray``, or None for a solid border."""
    return _DASHES[look.dash]


def stylesheet() -> str:
    """CSS for pictures that live in a page: there a change of state is a change of a node's class.

    Each colour can be set from outside: ``--nbflow-failed-fill``, ``-ink``, ``-border``.
    """
    rules = []
    for state in (None, *S):
        look, name = look_of(state), class_of(state)
        var = "--nbflow-" + name.removeprefix("state-")
        rules.append(
            f".nbflow .{name} .shape {{ fill: var({var}-fill, {look.fill}) }}\n"
            f".nbflow .{name} .border {{ stroke: var({var}-border, {look.border}); stroke-width: {look.points:g};"
            f" stroke-dasharray: {dashes_of(look) or 'none'} }}\n"
            f".nbflow .{name} text {{ fill: var({var}-ink, {look.ink}) }}"
        )
    return "\n".join(rules) + "\n"
