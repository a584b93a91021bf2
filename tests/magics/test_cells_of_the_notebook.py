"""What `%flow` tells of cells that were moved, edited or deleted, and of what the analysis sees in them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LATER_NS = 10_000_000_000


@pytest.fixture
def save(shell: Any, tmp_path: Path) -> Callable[..., None]:
    """Saves the notebook with these cells, after all that was executed."""
    path = tmp_path / "analysis.ipynb"
    shell.user_ns["__session__"] = str(path)

    def write(*sources: str) -> None:
        cells = [{"cell_type": "code", "source": one, "metadata": {}, "outputs": []} for one in sources]
        path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
        seen = path.stat().st_mtime_ns + LATER_NS
        os.utime(path, ns=(seen, seen))

    return write


USE, MAKE, OTHER = "%%task use\ny = x", "%%task make\nx = 1", "%%task other\nx = 2"


def test_without_a_file_the_order_is_that_of_execution_and_said_to_be(say: Callable[[str], str]) -> None:
    for source in (MAKE, OTHER, USE):
        say(source)
    say(MAKE)  # moved below the other one by the user, and executed again: nothing tells that

    seen = say("%flow explain use")

    assert seen.startswith("Order of the cells: the first execution.\n")
    assert "reads     x (from other)" in seen
    assert "Order of the cells: the first execution. Mode: eager." in say("%flow status")


def test_the_saved_file_tells_that_cells_were_moved(say: Callable[[str], str], save: Callable[..., None]) -> None:
    for source in (MAKE, OTHER, USE):
        say(source)
    save(OTHER, MAKE, USE)

    seen = say("%flow explain use")

    assert seen.startswith("Order of the cells: the saved file.\n")
    assert "reads     x (from make)" in seen
    assert "Order of the cells" not in say("%flow status")


def test_an_edited_cell_is_told_and_its_executed_text_runs(
    say: Callable[[str], str], save: Callable[..., None], shell: Any
) -> None:
    say(MAKE)
    say(USE)
    save(MAKE.replace("1", "100"), USE)

    status, run = say("%flow status"), say("%flow run --all")

    assert "'make' was edited and not executed since." in status
    assert "Edited and not executed since: 'make'. What was executed last is what runs" in run
    assert shell.user_ns["x"] == 1


def test_a_deleted_cell_is_gone_and_what_needs_it_takes_the_one_above(
    say: Callable[[str], str], save: Callable[..., None], shell: Any
) -> None:
    for source in (MAKE, OTHER, USE):
        say(source)
    save(MAKE, USE)

    status, explained = say("%flow status"), say("%flow explain use")
    say("%flow run --all")

    assert "other" not in status
    assert "reads     x (from make)" in explained
    assert shell.user_ns["y"] == 1


def test_a_deleted_task_cannot_be_asked_for(say: Callable[[str], str], save: Callable[..., None]) -> None:
    say(MAKE)
    say(OTHER)
    save(MAKE)

    assert "There is no task cell 'other'." in say("%flow run other")


@pytest.mark.parametrize("line", ["%%task --help", "%%task -h\nx = 1", "%%task"])
def test_the_line_of_a_task_answers_a_question_for_help(say: Callable[[str], str], line: str, shell: Any) -> None:
    seen = say(line)

    assert "--retry-delay S" in seen
    assert "--timeout S" in seen
    assert "x" not in shell.user_ns
    assert "No cell is a task yet" in say("%flow status")


EXPLAINED = {
    "what it takes, and from where": ("y = x", "reads     x (from 1 x = [[0]])"),
    "what its functions read": ("def f(): return x", "late      x"),
    "what it may bind": ("if x: y = 1", "binds     y (perhaps)"),
    "what it changes": ("x.append(1)", "mutates   x"),
    "what it deletes": ("del x", "deletes   x"),
    "why it runs alone": ("%config Application.log_level", "alone     "),
    "what nobody can see": ("exec(x)", "unseen    "),
    "a name that nobody binds": ("y = nobody", "unknown   "),
    "a name of its own": ("y = 1\ndel y", "reads nothing, binds nothing"),
}


@pytest.mark.parametrize(("body", "line"), EXPLAINED.values(), ids=EXPLAINED.keys())
def test_explain_tells(say: Callable[[str], str], body: str, line: str) -> None:
    say("x = [[0]]")
    say(f"%%task t\n{body}")

    seen = say("%flow explain t")

    assert f"  {line}" in seen


def test_explain_tells_which_parts_a_process_gives_back_as_copies(say: Callable[[str], str], shell: Any) -> None:
    say("x = [[0]]\nimport copy")
    say("%flow mode lazy")
    say("%%task t --executor processes\npart = x[0]\nsame = x")
    say("%flow run t")
    say("part.append(1)")

    seen = say("%flow explain t")

    names = shell.user_ns
    assert "shares    part may be a part of x, and is changed below: out of a process a part comes as a copy" in seen
    assert (names["part"], names["x"], names["same"] is names["x"]) == ([0, 1], [[0]], True)
