"""What is odd in a notebook is told once, with its place, and keeps nothing from running."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from notebook_flows.cli.app import app
from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.oddities import oddities_in
from notebook_flows.notebook.reading import notebook_from_text
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def cell(number: int = 1, **more: Any) -> dict[str, Any]:
    known = {"cell_type": "code", "id": f"id-{number}", "source": f"x = {number}", "metadata": {}, "outputs": []}
    return {**known, "execution_count": None, **more}


def tagged(tags: Any, number: int = 1) -> dict[str, Any]:
    return cell(number, metadata={"tags": tags})


def notebook(*cells: Any, metadata: Any = KERNEL) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


@pytest.mark.parametrize(
    ("known", "sentences"),
    [
        (notebook(cell(1), tagged(["parameters"], 2)), []),
        (
            notebook(cell(), metadata=None),
            ["Its metadata are null, not an object: none counts, so it names no kernel."],
        ),
        (notebook(cell(), metadata={}), ["Its metadata name no kernel."]),
        (notebook(cell(), metadata={"kernelspec": {}}), ["Its metadata name no kernel."]),
        (
            notebook(cell(), metadata={"kernelspec": ["python3"]}),
            ['Its kernelspec is a list (["python3"]), not an object: it does not count.'],
        ),
        (
            notebook(tagged("parameters")),
            ["The tags of cell 1 are a text ('parameters'), not a list: they do not count. Write [\"parameters\"]."],
        ),
        (
            notebook(tagged(["a", 3])),
            ["Among the tags of cell 1 is a number (3), which is no text: it does not count."],
        ),
        (
            notebook(tagged(["parameters"], 1), cell(2), tagged(["parameters"], 3)),
            ["Cells 1 and 3 are tagged 'parameters': only the first of them counts."],
        ),
        (
            notebook(cell(1, id="a"), cell(2, id="a")),
            ["Cells 1 and 2 have the same id 'a': all but the first get another one."],
        ),
        (notebook(*(cell(n, id=n) for n in range(8))), ["Cells 1, 2, 3, 4, 5 and 3 more have no id that is a text."]),
        (notebook(cell(metadata=[])), ["The metadata of cell 1 is no object: none counts, nor do tags."]),
    ],
)
def test_each_oddity_is_a_sentence(known: dict[str, Any], sentences: list[str]) -> None:
    found: list[str] = []

    notebook_from_text(json.dumps(known), oddities=found)

    assert found == oddities_in(known) == sentences


def test_what_can_be_run_runs_and_the_notes_say_what_is_odd(tmp_path: Path) -> None:
    odd = notebook(tagged("task", 1), cell(2, id="id-1", metadata=None), tagged([None, "x"], 3), metadata=None)
    (tmp_path / "odd.ipynb").write_text(json.dumps(odd))

    done = run_notebook(tmp_path / "odd.ipynb", output=tmp_path / "out.ipynb", history=False)

    assert done.state is S.SUCCESS
    assert len(done.notes) == 5
    assert done.notes[0].startswith("Its metadata are null")


def test_validate_tells_them_below_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "odd.ipynb").write_text(json.dumps(notebook(tagged("parameters"))))

    told = CliRunner().invoke(app, ["validate", str(tmp_path / "odd.ipynb")])

    assert told.exit_code == 0
    assert [line.split(":")[0].split(" is ")[-1] for line in told.output.splitlines()] == ["valid", "Note"]
