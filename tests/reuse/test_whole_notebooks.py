"""A whole notebook as a task: it is cached and resumed by what the notebook says, and what it imports of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import write
from counted import count, counted

from notebook_flows import Flow, notebook_task, task
from notebook_flows.fingerprints import Fingerprints, Unhashable

if TYPE_CHECKING:
    from pathlib import Path

CELLS = {"setup": "from counting import count", "work": "count('notebook')\nx = 1  # as it is"}


@task
def gate(result: object) -> None:
    count("gate")
    raise ValueError


def test_a_notebook_that_has_run_is_not_run_again_unless_it_says_something_else(folder: Path) -> None:
    write(folder, CELLS)
    with Flow("resumed") as flow:
        gate(notebook_task("work.ipynb")())

    flow.run(keep_results=True)
    flow.run(resume="latest")
    assert counted() == {"notebook": 1, "gate": 2}

    write(folder, CELLS, work=CELLS["work"].replace("as it is", "with another comment"))
    flow.run(resume="latest")
    assert counted() == {"gate": 1}

    write(folder, CELLS, work=CELLS["work"].replace("x = 1", "x = 2"))
    flow.run(resume="latest")
    assert counted() == {"notebook": 1, "gate": 1}


def test_a_cached_notebook_is_found_in_the_same_process_too(folder: Path) -> None:
    write(folder, CELLS)
    with Flow("cached") as flow:
        end = notebook_task("work.ipynb", cache=True)()

    first, second = flow.run(), flow.run()

    assert counted() == {"notebook": 1}
    assert second.result[end].result.run_id == first.result[end].result.run_id


def _print_of(path: str, **more: object) -> str:
    return Fingerprints().of_code(notebook_task(path, **more))  # type: ignore[arg-type] # options of all kinds


def test_what_counts_for_a_notebook_as_a_task(folder: Path) -> None:
    write(folder, CELLS)
    before = _print_of("work.ipynb")

    assert _print_of("work.ipynb", name="another name", timeout=5) == before
    assert _print_of("work.ipynb", parameters={"n": 2}) != before
    assert _print_of("work.ipynb", output="out.ipynb") != before

    (folder / "counting.py").write_text((folder / "counting.py").read_text() + "OTHER = 1\n")
    assert _print_of("work.ipynb") != before


@pytest.mark.parametrize(("path", "reason"), [("none.ipynb", "does not exist"), ("s3://bucket/x.ipynb", "once it is")])
def test_a_notebook_that_cannot_be_read_has_no_key(path: str, reason: str, folder: Path) -> None:
    with pytest.raises(Unhashable, match=reason):
        _print_of(path)
