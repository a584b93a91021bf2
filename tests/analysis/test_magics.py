"""Magics: whoever knows one tells what it does; the lines that people see are the lines that are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.analysis import analyse, magics

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sql_is_known() -> Iterator[None]:
    def handler(magic: magics.Magic) -> magics.Effect:
        return magics.Effect(expressions=magics.interpolated(magic.body), binds=(magic.line.strip(),))

    magics.register("sql", handler)
    yield
    magics.unregister("sql")


def test_an_unknown_magic_is_opaque_by_its_name() -> None:
    assert analyse("%%sql rows\nselect {column}").opaque == ("unknown magic %%sql",)


@pytest.mark.usefixtures("sql_is_known")
def test_a_magic_can_be_made_known() -> None:
    facts = analyse("%%sql rows\nselect {column}")

    assert (facts.opaque, facts.reads, facts.binds) == ((), {"column"}, {"rows"})


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ("\n\nx = a", "a", 3),
        ("%%task load\n\nx = a", "a", 3),
        ("%%time\nx = 1\ny = a", "a", 3),
        ("%%task\n%%time\nx = a", "a", 3),
        ("\n%%capture out\nx = 1\ny = a", "a", 4),
        ("x = 1\n%time y = a", "a", 2),
        ("x = 1\n!ls {a}", "a", 2),
        ("if x:\n    %time y = a", "y", 2),
        ("def f():\n    return 1\ny = f()", "y", 3),
    ],
)
def test_lines_are_those_of_the_raw_cell(source: str, name: str, line: int) -> None:
    assert analyse(source).lines[name] == line


@pytest.mark.parametrize(
    ("line", "expressions"),
    [
        ("echo {a} $b", ("a", "b")),
        ("echo $$HOME", ()),
        ("awk '{{print}}'", ()),
        ("awk '{print $1}'", ()),
        ("echo {a[0]['k']} {f(b)}", ("a[0]['k']", "f(b)")),
        ("echo $a.b", ("a.b",)),
    ],
)
def test_expressions_that_are_filled_into_a_line_are_found(line: str, expressions: tuple[str, ...]) -> None:
    assert magics.interpolated(line) == expressions
