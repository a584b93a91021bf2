"""The table "What changes the key" of docs/caching.md: each of its rows is a case here, and there are no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from written_functions import key_of_call, module_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "caching.md"

BASE = """
    import json
    import math as m

    LIMIT = 3

    def helper(x):
        return x + LIMIT

    class Model:
        rate = 0.5

        def fit(self, x):
            return helper(x) * self.rate

    def f(x, y=1):
        '''Say what it does.'''
        total = helper(x) + y  # a comment
        return Model().fit(m.sqrt(total))
"""

EDITS: dict[str, tuple[str, str, bool]] = {
    # row of the table: what is replaced, by what, whether the key changes
    "the task's own code": ("total = helper(x) + y", "total = helper(x) - y", True),
    "a comment": ("  # a comment", "  # another one, longer", False),
    "layout: blank lines, line breaks, spaces, quotes": (
        "total = helper(x) + y",
        "\n        total = (\n            helper( x )\n            + y\n        )",
        False,
    ),
    "a docstring": ("'''Say what it does.'''", "'''Say it in other words.'''", False),
    "the function's place in the file": ("def helper(x):", "UNUSED = 1\n\n\n    def helper(x):", False),
    "the name of the task's function": ("def f(x, y=1):", "def g(x, y=1):", False),
    "an annotation": ("def f(x, y=1):", "def f(x: int, y=1):", True),
    "a default of an argument": ("def f(x, y=1):", "def f(x, y=2):", True),
    "a helper that it calls": ("return x + LIMIT", "return x * LIMIT", True),
    "a helper's helper, or a constant that one of them reads": ("LIMIT = 3", "LIMIT = 4", True),
    "a class that it uses: a method": ("return helper(x) * self.rate", "return helper(x) / self.rate", True),
    "a class that it uses: an attribute": ("rate = 0.5", "rate = 0.25", True),
    "a function or constant of the same file that it does not use": ("LIMIT = 3", "LIMIT = 3\n    OTHER = 1", False),
}

CALLS = {
    "the value of an argument": ({"x": [1, 2]}, {"x": [1, 3]}, True),
    "the type of an argument: 1, 1.0, True": ({"x": 1}, {"x": 1.0}, True),
    "the order of a dict": ({"x": {"a": 1, "b": 2}}, {"x": {"b": 2, "a": 1}}, True),
    "the order of a set": ({"x": {"a", "b", "c"}}, {"x": {"c", "b", "a"}}, False),
    "which of two equal objects it is": ({"x": [[1], [1]]}, {"x": [[1]] * 2}, False),
    "the text of a path": ({"x": Path("a.csv")}, {"x": Path("b.csv")}, True),
}

PAIRS = {
    "what is in the file of a path": False,
    "the name of an argument": True,
    "a value that its closure holds": True,
    "a module of your own that it imports inside": True,
    "the version of a library that it uses": True,
    "`version=` of the task": True,
    "the format in which its result is written": True,
    "a decorator that puts another function in its place": True,
    "options of the task: retries, timeout, tags, its name": False,
    "an attribute of a task that is a class": True,
    "the value of a `Secret`": True,
    "the run, the day, the process, the hash seed": False,
}


@pytest.mark.parametrize("row", EDITS)
def test_the_key_changes_with_what_is_written_as_the_table_says(row: str, tmp_path: Path) -> None:
    old, new, changes = EDITS[row]
    assert old in BASE
    before = module_of(tmp_path, BASE).f

    after_module = module_of(tmp_path, BASE.replace(old, new))
    after = getattr(after_module, "f", None) or after_module.g

    assert (key_of_call(before, {"x": 1}) != key_of_call(after, {"x": 1})) is changes


@pytest.mark.parametrize("row", CALLS)
def test_the_key_changes_with_what_is_given_as_the_table_says(row: str, tmp_path: Path) -> None:
    function = module_of(tmp_path, BASE).f
    before, after, changes = CALLS[row]

    assert (key_of_call(function, before) != key_of_call(function, after)) is changes


def test_the_content_of_a_file_does_not_count(tmp_path: Path) -> None:
    function = module_of(tmp_path, BASE).f
    path = tmp_path / "data.csv"
    path.write_text("1")
    before = key_of_call(function, {"x": path})

    path.write_text("2")

    assert key_of_call(function, {"x": path}) == before


def test_the_name_of_an_argument_counts(tmp_path: Path) -> None:
    function = module_of(tmp_path, BASE).f

    assert key_of_call(function, {"x": 1}) != key_of_call(function, {"y": 1})


def test_a_value_that_a_closure_holds_counts(tmp_path: Path) -> None:
    module = module_of(tmp_path, "def make(n):\n    def add(x):\n        return x + n\n    return add\n")

    assert key_of_call(module.make(1)) == key_of_call(module.make(1))
    assert key_of_call(module.make(1)) != key_of_call(module.make(2))


def test_a_module_that_is_imported_inside_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "written_inside.py").write_text("def g(x):\n    return x + 1\n")
    source = "def f(x):\n    from written_inside import g\n    return g(x)\n"
    before = key_of_call(module_of(tmp_path, source).f)

    (tmp_path / "written_inside.py").write_text("def g(x):\n    return x + 2\n")

    assert key_of_call(module_of(tmp_path, source).f) != before


def test_the_version_of_a_library_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = module_of(tmp_path, "import numpy as np\ndef f(x):\n    return np.mean(x)\n").f
    before = key_of_call(function)

    monkeypatch.setattr("notebook_flows.fingerprints.libraries.version_of", lambda root: f"{root} 99")

    assert key_of_call(function) != before


@pytest.mark.parametrize("declared", ["version", "serializer"])
def test_what_is_declared_counts(declared: str, tmp_path: Path) -> None:
    function = module_of(tmp_path, BASE).f

    assert key_of_call(function) != key_of_call(function, **{declared: "2"})


def test_a_decorator_counts(tmp_path: Path) -> None:
    source = """
        import functools

        def twice(function):
            @functools.wraps(function)
            def wrapper(x):
                return FACTOR * function(x)
            return wrapper

        FACTOR = 2

        @twice
        def f(x):
            return x
    """
    before = key_of_call(module_of(tmp_path, source).f)

    assert before == key_of_call(module_of(tmp_path, source).f)
    for old, new in (("FACTOR = 2", "FACTOR = 3"), ("return x\n", "return x + 1\n"), ("@twice\n", "\n")):
        assert key_of_call(module_of(tmp_path, source.replace(old, new)).f) != before


def test_how_a_task_is_run_does_not_count(tmp_path: Path) -> None:
    source = """
        from notebook_flows import task

        @task{}
        def f(x):
            return x
    """
    options = "(name='other', max_retries=2, retry_delay=1, timeout=5, tags={'slow'})"

    plain = key_of_call(module_of(tmp_path, source.replace("{}", "")).f)

    assert key_of_call(module_of(tmp_path, source.replace("{}", options)).f) == plain


@pytest.mark.parametrize("name", ["factor", "_factor", "__factor", "slotted"])
def test_an_attribute_of_a_class_task_counts(name: str, tmp_path: Path) -> None:
    source = """
        from notebook_flows import Task

        class Scale(Task):
            __slots__ = ("slotted",)

            def __init__(self, factor, **kwargs):
                self.{name} = factor
                super().__init__(**kwargs)

            def run(self, x):
                return self.{name} * x
    """
    scale = module_of(tmp_path, source.replace("{name}", name)).Scale

    assert key_of_call(scale(2)) == key_of_call(scale(2, name="doubled", max_retries=1, retry_delay=1, tags={"slow"}))
    assert key_of_call(scale(2)) != key_of_call(scale(3))


def test_the_value_of_a_secret_counts_and_is_not_told(tmp_path: Path) -> None:
    from notebook_flows.core.secret import Secret

    function = module_of(tmp_path, BASE).f

    assert key_of_call(function, {"x": Secret("a")}) == key_of_call(function, {"x": Secret("a")})
    assert key_of_call(function, {"x": Secret("a")}) != key_of_call(function, {"x": Secret("b")})


def _rows() -> Iterator[tuple[str, bool]]:
    table = PAGE.read_text().partition("## What changes the key")[2].partition("\n## ")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 2 and cells[1] in {"yes", "no"}:
            yield cells[0], cells[1] == "yes"


def test_each_row_of_the_page_is_tested_here() -> None:
    tested = {row: changes for row, (_, _, changes) in {**EDITS, **CALLS}.items()} | PAIRS

    written = {re.sub(r"\\(.)", r"\1", row): changes for row, changes in _rows()}

    assert written == tested
