"""A notebook whose cells count how often they run, for tests of what is taken from earlier runs."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nbformat
from counted import counted

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opened import OpenNotebook

    from notebook_flows.running import NotebookRun

OWN_MODULE = """
import os
def count(name):
    with open(os.environ["COUNTED"], "a") as file:
        file.write(name + "\\n")
def is_broken(): return os.path.exists(os.environ["COUNTED"] + ".broken")
"""
"""Counts where no fingerprint looks: what it does inside is seen by no analysis."""

CELLS = {
    "ext": "%load_ext notebook_flows",
    "setup": "from counting import count, is_broken\ndef doubled(rows): return [2 * r for r in rows]",
    "params": "n: int = 3",
    "load": "%%task load --cache\ncount('load')\nrows = list(range(n))\nprint('loaded', n)\nrows",
    "double": "%%task double --cache\ncount('double')\ntwice = doubled(rows)",
    "plain": "count('plain')\nlargest = max(twice)",
    "report": "%%task report\ncount('report')\nassert not is_broken(), 'it is broken'\nlargest",
    "end": "count('end')\nprint('largest', largest)",
}

UNCACHED = {key: source.replace(" --cache", "") for key, source in CELLS.items()}

WRITES = {
    "ext": "%load_ext notebook_flows",
    "setup": UNCACHED["setup"] + "\nfrom pathlib import Path",
    "write": "%%task write\ncount('write')\nPath('out.txt').write_text('x')\nrows = [1]",
    "other": "%%task other\ncount('other')\nmore = rows * 2",
    "report": "%%task report\ncount('report')\nassert not is_broken(), 'it is broken'",
}


def write(folder: Path, cells: dict[str, str] | None = None, **edits: str) -> Path:
    """Writes the notebook, with some cells edited."""
    made = []
    for key, source in {**(cells or CELLS), **edits}.items():
        tags = {"tags": ["parameters"]} if key == "params" else {}
        made.append(nbformat.v4.new_code_cell(source, id=key, metadata=tags))
    notebook = nbformat.v4.new_notebook(cells=made)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "work.ipynb"
    nbformat.write(notebook, path)
    return path


def states(run: NotebookRun) -> dict[str, str]:
    """Name -> state, of all cells, and the message of those that were taken."""
    return {
        one.name.lstrip("0123456789 ").split()[0]: one.state.name
        + (f" {one.message[:8]}" if one.state is S.CACHED else "")
        for one in run.cells
    }


def outputs(path: Any, cell: str) -> list[Any]:
    """What stands below a cell, in plain text."""
    notebook = json.loads(path.read_text())
    found = next(one for one in notebook["cells"] if one.get("id") == cell)
    return ["".join(one.get("text") or one["data"]["text/plain"]) for one in found["outputs"]]


def run_all(notebook: OpenNotebook, cells: dict[str, str]) -> None:
    for key, source in cells.items():
        notebook.run(key, source)


@contextmanager
def broken_meanwhile(folder: Path) -> Iterator[None]:
    """Meanwhile the task 'report' fails; what ran till the end of it is not counted."""
    broken = folder / "counted.broken"
    broken.touch()
    yield
    broken.unlink()
    counted()


def failed_by_hand(
    folder: Path, start: Callable[[], OpenNotebook], cells: dict[str, str], line: str = "%flow run --all"
) -> OpenNotebook:
    """Writes the notebook and runs it by hand, and as a flow, in which 'report' fails; it would not fail again."""
    write(folder, cells)
    notebook = start()
    run_all(notebook, cells)
    with broken_meanwhile(folder):
        notebook.run("run", line)
    return notebook


def ran_by_hand(folder: Path, start: Callable[[], OpenNotebook], cells: dict[str, str]) -> OpenNotebook:
    """Writes the notebook and runs it by hand, then as a flow; what ran is not counted."""
    write(folder, cells)
    notebook = start()
    run_all(notebook, cells)
    notebook.run("run", "%flow run --all")
    counted()
    return notebook


def with_flows(start: Callable[[], OpenNotebook]) -> OpenNotebook:
    """A new kernel in which nothing but the extension was loaded."""
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")
    return notebook
