"""Colours, borders and glyphs: every state can be told without colour, and read on any page."""

import itertools

import pytest

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.views.theme import ASCII_GLYPHS, LINE, class_of, dashes_of, look_of, stylesheet


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("state", [None, *S])
def test_text_reads_on_its_node(state):
    look = look_of(state)

    assert contrast(look.fill, look.ink) >= 4.5


@pytest.mark.parametrize("page", ["#FFFFFF", "#111111"])
def test_lines_read_on_light_and_dark_pages(page):
    assert contrast(LINE, page) >= 4


def test_no_two_states_look_alike_apart_from_colour():
    told = [(facts_of(state).glyph, facts_of(state).word) for state in S]
    assert len(set(told)) == len(S)
    assert all(len(glyph) == 1 and glyph.isascii() for glyph in ASCII_GLYPHS.values())


def test_states_of_one_colour_differ_in_their_border():
    same = {S.SUCCESS, S.MAPPED}, {S.PENDING}
    for one, other in itertools.combinations(S, 2):
        assert look_of(one) != look_of(other) or {one, other} in same


def test_classes_are_one_per_state():
    assert len({class_of(state) for state in (None, *S)}) == len(S) + 1


def test_the_stylesheet_says_the_same_as_the_looks():
    css = stylesheet()

    for state in S:
        look = look_of(state)
        name = class_of(state)
        assert f".nbflow .{name} .shape {{ fill: var(--nbflow-{name[6:]}-fill, {look.fill}) }}" in css
        assert f"stroke-dasharray: {dashes_of(look) or 'none'}" in css
