"""What is told of cells: names, edges with their reasons, and what cannot be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.views.explain import explained

if TYPE_CHECKING:
    from notebook_flows.analysis import Connections

SOURCES = {
    "a": "rows = [1, 2]\nif rows: extra = 3",
    "b": "total = sum(rows) + extra",
    "c": "rows.append(3)",
    "d": "exec(open('more.py').read())",
    "e": "print(totel)",
    "f": "pass",
}
NAMES = {"a": "Make", "b": "Add\nup", "c": "Append"}


def connections() -> Connections:
    return connect(
        [
            Cell(key=key, facts=analyse(source), is_task=key == "b", name=NAMES.get(key, key))
            for key, source in SOURCES.items()
        ]
    )


def told(text: str, heading: str) -> str:
    return next(part for part in text.split("\n\n") if part.startswith(heading))


def test_each_cell_is_told_with_its_reads_and_binds_and_why_it_waits() -> None:
    text = explained(connections(), NAMES)

    assert "  binds     extra (perhaps), rows" in told(text, "Make")
    add = told(text, "Add up (task)")
    assert "rows (from Make)" in add
    assert "  after     Make\n" in add
    assert "data: " in add
    append = told(text, "Append")
    assert "  mutates   rows" in append
    assert "mutation: " in append
    assert "reads nothing, binds nothing" not in told(text, "d")


def test_what_is_missing_and_what_cannot_be_seen_is_told_and_counted() -> None:
    text = explained(connections(), NAMES)

    assert "  unseen    " in told(text, "d")
    assert "exec" in told(text, "d")
    assert text.splitlines()[-1].startswith("6 cells; 1 task among them; ")
    assert "that cannot be seen through in part." in text.splitlines()[-1]


def test_only_the_cells_that_are_asked_about_are_told() -> None:
    text = explained(connections(), NAMES, only=["b"], order_from="the saved file", labels={"a": "cell 1"})

    first, second, last = text.split("\n\n")
    assert first == "Order of the cells: the saved file."
    assert second.startswith("Add up (task)")
    assert "rows (from cell 1)" in second
    assert last.startswith("1 cell; ")


def test_control_characters_of_a_name_are_not_printed() -> None:
    text = explained(connections(), {"a": "\x1b[31mred"}, only=["a"])

    assert "\x1b" not in text
