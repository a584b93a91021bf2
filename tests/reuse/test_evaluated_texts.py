"""Names that texts read which a cell evaluates: nobody sees them before it runs, and they count all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from shelves import Notebook

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "import pandas as pd\ntable = pd.DataFrame({'a': [1, 2, 3]})"


@pytest.mark.parametrize(
    ("setup", "cell"),
    [
        ("n = {n}\nq = 'n + 1'.strip()", "x = eval(q)"),
        ("n = {n}\nq = 'n + 1'.strip()\ndef value(): return eval(q)", "x = value()"),
        ("n = {n}\nq = 'x = n + 1'.strip()", "exec(q)"),
        ("rows = [{n}]\nq = 'sum(rows)'.strip()", "x = eval(q)"),
        ("rows = [{n}]\ndef total(): return sum(rows)\nq = 'total()'.strip()", "x = eval(q)"),
        (f"{TABLE}\nn = {{n}}\nq = 'a > @n'.strip()", "x = len(table.query(q))"),
        (f"{TABLE}\nn = {{n}}\nq = 'n + 1'.strip()", "x = pd.eval(q)"),
    ],
)
def test_a_value_that_an_evaluated_text_reads_counts(setup: str, cell: str, tmp_path: Path) -> None:
    notebook, task = Notebook(tmp_path), f"%%task --cache\n{cell}"
    one, two = setup.replace("{n}", "1"), setup.replace("{n}", "2")
    first = notebook.run(one, task)

    same, other = notebook.run(one, task), notebook.run(two, task)

    assert (first.was_taken, same.was_taken, other.was_taken) == (False, True, False)
    assert same.bound["x"] == first.bound["x"] != other.bound["x"]
    assert "which it read then, is not what it was" in other.said


def test_what_no_evaluated_text_reads_does_not_count(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    notebook.run("n = 1\nm = 1\nq = 'n + 1'.strip()", "%%task --cache\nx = eval(q)")

    other = notebook.run("n = 1\nm = 2\nq = 'n + 1'.strip()", "%%task --cache\nx = eval(q)")

    assert other.was_taken


def test_an_object_that_an_evaluated_text_changes_is_changed_again(tmp_path: Path) -> None:
    notebook, cells = Notebook(tmp_path), ("rows = [1]\nq = 'rows.append(2)'.strip()", "%%task --cache\nexec(q)")
    notebook.run(*cells)

    again = notebook.run(*cells)

    assert again.was_taken
    assert again.handed_back == {"rows": [1, 2]}


@pytest.mark.parametrize("cell", ["x = globals()['n']", "x = vars()['n']", "import inspect\nx = len(inspect.stack())"])
def test_what_nobody_sees_at_all_is_not_cached_and_says_so(cell: str, tmp_path: Path) -> None:
    notebook, cells = Notebook(tmp_path), ("n = 1", f"%%task --cache\n{cell}")
    first = notebook.run(*cells)

    again = notebook.run(*cells)

    assert not again.was_taken
    assert "is not cached: nobody can see through it" in first.said
    assert "--reads and --writes" in first.said


def test_what_is_declared_need_not_be_seen_through(tmp_path: Path) -> None:
    notebook, cell = Notebook(tmp_path), "%%task --cache --reads n --writes x\nx = globals()['n']"
    notebook.run("n = 1", cell)

    same, other = notebook.run("n = 1", cell), notebook.run("n = 2", cell)

    assert (same.was_taken, other.was_taken) == (True, False)


def test_a_name_without_a_fingerprint_that_an_evaluated_text_reads_is_told(tmp_path: Path) -> None:
    notebook, cells = (
        Notebook(tmp_path),
        ("source = iter([1])\nq = 'next(source)'.strip()", "%%task --cache\nx = eval(q)"),
    )

    first = notebook.run(*cells)

    assert "it evaluates a text that reads 'source', which has no fingerprint" in first.said
    assert not notebook.run(*cells).was_taken
