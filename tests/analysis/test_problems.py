"""What is wrong with the cells of a notebook: every problem at once, and nothing that is none."""

from __future__ import annotations

import pytest

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.analysis.magicslips import advice
from notebook_flows.analysis.problems import may_raise, problems_of


def cell(key: str, source: str, *, task: str = "", needs: str = "") -> Cell:
    return Cell(
        key=key,
        facts=analyse(source),
        is_task=bool(task),
        name=task or key,
        needs=frozenset(filter(None, [needs])),
    )


def problems(*cells: Cell, **more: object) -> list[str]:
    return problems_of(cells, connect(cells), **more)  # type: ignore[arg-type] # as the test says


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        cell("a", "rows = [1]", task="load"),
        cell("b", "total = sum(rosw) + late", needs="laod", task="add"),
        cell("c", "late = 1"),
        cell("d", "def f(:"),
        cell("e", "print(_, Out[1])", task="add"),
        cell("f", "pass"),
        mistakes={"f": "%%task --nedes: there is no option --nedes."},
    )

    assert found == [
        "Cell 'add' reads rosw, which no cell above binds. Did you mean rows?",
        "Cell 'add' reads late, which no cell above binds. Cell 'c', below, does: move it up.",
        "Task 'add' waits for 'laod', which is no task above it. Did you mean 'load'?",
        "Cell 'd' is no Python that could be read: invalid syntax, in line 1: `def f(:`",
        "Task 'add' reads Out, _, which IPython binds anew at each cell: give the value a name.",
        "Cell 'f': %%task --nedes: there is no option --nedes.",
        "2 task cells are called 'add': give them names of their own.",
    ]


@pytest.mark.parametrize(
    "source",
    ["print(_)", "display(get_ipython(), In)", "import os\nos.sep", "x = 1\nx", "def f():\n    return later", "!ls"],
)
def test_an_ordinary_cell_that_is_well_has_no_problem(source: str) -> None:
    assert problems(cell("a", source)) == []


def test_a_parameter_without_a_default_is_there_unless_a_cell_below_binds_it() -> None:
    assert problems(cell("a", "print(city)"), held={"city"}) == []
    assert len(problems(cell("a", "print(city)"), cell("b", "city = 1"), held={"city"})) == 1


def test_a_cell_that_may_raise_may_lack_a_name_but_no_task() -> None:
    missing = cell("a", "nix", task="t", needs="u")

    assert problems(missing, forgiven={"a"}) == ["Task 't' waits for 'u', which is no task above it."]


def test_who_looks_whether_a_name_is_there_may_raise() -> None:
    assert may_raise("nix", ["raises-exception"])
    assert may_raise("try:\n    nix\nexcept (NameError, KeyError):\n    nix = 1", [])
    assert not may_raise("try:\n    nix\nexcept KeyError:\n    nix = 1", [])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%%Task load\nx = 1", "there is no magic %%Task. Did you mean '%%task'?"),
        ("%Flow run", "there is no magic %Flow. Did you mean '%flow'?"),
        (
            "x = 1\n%%task load",
            "`%%task` has to be the first line of its cell; only blank lines and comments may stand above it.",
        ),
        ("x = 1\n%%time", "`%%time` has to be the first line of its cell."),
    ],
)
def test_a_magic_that_is_surely_a_slip_is_a_problem(source: str, expected: str) -> None:
    assert problems(cell("a", source)) == [f"Cell 'a': {expected}"]
    assert problems(cell("a", source), forgiven={"a"}) == []


def test_a_magic_that_some_extension_may_have_is_none() -> None:
    assert problems(cell("a", "%%sql\nselect 1"), cell("b", "%tsak load")) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Cell magic `%%Task` not found.", " Did you mean '%%task'?"),
        ("Cell magic `%%tsak` not found.", " Did you mean '%%task'?"),
        ("Cell magic `%%task` not found.", " Put `%load_ext notebook_flows` into a cell above."),
        (
            "Cell magic `%%sql` not found.",
            " Put `%load_ext sql` into a cell above, which `pip install jupysql` brings.",
        ),
        (
            "Line magic function `%%task` not found.",
            " `%%task` has to be the first line of its cell; only blank lines and comments may stand above it.",
        ),
        ("Line magic function `%%capture` not found.", " `%%capture` has to be the first line of its cell."),
        ("Line magic function `%mathplotlib` not found.", " Did you mean '%matplotlib'?"),
        ("Line magic function `%zzzzz` not found.", ""),
        ("unrecognized arguments: -x", ""),
    ],
)
def test_what_ipython_does_not_find_is_told_with_what_to_do(message: str, expected: str) -> None:
    assert advice(message) == expected
