"""The value of a secret is in nothing that a kernel says, however it is spelt and wherever it is cut."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from notebook_flows.notebook.redaction import MASK, Redactor, StreamRedactor

SECRET = 'p<ä>&"\\w:/ 9'


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        repr(SECRET)[1:-1],
        repr({"key": SECRET}),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(json.dumps([SECRET])),
        html.escape(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_hidden_in_each_of_its_spellings(spelt: str) -> None:
    told = Redactor([SECRET]).text(f"before {spelt} after")

    assert MASK in told
    assert spelt not in told
    assert (told[:7], told[-6:]) == ("before ", " after")


@given(
    before=st.text(max_size=12),
    after=st.text(max_size=12),
    cuts=st.lists(st.integers(min_value=0, max_value=40), max_size=6),
)
def test_a_secret_that_is_printed_in_pieces_is_hidden_all_the_same(before: str, after: str, cuts: list[int]) -> None:
    whole = f"{before}hunter2{after}"
    ends = sorted({min(cut, len(whole)) for cut in cuts} | {len(whole)})
    redactor = StreamRedactor(Redactor(["hunter2"]))

    told = ""
    for begin, end in zip([0, *ends], ends, strict=False):
        told += redactor.feed("stdout", whole[begin:end])
    told += "".join(redactor.end().values())

    assert told == whole.replace("hunter2", MASK)


def test_the_two_streams_of_a_cell_are_cut_apart() -> None:
    redactor = StreamRedactor(Redactor(["hunter2"]))

    told = [redactor.feed("stdout", "hunt"), redactor.feed("stderr", "er2"), redactor.feed("stdout", "er2")]

    assert told == ["", "er2", MASK]


def test_values_in_json_are_hidden_names_and_numbers_too() -> None:
    redactor = Redactor(["hunter2", 123456])

    assert redactor.value({"hunter2": ["a hunter2", 123456, 12, None, True]}) == {
        MASK: [f"a {MASK}", MASK, 12, None, True]
    }


def test_each_line_of_a_private_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdefgh\nMIIijklmnop\n-----END KEY-----"

    assert Redactor([key]).text("> MIIijklmnop <") == f"> {MASK} <"


def test_a_short_secret_is_not_looked_for() -> None:
    assert not Redactor(["abc"])
    assert Redactor(["abc"]).text("abcabc") == "abcabc"
