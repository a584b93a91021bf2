"""Notebooks on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest

from notebook_flows import workspace
from notebook_flows.cli import screen
from notebook_flows.core.lifecycle import S
from notebook_flows.views.tracebacks import place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Command = Callable[..., Result]

CELLS = [
    "count: int = 2  # how many\nname = 'x'",
    "# Say it\nprint(name * count)",
    "if count > 5:\n    raise ValueError(f'{count} is too large')",
    "import os\nif count == 5:\n    os._exit(3)",
]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "report.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_its_parameters_are_listed_with_their_help(nf: Command, notebook: Path) -> None:
    rows = json.loads(nf("params", notebook, "--json").stdout)

    assert [(row["name"], row["kind"], row["default"], row["help"]) for row in rows] == [
        ("count", "int", 2, "how many"),
        ("name", "str", "x", ""),
    ]
    assert "how many" in nf("params", notebook).stdout


@pytest.mark.parametrize("last", ["1", "1 / 0"])
def test_an_output_that_cannot_be_saved_in_the_end_is_told(
    last: str, nf: Command, write_notebook: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "out").mkdir()
    path = write_notebook("n.ipynb", "import os\nos.rename('out', 'gone')", last)

    result = nf("run", path, "-o", "out/x.ipynb")

    told = f"The output notebook '{tmp_path / 'out' / 'x.ipynb'}' cannot be written: No such file or directory."
    headline = next(line for line in result.stderr.splitlines() if line.startswith("✗ n.ipynb failed"))
    assert result.exit_code == 1
    assert headline.endswith(told)
    assert "ZeroDivisionError" not in headline
    assert ("cannot be written" in nf("runs").stdout) == (last == "1")


def test_a_note_breaks_between_words_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "'2 import os' runs again, for 'report' needs what a_name_that_is_longer_than_a_line_of_this_terminal does"
    monkeypatch.setenv("COLUMNS", "40")

    screen.say_note(words)
    monkeypatch.setattr(screen, "is_terminal", lambda _: True)
    screen.say_note(words)

    plain, *wrapped = capsys.readouterr().err.splitlines()
    assert plain == f"Note: {words}"
    assert " ".join(wrapped) == plain
    assert [line for line in wrapped if len(line) > 40] == ["a_name_that_is_longer_than_a_line_of_this_terminal"]


def test_it_is_shown_and_validated_without_running(nf: Command, notebook: Path, own_history: Path) -> None:
    assert "├─ 2 Say it" in nf("show", notebook).stdout
    assert nf("validate", notebook).stdout == (
        "Notebook 'report.ipynb' is valid: 4 cells to run, kernel python3, parameters: count, name.\n"
    )
    assert not own_history.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report.ipynb", "-p", "cout=3"], "Did you mean 'count'?"),
        (["report.ipynb", "-p", "count=many"], "is a whole number (int), not 'many'"),
        (["report.ipynb", "-p", "count:=[1"], "Parameter 'count' is no JSON: '[1'"),
        (["report.ipynb", "-k", "pyton3"], "Did you mean 'python3'?"),
        (["report.ipynb", "-x", "threads"], "--executor is for flows; the cells of report.ipynb run in its kernel."),
        (["reprot.ipynb"], "Did you mean 'report.ipynb'?"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_runs(
    nf: Command, notebook: Path, arguments: list[str], words: str, own_history: Path
) -> None:
    result = nf("run", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not own_history.exists()


@pytest.mark.parametrize(
    ("count", "code", "state", "words"),
    [
        (2, 0, S.SUCCESS, "✓ report.ipynb succeeded after"),
        (7, 1, S.FAILED, "ValueError: 7 is too large"),
        (5, 3, S.CRASHED, "The kernel died in cell 5"),
    ],
)
def test_it_runs_and_ends_with_the_true_exit_code(
    start: Callable[..., Started], notebook: Path, count: int, code: int, state: S, words: str
) -> None:
    run = start("run", notebook, "-p", f"count={count}", "-o", "out.ipynb")

    found, said = run.end()

    assert (found, words in said) == (code, True), said
    [row] = workspace.event_log().runs()
    assert row.state is state
    assert f"Output   out.ipynb\nHistory  {workspace.event_log().path}" in said
    written = nbformat.read(notebook.with_name("out.ipynb"), as_version=4)
    assert written.metadata.papermill.parameters == {"count": count}


def test_the_place_of_an_error_is_found_in_ipythons_traceback() -> None:
    text = (
        "----\nValueError   Traceback (most recent call last)\nCell In[5], line 2\n      1 if n > 5:\n"
        "----> 2     raise ValueError(n)\n\nCell In[1], line 9, in f(x)\n----> 9     g(x)\n\nValueError: 7"
    )

    assert place_of(text) == ("In [1], line 9, in f(x)", "g(x)")


def test_a_slash_at_the_end_means_a_folder_which_is_made(nf: Command, notebook: Path, tmp_path: Path) -> None:
    result = nf("run", notebook, "-o", f"{tmp_path}/out/new/", "--html", f"{tmp_path}/pages/")

    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out" / "new" / "report-output.ipynb").is_file()
    assert "<html" in (tmp_path / "pages" / "report.html").read_text()


def test_validate_tells_all_that_is_wrong_with_the_cells_and_exits_with_2(nf: Command, notebook: Path) -> None:
    written = nbformat.read(notebook, as_version=4)
    written.cells += [
        nbformat.v4.new_code_cell(source)
        for source in ("%%task load\nrows = [1] * count", "%%task add --needs laod\ntotal = sum(rwos)", "print(totl)")
    ]
    written.metadata.kernelspec.name = "pyton3"
    nbformat.write(written, notebook)

    result = nf("validate", notebook)

    assert result.exit_code == 2
    assert "Notebook 'report.ipynb' has 4 problems:\n" in result.stderr
    for words in (
        "Did you mean 'python3'?",
        "  Cell 'add' reads rwos, which no cell above binds. Did you mean rows?",
        "  Task 'add' waits for 'laod', which is no task above it. Did you mean 'load'?",
        "  Cell 'cell-7' reads totl, which no cell above binds. Did you mean total?",
    ):
        assert words in result.stderr


def test_run_refuses_task_cells_that_cannot_run_with_all_that_is_wrong(nf: Command, notebook: Path) -> None:
    written = nbformat.read(notebook, as_version=4)
    written.cells += [
        nbformat.v4.new_code_cell(source)
        for source in ("%%task load --retrys 3\nrows = [1]", "print(rwos)", "%%task add --needs laod\nx = sum(rows")
    ]
    nbformat.write(written, notebook)

    run, validated = nf("run", notebook, "-p", "cuont=3"), nf("validate", notebook)
    of_a_grid = nf("run", notebook, "--grid", "count=1,2")

    assert (run.exit_code, of_a_grid.exit_code) == (2, 2)
    told = validated.stderr.splitlines()[1:]
    assert [line for line in run.stderr.splitlines()[1:] if "cuont" not in line] == told
    assert of_a_grid.stderr.splitlines()[1:] == told
    assert any(
        line.startswith("  'cuont' is no parameter of it. Did you mean 'count'?") for line in run.stderr.splitlines()
    )
    assert [line.partition(":")[0] for line in told] == [
        "  Cell 'cell-5'",
        "  Cell 'cell-6' reads rwos, which no cell above binds. Did you mean rows?",
        "  Task 'add' waits for 'laod', which is no task above it.",
        "  Cell 'add' is no Python that could be read",
    ]
    assert "Did you mean '--retries'?" in told[0]
    assert "'(' was never closed, in line 2: `x = sum(rows`" in told[3]


def test_a_required_parameter_is_no_missing_name(nf: Command, notebook: Path) -> None:
    written = nbformat.read(notebook, as_version=4)
    written.cells[0].source = "count: int\nname: str"
    nbformat.write(written, notebook)

    assert nf("validate", notebook).exit_code == 0


def test_an_error_in_compiled_code_is_told_by_the_users_own_line() -> None:
    text = (
        "Cell In[5], line 2\n----> 2 frame['nix']\n\n"
        "File ~/conda/lib/python3.11/json/decoder.py:3, in get(x)\n----> 3     return x\n\n"
        "File pandas/_libs/index.pyx:167, in pandas._libs.index.IndexEngine.get_loc()\n\nKeyError: 'nix'"
    )

    assert place_of(text) == ("In [5], line 2", "frame['nix']")


def test_a_page_without_code_has_no_gaps_and_the_picture_of_the_flow(nf: Command, tmp_path: Path) -> None:
    cells = [
        nbformat.v4.new_code_cell(source)
        for source in ("%load_ext notebook_flows", "%%task load\nrows = [1]", "%%task show\nprint(rows)")
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "flow.ipynb")

    result = nf("run", tmp_path / "flow.ipynb", "--html", "page.html", "--no-input", "--picture", "flow.dot")

    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "page.html").read_text()
    assert "jp-mod-noOutputs" not in page.partition("<body")[2]
    assert "Flow 'flow': 2 tasks, 2 success" in page.replace("&#x27;", "'")
    assert "load_ext" not in (tmp_path / "flow.dot").read_text()
    shown = nf("show", "latest").stdout
    assert "State       success: All cells ran well." in shown
    assert "load_ext" not in shown


def test_an_unknown_cell_is_told_with_those_that_there_are(nf: Command, notebook: Path) -> None:
    result = nf("explain", notebook, "nope")

    assert result.exit_code == 2
    assert "has no cell 'nope'. Its cells: cell-1 (parameters), cell-2 (Say it), " in result.stderr


def test_a_parameters_cell_may_import_what_its_types_need(nf: Command, notebook: Path) -> None:
    written = nbformat.read(notebook, as_version=4)
    written.cells[
        0
    ].source = 'from typing import Literal\n\ncount: int = 1\nname: Literal["fast", "exact"] = "fast"  # how'
    nbformat.write(written, notebook)

    assert [row["name"] for row in json.loads(nf("params", notebook, "--json").stdout)] == ["count", "name"]
    assert nf("validate", notebook).exit_code == 0
