"""Notebooks of every age are read; what is no notebook is told in one sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import given, strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebook_flows.notebook.encoding import encoded_cell, encoded_notebook
from notebook_flows.notebook.errors import NotebookError, NotebookNotFound
from notebook_flows.notebook.parameters import inspect
from notebook_flows.notebook.reading import notebook_from_text, read_notebook

if TYPE_CHECKING:
    from pathlib import Path

OLD_CELL = {"cell_type": "code", "input": ["x = 1\n", "x"], "language": "python", "outputs": [], "prompt_number": 3}
VERSION_3 = {
    "metadata": {"name": "old"},
    "nbformat": 3,
    "nbformat_minor": 0,
    "worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": ["A title"]}, OLD_CELL], "metadata": {}}],
}
VERSION_2 = {
    "metadata": {"name": "older"},
    "nbformat": 2,
    "worksheets": [{"cells": [{**OLD_CELL, "input": ["x = 1", "x"]}]}],
}


@pytest.mark.parametrize("known", [VERSION_3, VERSION_2])
def test_old_formats_are_upgraded(known: dict[str, Any]) -> None:
    notebook = notebook_from_text(json.dumps(known))

    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == ["x = 1\nx"]
    nbformat.validate(notebook)


def test_ids_that_we_give_are_the_same_each_time() -> None:
    first, second = (notebook_from_text(json.dumps(VERSION_3)) for _ in range(2))

    assert [cell.id for cell in first.cells] == [cell.id for cell in second.cells]


def test_a_notebook_with_double_ids_and_without_tags_is_mended() -> None:
    cells = [
        {"cell_type": "code", "id": "a", "metadata": {}, "source": "1"},
        {"cell_type": "raw", "id": "a", "source": ["t"]},
    ]

    notebook = notebook_from_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))

    nbformat.validate(notebook)
    assert [cell.metadata["tags"] for cell in notebook.cells] == [[], []]


@pytest.mark.parametrize("nothing", [None, "python3", []])
def test_a_kernelspec_or_a_language_that_says_nothing_is_left_out(nothing: object) -> None:
    metadata = {"kernelspec": nothing, "language_info": nothing, "title": "kept"}

    notebook = notebook_from_text(json.dumps({"cells": [], "nbformat": 4, "metadata": metadata}))

    assert notebook.metadata == {"title": "kept"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty."),
        ("{", "is not valid JSON: Expecting property name enclosed in double quotes in line 1."),
        ("[1]", "is JSON, but not a notebook: it has no 'nbformat'."),
        ('{"nbformat": 5, "cells": []}', "is in nbformat 5; 4 is the newest that we can read."),
        ('{"nbformat": 4}', "is damaged: it has no list of cells."),
        ('{"nbformat": 4, "cells": [{}]}', "is damaged: cell 1 has no cell_type of code, markdown, raw."),
        ('{"nbformat": 3}', "is damaged: it has no 'worksheets'."),
        ('{"nbformat": "4", "cells": []}', "is damaged: its 'nbformat' is '4', and has to be a number."),
        (
            '{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["x", null]}]}',
            "is damaged: the source of cell 1 is no text.",
        ),
        (
            r'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "%%task \u0000"}]}',
            "is damaged: the source of cell 1 has a null character, which no kernel takes.",
        ),
        (
            '{"nbformat": 4, "nbformat_minor": "x", "cells": []}',
            "is damaged: its 'nbformat_minor' is 'x', and has to be a number.",
        ),
        ('{"nbformat": 0, "cells": []}', "says that it is in nbformat 0, which does not exist."),
        (
            r'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\ud800"}]}',
            "is damaged: the source of cell 1 has half of a character",
        ),
        ("[" * 100_000, "is not a notebook: its JSON is nested too deeply."),
    ],
)
def test_what_is_no_notebook_is_told(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_text(text)

    with pytest.raises(NotebookError) as raised:
        read_notebook(path)

    assert str(raised.value).startswith(f"Notebook '{path}' {reason}")


def test_a_missing_file_is_told_with_the_likely_one(tmp_path: Path) -> None:
    (tmp_path / "sales.ipynb").touch()

    with pytest.raises(NotebookNotFound, match=r"sale.ipynb' does not exist. Did you mean 'sales.ipynb'\?"):
        read_notebook(tmp_path / "sale.ipynb")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff\xfe\x00")])
def test_folders_and_binary_files_are_told(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "x.ipynb")

    with pytest.raises(NotebookError):
        read_notebook(tmp_path / "x.ipynb")


def test_the_parameters_of_a_file_are_told_without_running_it(write: Any) -> None:
    path = write(("n: int = 3  # rows", ["parameters"]), "raise SystemExit")

    assert [(one.name, one.type, one.default, one.help) for one in inspect(path)] == [("n", "int", 3, "rows")]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OUTPUTS = st.one_of(
    st.builds(lambda text: new_output("stream", text=text), TEXTS),
    st.builds(
        lambda text: new_output("display_data", {"text/plain": text, "image/svg+xml": text, "image/png": text}), TEXTS
    ),
    st.builds(lambda known: new_output("display_data", {"application/json": known}), JSON),
    st.builds(lambda text: new_output("error", ename="E", evalue=text, traceback=text.split()), TEXTS),
)
CELLS = st.one_of(
    st.builds(lambda text, outputs: new_code_cell(text, outputs=outputs), TEXTS, st.lists(OUTPUTS, max_size=3)),
    st.builds(lambda text, known: new_markdown_cell(text, metadata={"x": known}), TEXTS, JSON),
)


@given(st.lists(CELLS, max_size=4), JSON)
def test_files_are_written_exactly_as_nbformat_writes_them(cells: list[Any], known: Any) -> None:
    notebook = new_notebook(cells=cells, metadata={"known": known})

    written = b"".join(encoded_notebook(notebook, map(encoded_cell, notebook.cells))).decode()

    assert written == nbformat.versions[4].writes_json(notebook) + "\n"
