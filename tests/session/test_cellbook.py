"""Which cells there are, in which order, and that none is a ghost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notebook_flows.session.cellbook import CellBook
from notebook_flows.session.saved import Document, DocumentCell, document_of

if TYPE_CHECKING:
    from notebook_flows.session.record import CellRecord


class Notebook:
    """A book, the file beside it, and a clock."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.renamed: list[tuple[str, str]] = []
        self.book = CellBook(lambda: self.document, on_rename=lambda old, new: self.renamed.append((old, new)))
        self.now_us = 0
        self.count = 0

    def run(
        self, source: str, cell_id: str | None = None, *, ok: bool = True, tags: tuple[str, ...] = ()
    ) -> CellRecord:
        self.now_us += 1
        self.count += 1
        record = self.book.register(source, cell_id=cell_id, tags=tags, execution_count=self.count, at_us=self.now_us)
        self.book.ended(record.key, has_succeeded=ok)
        return record

    def save(self, *cells: tuple[str | None, str] | tuple[str | None, str, tuple[str, ...]]) -> None:
        self.now_us += 1
        made = [DocumentCell(source=cell[1], cell_id=cell[0], tags=cell[2] if len(cell) == 3 else ()) for cell in cells]
        self.document = Document(cells=tuple(made), written_us=self.now_us)

    @property
    def sources(self) -> list[str]:
        return [record.source for record in self.book.records()]

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.book.records()]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


# -- the same cell -----------------------------------------------------------------------------------------------------


def test_a_cell_that_runs_again_with_another_text_is_the_same_cell(notebook: Notebook) -> None:
    notebook.run("%%task load\nx = 1", "a")

    again = notebook.run("%%task fetch\nx = 2", "a")

    assert (again.key, again.times, again.name) == ("a", 2, "fetch")
    assert notebook.sources == ["%%task fetch\nx = 2"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("x = 1", "x = 1"),
        ("x = 1\n", "x = 1"),
        ("%%task load\nx = 1", "%%task load\nx = 2"),
        ("%%task load\nx = 1", "%%task fetch\nx = 1"),
        ("%%task load\nx = 1", "# %%task load --retries 2\nx = 7"),
    ],
)
def test_without_ids_the_text_or_the_task_tells_the_same_cell(notebook: Notebook, first: str, then: str) -> None:
    notebook.run("y = 0")
    key = notebook.run(first).key

    again = notebook.run(then)

    assert again.key == key
    assert notebook.sources == ["y = 0", then]


def test_without_ids_another_text_is_another_cell(notebook: Notebook) -> None:
    notebook.run("x = 1")

    notebook.run("x = 2")

    assert notebook.sources == ["x = 1", "x = 2"]


def test_two_cells_with_the_same_text_are_two_cells_as_the_file_shows(notebook: Notebook) -> None:
    notebook.save((None, "x = []"), (None, "x.append(1)"), (None, "y = 1"), (None, "x.append(1)"))

    for source in ("x = []", "x.append(1)", "y = 1", "x.append(1)"):
        notebook.run(source)

    assert notebook.sources == ["x = []", "x.append(1)", "y = 1", "x.append(1)"]
    assert len(set(notebook.keys)) == 4
    assert [record.times for record in notebook.book.records()] == [1, 1, 1, 1]


def test_a_cell_of_before_the_session_gets_its_id_when_it_runs_again(notebook: Notebook) -> None:
    notebook.book.register("x = 1", execution_count=1)

    notebook.run("x = 1", "a")

    assert notebook.keys == ["a"]
    assert notebook.renamed == [("cell-1", "a")]


# -- order -------------------------------------------------------------------------------------------------------------


def test_nobody_tells_the_order_so_the_first_execution_does(notebook: Notebook) -> None:
    notebook.run("b = a", "2")
    notebook.run("a = 1", "1")

    notebook.run("b = a", "2")

    assert notebook.keys == ["2", "1"]
    assert notebook.book.order_source == "the first execution"


def test_the_saved_file_tells_the_order(notebook: Notebook) -> None:
    notebook.run("b = a", "2")
    notebook.run("a = 1", "1")

    notebook.save(("1", "a = 1"), ("2", "b = a"))

    assert notebook.keys == ["1", "2"]
    assert [record.place for record in notebook.book.records()] == [0, 1]
    assert notebook.book.order_source == "the saved file"


def test_the_saved_file_tells_the_order_by_texts_where_there_are_no_ids(notebook: Notebook) -> None:
    notebook.run("b = a")
    notebook.run("a = 1")

    notebook.save(("1", "a = 1"), ("2", "b = a"))

    assert notebook.sources == ["a = 1", "b = a"]


