"""Tasks as plain text: trees, lists, tables, durations."""

import re

import pytest
from hypothesis import given, strategies as st
from pictured import HOSTILE

from notebook_flows.core.lifecycle import S
from notebook_flows.views.table import counts_of, gravest, summary_table
from notebook_flows.views.text import columns_of, shortened, told_duration
from notebook_flows.views.tree import DEEPEST, MOST_LINES, task_tree

DIAMOND = ["load", "left", "right", "join"], [[], [0], [0], [1, 2]]


def test_a_task_stands_below_what_it_waits_for_and_names_the_others():
    tree = task_tree(*DIAMOND)

    assert tree.splitlines() == ["load", "├─ left", "│  └─ join  also after right", "└─ right"]


def test_it_stands_below_the_one_furthest_from_the_start():
    tree = task_tree(["load", "clean", "report"], [[], [0], [0, 1]])

    assert tree.splitlines() == ["load", "└─ clean", "   └─ report  also after load"]


def test_states_and_durations_have_columns_of_their_own():
    tree = task_tree(
        *DIAMOND, [S.SUCCESS, S.FAILED, S.RUNNING, S.UPSTREAM_FAILED], {0: 75, 1: 0.01}, notes={2: "half done"}
    )

    assert tree.splitlines() == [
        "✓ load          success          1 min 15 s",
        "├─ ✗ left       failed                10 ms",
        "│  └─ ⊘ join    upstream failed              also after right",
        "└─ ▶ right      running                      half done",
    ]


def test_a_deep_flow_is_a_list_in_the_order_of_running():
    names = [f"t{number}" for number in range(DEEPEST + 3)]

    lines = task_tree(names, [[], *([number] for number in range(DEEPEST + 1)), []]).splitlines()

    assert lines[0] == "t0"
    assert ["t13", "after", "t12"] in [line.split() for line in lines]


def test_a_long_chain_is_one_strand():
    chain = [[], [0], [1, 1], [2], [3]]

    assert task_tree(list("abcde"), chain).splitlines() == ["┌ a", "│ b", "│ c", "│ d", "└ e"]
    assert task_tree(list("abcd"), chain[:4]).splitlines() == ["a", "└─ b", "   └─ c", "      └─ d"]
    assert task_tree(list("abcdef"), [*chain, [2]])[0] == "a"


def test_a_hundred_thousand_deep_is_no_recursion():
    size = 100_000

    lines = task_tree(["t"] * size, [[], *([number] for number in range(size - 1))], [S.SUCCESS] * size).splitlines()

    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "… and 99,700 more tasks: 99,700 success"


def test_tasks_on_a_cycle_are_shown_too():
    assert len(task_tree(["a", "b", "c"], [[], [2], [1]]).splitlines()) == 3


def test_nothing_is_nothing():
    assert not task_tree([], [])


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "no-such-encoding"])
def test_where_glyphs_cannot_go_letters_stand_for_them(encoding):
    tree = task_tree(["lädt", "漢字", "c"], [[], [0], [0]], [S.SUCCESS, S.FAILED, S.TIMED_OUT], encoding=encoding)

    assert tree.encode("ascii" if encoding == "no-such-encoding" else encoding)
    assert [line.split()[0] for line in tree.splitlines()] == ["+", "|-", "`-"]
    assert "x ??" in tree


@given(
    names=st.lists(st.one_of(st.sampled_from(HOSTILE), st.text()), min_size=1, max_size=8),
    width=st.integers(20, 120),
    data=st.data(),
)
def test_no_line_is_wider_than_asked_and_each_task_has_one(names, width, data):
    upstream = [
        data.draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else [] for number in range(len(names))
    ]
    states = data.draw(st.lists(st.sampled_from(S), min_size=len(names), max_size=len(names)))

    lines = task_tree(names, upstream, states, {0: 1.5}, width=width).split("\n")

    assert len(lines) == len(names)
    assert all(columns_of(line) <= width for line in lines)
    assert all(re.sub("[\u200c\u200d]", "", line).isprintable() for line in lines)


@given(st.text(), st.integers(1, 50))
def test_shortened_text_fits(text, columns):
    assert columns_of(shortened(text, columns)) <= columns


def test_the_table_tells_the_gravest_first():
    table = summary_table([S.SUCCESS] * 1_234 + [S.FAILED] * 3 + [None])

    assert table.splitlines() == ["✗ failed       3    0.2%", "✓ success  1,234   99.8%"]
    assert summary_table([S.FAILED], encoding="ascii") == "x failed  1  100.0%"
    assert not summary_table([])


def test_every_state_is_counted_and_graded():
    assert set(counts_of(S)) == set(S)
    assert [gravest({one: 1}) for one in S] == list(S)
    assert gravest({}) is None


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0 ms"), (0.0996, "0.1 s"), (9.96, "10 s"), (59.7, "1 min 00 s"), (3599.8, "1 h 00 min")]
)
def test_a_duration_is_rounded_before_its_unit_is_chosen(seconds, told):
    assert told_duration(seconds) == told
