"""What is asked of notebooks on the command line: parts of them, mistakes in it, and explaining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from cli_notebooks import PARAMETERS, printed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Command = Callable[..., Result]
    Start = Callable[..., Started]
    WriteNotebook = Callable[..., Path]

# -- choices -----------------------------------------------------------------------------------------------------------

CHAIN = (PARAMETERS, "a = year + 1", "b = 'unused'", "c = a + 1", "print(c)", "print('end')")


@pytest.mark.parametrize(
    ("options", "skipped", "text"),
    [
        (["--only", "cell-4"], {3, 5, 6}, ""),
        (["--only", "cell-5,3", "-p", "year=1"], {1, 6}, "3\n"),
        (["--from", "cell-5"], {3}, "2027\nend\n"),
        (["--from", "b = 'unused'"], set(), "2027\nend\n"),
    ],
)
def test_chosen_cells_run_with_what_they_need(
    start: Start, write_notebook: WriteNotebook, options: list[str], skipped: set[int], text: str
) -> None:
    path = write_notebook("chain.ipynb", *CHAIN)

    code, said = start("run", path, *options, "-o", "out.ipynb").end()

    assert code == 0, said
    cells = nbformat.read(path.with_name("out.ipynb"), 4).cells
    ran = [cell.execution_count is not None for cell in cells if "injected-parameters" not in cell.metadata.tags]
    assert {number for number, has_run in enumerate(ran, 1) if not has_run} == skipped
    assert printed(path.with_name("out.ipynb")) == text


def test_chosen_tasks_of_a_flow_run_with_what_they_need(nf: Command, write: Callable[..., Path]) -> None:
    path = write("etl.py")

    only, first = nf("run", path, "--only", "extract"), nf("run", path, "--from", "clean")

    assert (only.exit_code, first.exit_code) == (0, 0)
    assert "2 success, 3 skipped" in only.stderr
    assert only.stdout == first.stdout == "extracting\n"
    assert "✓ load" not in only.stderr
    assert "✓ load" in first.stderr


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.ipynb", "b.ipynb", "-o", "one.ipynb"], "Give a folder, or a template"),
        (["a.ipynb", "b.ipynb", "-o", "{date}.ipynb"], "a and b would both be written to"),
        (["a.ipynb", "b.ipynb", "--html", "x.html"], "--html x.html is one file"),
        (["a.ipynb", "--grid", "region=x", "-p", "region=y"], "is given by -p and by --grid"),
        (["a.ipynb", "--grid", "regoin=x"], "Did you mean 'region'?"),
        (["a.ipynb", "b.ipynb", "--grid", "year=1,many"], "is a whole number (int), not 'many'"),
        (["a.ipynb", "etl.py"], "Only notebooks can be run several at once"),
        (["etl.py", "--grid", "count=1"], "--grid is for notebooks"),
        (["etl.py", "--retries", "2"], "--retries is for notebooks"),
        (["etl.py", "--only", "extrat"], "Did you mean 'extract'?"),
        (["a.ipynb", "--only", "cell-9"], "has no cell 'cell-9'"),
        (["a.ipynb", "--only", "1", "--from", "1"], "give one of them"),
        (["a.ipynb", "-j", "2"], "--jobs is for several notebooks"),
        (["a.ipynb", "--no-input"], "Give both"),
        (["a.ipynb", "--retry-delay", "1"], "--retries N says how many"),
        (["a.ipynb", "--env-file", "nowhere.env"], "--env-file nowhere.env cannot be read"),
        (["a.ipynb", "--env-file", "etl.py"], "is no NAME=value"),
        (["a.ipynb", "--env-file", "/dev/zero"], "--env-file /dev/zero cannot be read: it has more than 1 MB."),
        (["a.ipynb", "-p", "year:=@/dev/zero"], "the file /dev/zero cannot be read: it has more than 100 MB."),
        (["a.ipynb", "-p", "year=@file:/dev/zero"], "the file /dev/zero cannot be read: it has more than 1 MB."),
        (["a.ipynb", "-o", "{regoin}.ipynb"], "Did you mean 'region'?"),
        (["a.ipynb", "--html", "a.ipynb"], "an input is never overwritten"),
        (["a.ipynb", "-o", "c.ipynb", "--html", "c.ipynb"], "is where the executed notebook goes as well"),
        (["a.ipynb", "b.ipynb", "--html", "{name}.ipynb"], "--html a.ipynb is there already, and is no page"),
        (["a.ipynb", "-o", "etl.py"], "'etl.py' is there already, and is no notebook; it is not overwritten."),
        (["a.ipynb", "--html", "etl.py"], "--html etl.py is there already, and is no page; it is not overwritten."),
        (["a.ipynb", "-o", ""], "--output is given, but empty."),
        (["a.ipynb", "--html", " "], "--html is given, but empty."),
        (["a.ipynb", "-k", ""], "--kernel is given, but empty."),
        (["a.ipynb", "--picture", ""], "names a folder"),
        (["a.ipynb", "--timeout", "1e300"], "is not in the range"),
        (["a.ipynb", "--timeout", "nan"], "nan is no number of seconds"),
        (["a.ipynb", "--cell-timeout", "inf"], "inf is not in the range"),
        (["a.ipynb", "--retries", "1", "--retry-delay", "inf"], "inf is not in the range"),
        (["a.ipynb", "--only", ""], "--only names nothing"),
        (["a.ipynb", "--from", " , "], "--from names nothing"),
        (["a.ipynb", "-p", "region:={"], "Parameter 'region' is no JSON"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_runs(
    nf: Command,
    write: Callable[..., Path],
    write_notebook: WriteNotebook,
    own_history: Path,
    arguments: list[str],
    words: str,
) -> None:
    write("etl.py")
    for name in "ab":
        write_notebook(f"{name}.ipynb", PARAMETERS, "print(region)")

    result = nf("run", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not own_history.exists()


# -- explaining --------------------------------------------------------------------------------------------------------


def test_a_notebook_is_explained_cell_by_cell(nf: Command, write_notebook: WriteNotebook) -> None:
    path = write_notebook("chain.ipynb", *CHAIN, "%%task sums\ntotal = sum(rows)")

    whole, one = nf("explain", path), nf("explain", path, "4")

    assert "cell-4: c = a + 1\n  reads     a (from cell-2)\n  binds     c\n" in whole.stdout
    assert "cell-7: sums (task)" in whole.stdout
    assert "rows" in whole.stdout.partition("unknown")[2]
    assert one.stdout.startswith("cell-4")
    assert "cell-5" not in one.stdout


def test_only_notebooks_are_explained(nf: Command, write: Callable[..., Path]) -> None:
    result = nf("explain", write("etl.py"))

    assert result.exit_code == 2
    assert "explain is for notebooks" in result.stderr