def test_a_cell_that_is_not_saved_yet_stands_behind_the_one_executed_before_it(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.save(("1", "a = 1"), ("2", "b = a"))

    notebook.run("new = 1", "n")
    notebook.run("newer = 1", "m")

    assert notebook.keys == ["1", "n", "m", "2"]


def test_the_file_of_another_notebook_tells_nothing(notebook: Notebook) -> None:
    notebook.run("b = a", "2")
    notebook.run("a = 1", "1")

    notebook.save(("7", "print('other')"))

    assert notebook.keys == ["2", "1"]
    assert notebook.book.order_source == "the first execution"


# -- no ghosts ---------------------------------------------------------------------------------------------------------


def test_a_cell_that_is_missing_in_a_newer_file_is_gone(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.run("b = 1", "2")

    notebook.save(("1", "a = 1"))

    assert notebook.keys == ["1"]
    assert notebook.book.executed("2") is None


def test_a_cell_that_is_missing_in_an_older_file_is_only_not_saved(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.save(("1", "a = 1"))

    notebook.run("b = 1", "2")

    assert notebook.keys == ["1", "2"]


def test_a_cell_that_the_front_end_has_deleted_is_gone(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.run("b = 1", "2")

    notebook.book.removed(["1"])

    assert notebook.keys == ["2"]


def test_without_ids_an_edited_cell_is_not_two_cells(notebook: Notebook) -> None:
    notebook.run("a = 1")
    notebook.run("total = sum(a for a in range(10))")

    notebook.save((None, "a = 1"), (None, "total = sum(a for a in range(20))"))

    assert notebook.sources == ["a = 1", "total = sum(a for a in range(10))"]
    assert [one.saved_source for one in notebook.book.edited_not_executed()] == ["total = sum(a for a in range(20))"]


def test_without_ids_a_deleted_cell_is_gone(notebook: Notebook) -> None:
    notebook.run("a = 1")
    notebook.run("import os; print(os.getcwd())")

    notebook.save((None, "a = 1"), (None, "for row in table:\n    table.pop(row)"))

    assert notebook.sources == ["a = 1", "for row in table:\n    table.pop(row)"]
    assert [record.times for record in notebook.book.records()] == [1, 0]


def test_what_failed_in_a_terminal_is_no_cell_unless_it_is_a_task(notebook: Notebook) -> None:
    notebook.run("imprt os", ok=False)
    notebook.run("%%task load\nx = 1 / 0", ok=False)

    notebook.run("import os")

    assert notebook.sources == ["%%task load\nx = 1 / 0", "import os"]


def test_a_console_on_the_same_kernel_adds_no_cells(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")

    notebook.run("print(a)")

    assert notebook.keys == ["1"]


# -- edited, not executed ----------------------------------------------------------------------------------------------


def test_an_edit_that_was_saved_and_not_executed_is_told(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.run("b = 1", "2")

    notebook.save(("1", "a = 2"), ("2", "b = 1"), ("3", "c = 1"))

    assert [(one.source, one.saved_source) for one in notebook.book.edited_not_executed()] == [("a = 1", "a = 2")]
    assert [one.key for one in notebook.book.records() if not one.times] == ["3"]


def test_a_file_that_is_older_than_an_execution_tells_of_no_edit(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.save(("1", "a = 1"))

    notebook.run("a = 2", "1")

    assert notebook.book.edited_not_executed() == ()


# -- what a cell is ----------------------------------------------------------------------------------------------------


def test_tags_come_from_the_file_where_the_front_end_tells_none(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")

    notebook.save(("1", "a = 1", ("task:load",)))

    assert [record.name for record in notebook.book.tasks()] == ["load"]


def test_the_parameters_cell_is_the_tagged_one(notebook: Notebook) -> None:
    notebook.run("# parameters\nold = 1", "1")
    notebook.run("n = 1", "2", tags=("parameters",))

    found = notebook.book.parameters_cell

    assert found is not None
    assert found.key == "2"


def test_a_first_comment_makes_a_parameters_cell_too(notebook: Notebook) -> None:
    notebook.run("a = 1  # parameters", "1")
    notebook.run("# Parameters\nn = 1", "2")

    found = notebook.book.parameters_cell

    assert found is not None
    assert found.key == "2"


def test_cells_are_told_to_the_analysis_with_their_options(notebook: Notebook) -> None:
    notebook.run("a = 1", "1")
    notebook.run("%%task use --needs other --reads a --writes b --pure\nb = a", "2")

    first, second = notebook.book.cells()

    assert (first.key, first.is_task, first.name) == ("1", False, "1 a = 1")
    assert (second.name, second.needs, second.reads, second.writes, second.pure) == (
        "use",
        {"other"},
        {"a"},
        {"b"},
        True,
    )
    assert second.facts.binds == {"b"}


def test_a_task_line_that_cannot_be_understood_makes_no_task(notebook: Notebook) -> None:
    record = notebook.run("%%task --retrys 3\nx = 1", "1", ok=False)

    assert not record.is_task
    assert "Did you mean '--retries'?" in str(record.mistake)


def test_a_notebook_in_the_old_format_has_no_ids() -> None:
    old = {
        "cells": [
            {"cell_type": "markdown", "source": "# Title"},
            {"cell_type": "code", "source": ["a = 1\n", "b = 2"], "metadata": {"tags": ["task", 7]}},
            {"cell_type": "code", "source": "  "},
        ]
    }

    document = document_of(old, 5)

    assert document is not None
    assert document.cells == (DocumentCell(source="a = 1\nb = 2", tags=("task",)),)


@pytest.mark.parametrize("content", [None, [], {}, {"worksheets": []}, {"cells": "none"}])
def test_what_is_no_notebook_tells_nothing(content: object) -> None:
    document = document_of(content, 5)

    assert document is None
