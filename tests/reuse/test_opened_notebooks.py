"""A notebook that was opened a moment ago: its saved task cells are there, though nobody has executed them yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cached_cells import with_flows, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import OpenNotebook

CELLS = {
    "ext": "%load_ext notebook_flows",
    "setup": "n = 3",
    "alone": "print('needed by no task')\nalone = 1",
    "load": "%%task load\nrows = list(range(n))",
    "total": "%%task total\ntotal = sum(rows)\ntotal",
}
SLIP = "%%task by shop\nshops = rows"


def test_a_run_runs_saved_cells_that_nobody_has_executed_and_says_so_once(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, CELLS)
    notebook = with_flows(start)
    status = notebook.run("status", "%flow status").said

    ran = notebook.run("run", "%flow run")
    again = notebook.run("again", "%flow run")

    assert [line.split(None, 2)[1:] for line in status.splitlines()[:2]] == [
        ["load", "stale: not executed in this kernel yet"],
        ["total", "stale: not executed in this kernel yet"],
    ]
    assert ran.said.startswith("Not executed in this kernel yet: ")
    assert "n = 3', 'load', 'total'; they run as they are in the saved notebook.\n" in ran.said
    assert ("execute_result", "3") in notebook.shown("run")
    assert notebook.value("rows, total") == "([0, 1, 2], 3)"
    assert notebook.value("alone") == "NameError"
    assert again.said == "All 2 tasks are up to date; `--all` runs them again.\n"


def test_one_cell_that_was_executed_does_not_hide_the_others(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    write(folder, CELLS)
    notebook = with_flows(start)
    notebook.run("setup", CELLS["setup"])
    notebook.run("load", CELLS["load"])

    ran = notebook.run("run", "%flow run")

    assert "Not executed in this kernel yet: 'total'; it runs as it is in the saved notebook." in ran.said
    assert "✓ 1 cell in" in ran.said


def test_the_line_of_a_task_that_cannot_be_understood_is_told_by_the_status_and_forgotten_once_it_is_mended(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, CELLS, shop=SLIP)
    notebook = with_flows(start)
    before = notebook.run("status", "%flow status").said
    notebook.run("shop", SLIP)
    executed = notebook.run("status", "%flow status").said

    write(folder, CELLS, shop=SLIP.replace("by shop", "'by shop'"))
    mended = notebook.run("status", "%flow status").said

    assert "is no task yet: %%task by shop: a task has one name, and here are 2." in before
    assert "is no task yet: %%task by shop: a task has one name, and here are 2." in executed
    assert "by shop  stale: not executed in this kernel yet" in mended


def test_where_a_cell_was_edited_and_not_executed_the_others_are_up_to_date_as_executed(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, CELLS)
    notebook = with_flows(start)
    notebook.run("run", "%flow run")
    notebook.run("total", CELLS["total"])
    write(folder, CELLS, total="%%task total\ntotal = max(rows)")

    ran = notebook.run("run", "%flow run")

    assert "Edited and not executed since: 'total'." in ran.said
    assert "All 2 tasks are up to date as executed last; `--all` runs them again." in ran.said


def test_in_the_lazy_mode_nothing_runs_for_a_line_that_cannot_be_understood_or_that_was_only_saved(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, CELLS)
    notebook = with_flows(start)
    notebook.run("mode", "%flow mode lazy")
    notebook.run("setup", CELLS["setup"])
    notebook.run("load", CELLS["load"])

    refused = notebook.run("slip", SLIP)
    unregistered = notebook.run("use", "total")

    assert refused.said == (
        'TaskCellError: %%task by shop: a task has one name, and here are 2. Write a name with blanks as "by shop".'
    )
    assert unregistered.ename == "NameError"
    assert notebook.value("rows") == "NameError"


def test_where_no_id_tells_which_saved_cell_was_edited_none_runs_unseen(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, CELLS)
    notebook = start()
    notebook.run("vscode-0", CELLS["ext"])
    notebook.run("vscode-1", CELLS["setup"])
    notebook.run("vscode-2", "%%task\nrows = [7]")  # was `load`

    ran = notebook.run("vscode-3", "%flow run")

    assert ran.said == "The only task is up to date; `--all` runs it again.\n"


def test_a_setup_cell_that_also_loads_the_extension_does_only_the_rest_in_a_run(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    cells = {**CELLS, "setup": "%load_ext notebook_flows\nimport os\nn = 3\n%reload_ext notebook_flows"}
    write(folder, cells)
    notebook = with_flows(start)

    ran = notebook.run("run", "%flow run load")

    assert "✓ 2 cells in" in ran.said
    assert "already loaded" not in ran.said
    assert notebook.value("rows") == "[0, 1, 2]"
