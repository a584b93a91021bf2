"""What the parameters cell declares, and what a run may be given."""

from __future__ import annotations

import math
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from notebook_flows.core.secret import Secret
from notebook_flows.notebook.errors import NotebookParameterError
from notebook_flows.notebook.kinds import Text, kind_from_text
from notebook_flows.notebook.literals import as_python
from notebook_flows.notebook.parameters import declared_by, given_values, injected
from notebook_flows.notebook.values import UnfitError, fitted

CELL = """# Parameters
rows: int = 100  # how many to read
# The folder with the data
folder = "a # no comment"
city: str
scale: float | None = None
mode: Literal["fast", "exact"] = "fast"
u = v = 3
computed = max(1, 2)
%matplotlib inline
limit = 5  # type: int at most
names: list[str] = ["a",
    "b"]  # of the columns
late: int = ...
"""


def notebook_with(source: str, *more: str) -> Any:
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}), *(new_code_cell(one) for one in more)]
    for cell in cells[1:]:
        cell.metadata["tags"] = []
    return new_notebook(cells=cells)


def test_the_cell_tells_names_types_defaults_and_help() -> None:
    found = {one.name: one for one in declared_by(CELL)}

    told = {name: (one.type, one.default_text, one.is_required, one.help) for name, one in found.items()}
    assert told == {
        "rows": ("int", "100", False, "how many to read"),
        "folder": ("str", "'a # no comment'", False, "The folder with the data"),
        "city": ("str", "", True, ""),
        "scale": ("float | None", "None", False, ""),
        "mode": ("Literal['fast', 'exact']", "'fast'", False, ""),
        "u": ("int", "3", False, ""),
        "v": ("int", "3", False, ""),
        "computed": ("", "max(1, 2)", False, ""),
        "limit": ("int", "5", False, "at most"),
        "names": ("list[str]", "['a', 'b']", False, "of the columns"),
        "late": ("int", "", True, ""),
    }


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "007", 7),
        ("int", "-1_000", -1000),
        ("float", "1e3", 1000.0),
        ("float", "3", 3.0),
        ("str", "007", "007"),
        ("bool", "Yes", True),
        ("bool", "0", False),
        ("int | None", "none", None),
        ("Optional[int]", "5", 5),
        ("int | str", "5", 5),
        ("str | int", "five", "five"),
        ("Union[float, bool]", "true", True),
        ("Literal['a', 1, None]", "1", 1),
        ("Literal['a', 1]", "a", "a"),
        ("list[int]", "[1, 2]", [1, 2]),
        ("list[str]", "['a']", ["a"]),
        ("typing.List[float]", "[1]", [1.0]),
        ("tuple[int, str]", '[1, "b"]', (1, "b")),
        ("dict[str, int]", '{"a": 1}', {"a": 1}),
        ("dict[int, str]", '{"1": "a"}', {1: "a"}),
        ("'int | None'", "4", 4),
        ("Annotated[int, 'rows']", "4", 4),
        ("pd.Timestamp", "2020-01-01", "2020-01-01"),
        ("", "12", 12),
        ("", "1.5", 1.5),
        ("", "007", "007"),
        ("", "nan", "nan"),
        ("", "1_000", "1_000"),
        ("", "٣", "٣"),
        ("", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_text_is_read_as_the_type_says(kind: str, text: str, value: Any) -> None:
    read = fitted(Text(text), kind_from_text(kind))

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("int", "1.5", "is a whole number (int), not '1.5'"),
        ("int", "٣", "is a whole number (int), not '٣'"),
        ("int", True, "is a whole number (int), not True"),
        ("int", "9" * 5000, "is a whole number (int), and 5000 digits are too many"),
        ("bool", "maybe", "is true or false (bool), not 'maybe'"),
        ("str", 5, "is text (str), not 5"),
        ("Literal['a', 'b']", "c", "is one of 'a', 'b', not 'c'"),
        ("list[int]", "1 2", "is a list[int], written as JSON such as [1, 2], not '1 2'"),
        ("list[int]", '["1"]', "is list[int], and '1' in it is no int"),
        ("tuple[int, int]", "[1]", "is tuple[int, int], which has 2 elements, not 1"),
        ("int | None", "x", "is int | None, not 'x'"),
        ("dict", "[1]", "is a dict, not [1]"),
    ],
)
def test_what_does_not_fit_is_told(kind: str, value: Any, sentence: str) -> None:
    with pytest.raises(UnfitError) as raised:
        fitted(value, kind_from_text(kind))

    assert str(raised.value) == sentence


