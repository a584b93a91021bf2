"""Which of the cells that are to run come after which."""

from __future__ import annotations

import pytest

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.session.cellflow import uppers_of

SOURCES = {
    "make": ("rows = [1]", False),
    "read": ("print(rows)", True),
    "change": ("rows.append(2)", True),
    "again": ("rows.append(3)", True),
}


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (["read", "change", "again"], {"read": set(), "change": {"read"}, "again": {"change"}}),
        (["read", "again"], {"read": set(), "again": {"read"}}),
        (["again"], {"again": set()}),
    ],
)
def test_tasks_keep_their_order_though_the_one_between_them_does_not_run(
    running: list[str], expected: dict[str, set[str]]
) -> None:
    cells = [Cell(key=key, facts=analyse(text), is_task=task, name=key) for key, (text, task) in SOURCES.items()]

    found = uppers_of(connect(cells), running)

    assert {key: set(uppers) for key, uppers in found.items()} == expected
