"""`%flow logs` without a run: it is about this notebook, whatever else has run since, and says which run it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from cached_cells import UNCACHED, run_all, write

from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import OpenNotebook

TOLD = r"Run ([0-9a-f]{8}) of 'work', of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (\w+)\.\n"


@pytest.fixture
def notebook(folder: Path, start: Callable[[], OpenNotebook]) -> OpenNotebook:
    """A notebook in a new kernel, of which an earlier kernel has run all, then one task; then another one has run."""
    write(folder, UNCACHED)
    notebook = start()
    run_all(notebook, UNCACHED)
    notebook.run("run", "%flow run --all")
    notebook.run("run", "%flow run --only report")
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%%task load\nprint('of the other')")])
    nbformat.write(other, folder / "other.ipynb")
    run_notebook(folder / "other.ipynb")
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")
    return notebook


def test_in_a_new_kernel_it_is_the_last_run_of_this_notebook_in_which_the_task_ran(notebook: OpenNotebook) -> None:
    of_task, of_all = notebook.run("task", "%flow logs load").said, notebook.run("all", "%flow logs").said

    found, last = re.match(TOLD, of_task), re.match(TOLD, of_all)
    assert found is not None
    assert last is not None
    assert found[1] != last[1]
    assert "loaded 3" in of_task
    assert "of the other" not in of_task + of_all


def test_what_is_no_task_and_no_run_is_told_the_likely_task(notebook: OpenNotebook) -> None:
    assert notebook.run("a", "%flow logs laod").said == "There is no task and no run 'laod'. Did you mean 'load'?"
    assert notebook.run("b", "%flow logs abcdef").said.startswith("There is no run 'abcdef'.")


def test_lines_of_json_stay_json(notebook: OpenNotebook) -> None:
    said = notebook.run("json", "%flow logs load --json").said

    assert all(line.startswith("{") for line in said.splitlines())
    assert '"message": "loaded 3"' in said


def test_without_a_run_it_says_so(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    write(folder, UNCACHED)
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    said = notebook.run("logs", "%flow logs load").said

    assert said.startswith("No run of task 'load' of notebook 'work' is in the history. `%flow runs` lists all")


def test_the_logs_of_a_task_that_was_executed_by_hand_since_end_with_that(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, UNCACHED)
    notebook = start()
    run_all(notebook, UNCACHED)
    notebook.run("load", "%%task load\nrows = [len(1)]")
    notebook.run("run", "%flow run load")
    notebook.run("load", "%%task load\nrows = [1]")

    said = notebook.run("logs", "%flow logs load").said

    assert "TypeError" in said
    assert said.endswith(
        "'load' was executed by hand since then, and went well: what that put out stands below its cell.\n"
    )