def test_values_from_python_are_only_widened_and_their_text_is_not_guessed() -> None:
    kinds = {"float": 3, "tuple": [1], "": "12", "set[int]": [1, 1]}

    assert [fitted(value, kind_from_text(kind)) for kind, value in kinds.items()] == [3.0, (1,), "12", {1}]


@pytest.mark.parametrize(
    "value",
    [
        'quote " and \\ and \n',
        "é\u2028",
        -1,
        10**30,
        1.5,
        math.inf,
        [],
        (),
        (1,),
        {1: [None]},
        set(),
        {2, 1},
        frozenset({1}),
    ],
)
def test_values_are_written_so_that_python_reads_them_again(value: Any) -> None:
    assert eval(as_python(value)) == value


def test_all_mistakes_are_told_at_once_with_the_likely_name() -> None:
    notebook = notebook_with("rows: int = 1\ncity: str  # where\nok = 1")

    with pytest.raises(NotebookParameterError) as raised:
        given_values(
            notebook, {"row": "1", "rows": "x", "import": 1, "a.b": 2, "x\nimport os": 3, "__name__": 4}, "n.ipynb"
        )

    assert raised.value.problems == (
        "'row' is no parameter of it. Did you mean 'rows'? Its parameters: rows, city, ok.",
        "'import' cannot be the name of a parameter: it is a word of Python's own.",
        "'a.b' cannot be the name of a parameter: it is no name in Python.",
        "'x\\nimport os' cannot be the name of a parameter: it is no name in Python.",
        "'__name__' cannot be the name of a parameter: names with two underscores around them are Python's own.",
        "'city' is required, and not given; it is str (where).",
        "'rows' is a whole number (int), not 'x'.",
    )
    assert str(raised.value).startswith(
        "Notebook 'n.ipynb' cannot run with these parameters, for 7 reasons:\n  1. 'row'"
    )


def test_a_notebook_without_a_parameters_cell_takes_none() -> None:
    notebook = notebook_with("x = 1")
    notebook.cells[0].metadata["tags"] = []

    with pytest.raises(
        NotebookParameterError, match="it has no cell tagged 'parameters', so it takes none; given: 'x'"
    ):
        given_values(notebook, {"x": 1})

    assert given_values(notebook, {}) == {}


def test_a_secret_is_asked_for_where_the_notebook_would_show_it() -> None:
    notebook = notebook_with("key: Secret\nword = ''")

    values = given_values(notebook, {"key": "hush", "word": Secret("silence")})
    injected(notebook, values, "python3")

    assert repr(values) == "{'key': Secret('***'), 'word': Secret('***')}"
    assert notebook.cells[1].source.splitlines()[1:] == [
        "key = __import__(\"notebook_flows\").given_secret('key')",
        "word = __import__(\"notebook_flows\").given_secret('word').get()",
    ]


def test_a_broken_parameters_cell_is_told_only_where_it_matters() -> None:
    notebook = notebook_with("x = = 1")

    with pytest.raises(NotebookParameterError, match="is no valid Python: invalid syntax \\(line 1\\)"):
        given_values(notebook, {"x": 1})

    assert given_values(notebook, {}) == {}


def test_values_go_into_a_cell_of_their_own_which_a_second_run_replaces() -> None:
    notebook = notebook_with("x = 1\ny = 'a'", "print(x)")

    injected(notebook, {"x": 2}, "python3")
    injected(notebook, {"x": 3, "y": "é"}, "python3")

    assert [cell.source for cell in notebook.cells] == ["x = 1\ny = 'a'", "# Parameters\nx = 3\ny = 'é'", "print(x)"]
    assert notebook.cells[1].metadata["tags"] == ["injected-parameters"]


def test_another_language_is_written_by_papermills_translators() -> None:
    notebook = notebook_with("x <- 1")
    notebook.metadata["kernelspec"] = {"name": "ir", "language": "R"}

    injected(notebook, given_values(notebook, {"x": Text("2"), "y": Text("a")}), "ir")

    assert notebook.cells[1].source == '# Parameters\nx = 2\ny = "a"'
