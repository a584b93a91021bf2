"""The example notebooks, each run once, in a copy of their folder."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from notebook_flows.running import NotebookRun, run_notebook

EXAMPLES = Path(__file__).parents[2] / "example_notebooks"


class Executed:
    """An executed notebook: its cells by their ids, and what they show."""

    def __init__(self, path: Path) -> None:
        self.cells = {cell.id: cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"}

    @property
    def outputs(self) -> list[Any]:
        return [output for cell in self.cells.values() for output in cell.outputs]

    def has(self, media_type: str) -> bool:
        return any(media_type in output.get("data", {}) for output in self.outputs)

    def text(self, cell_id: str) -> str:
        """What a cell prints and displays, as text."""
        parts = (
            output.text if output.output_type == "stream" else output.data.get("text/plain", "")
            for output in self.cells[cell_id].outputs
        )
        return "\n".join(parts)


class Folder:
    """A copy of the examples, for they leave files beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[str, NotebookRun] = {}
        self._commands: dict[str, subprocess.CompletedProcess[str]] = {}

    def run(self, name: str) -> tuple[NotebookRun, Executed]:
        """Run an example by our own engine, the first time that somebody asks; with its own parameters.

        The commands leave others, with parameters of theirs, under the names that they give.
        """
        if name not in self._done:
            self._done[name] = run_notebook(self.path / f"{name}.ipynb", output=self.path / f"{name}-ran.ipynb")
        done = self._done[name]
        assert done.output_path is not None
        return done, Executed(done.output_path)

    def command(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command that stands in the text of an example, the first time that somebody asks."""
        if line not in self._commands:
            self._commands[line] = subprocess.run(
                [sys.executable, "-m", "notebook_flows", *shlex.split(line)[1:]],
                cwd=self.path,
                capture_output=True,
                text=True,
                check=False,
            )
        return self._commands[line]
