"""The README is true: its cells and its flow run, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from example_folder import Executed
from nbformat.v4 import new_code_cell, new_notebook

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from example_folder import Folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
BETWEEN_CELLS = re.compile(r"^# -+\n", re.MULTILINE)


def test_its_cells_run_headlessly_as_they_stand(folder: Folder) -> None:
    (cells,) = (text for text in PYTHON if "%%task" in text)
    notebook = new_notebook(cells=[new_code_cell(text.rstrip()) for text in BETWEEN_CELLS.split(cells)])
    nbformat.write(notebook, folder.path / "readme.ipynb")

    done = run_notebook(folder.path / "readme.ipynb", output=folder.path / "readme-output.ipynb")

    assert {cell.state for cell in done.cells} == {S.SUCCESS}
    assert [cell.name for cell in done.cells][2:6] == ["load", "clean north", "clean coast", "compare"]
    executed = Executed(folder.path / "readme-output.ipynb")
    assert [output.text for output in executed.outputs if output.get("name") == "stdout"] == [
        "The coast is 9.0 °C warmer\n",
        "All 4 tasks are up to date; `--all` runs them again.\n",
    ]


def test_its_flow_runs_as_a_script(folder: Folder) -> None:
    (script,) = (text for text in PYTHON if "with Flow(" in text)
    script = script.replace("example_notebooks/", f"{folder.path}/")

    done = subprocess.run([sys.executable, "-c", script], cwd=folder.path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout == '<Success: "All reference tasks succeeded."> 0.15\n'


def test_its_links_and_those_of_the_docs_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]

    lost = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert not lost


def test_its_first_command_does_in_a_new_folder_what_it_says(folder: Folder, tmp_path: Path) -> None:
    """With all options as they are for a new user: results are kept, as runs from Python do not."""
    (command,) = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    _, _, run, show = command.split(" && ")
    path = re.findall(r"run (\S+\.ipynb) ", run)[0]
    environment = {**os.environ, "NOTEBOOK_FLOWS_STORE": str(tmp_path / "history.sqlite")}
    environment.pop("NOTEBOOK_FLOWS_KEEP_RESULTS", None)
    (tmp_path / path).parent.mkdir()
    shutil.copy(ROOT / path, tmp_path / path)

    ran, shown = (
        subprocess.run(
            [sys.executable, "-m", "notebook_flows", *words.split()[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        for words in (run, show)
    )

    assert ran.returncode == 0, ran.stderr
    assert shown.returncode == 0, shown.stderr
    assert "success" in shown.stdout
    assert (tmp_path / f"{Path(path).stem}-output.ipynb").is_file()
    assert (tmp_path / "weather_stations.svg").read_text().startswith("<")
