"""Lines of `%flow` in a notebook that runs headlessly: they see what they would by hand after "Run all"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

from notebook_flows.core.lifecycle import S
from notebook_flows.running import NotebookRun, run_notebook

if TYPE_CHECKING:
    from pathlib import Path

LOAD = "%load_ext notebook_flows"


def shown(done: NotebookRun) -> list[Any]:
    """The code cells of the executed notebook."""
    assert done.output_path is not None
    return [cell for cell in nbformat.read(done.output_path, 4).cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    parts = (one.text if one.output_type == "stream" else one.data["text/plain"] for one in cell.outputs)
    return "\n".join(parts)


def test_show_sees_the_tasks_above_it_as_they_ended(write: Any) -> None:
    done = run_notebook(
        write(LOAD, "%%task load\nx = 1", "%%task use\ny = x", "%flow show", "%%task last\nz = y", name="mine.ipynb")
    )

    assert done.is_successful, done.error
    cells = shown(done)
    assert text_of(cells[3]).startswith("Flow 'mine': 2 tasks, 2 success")
    assert len(cells[3].outputs) == 1
    assert "3 tasks, 3 success" in text_of(cells[5])  # that of the whole run stands in a cell of its own


def test_show_draws_a_failure_too(write: Any) -> None:
    done = run_notebook(write(LOAD, "%%task load\n1 / 0", "%%task use\ny = 2", "%flow show"))

    assert [cell.state for cell in done.cells] == [S.SUCCESS, S.FAILED, S.SUCCESS, S.SUCCESS]
    assert "1 failed, 1 success" in text_of(shown(done)[3])


def test_run_runs_nothing_again_that_has_run(write: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    note = f"with open({str(seen)!r}, 'a') as file: print({{!r}}, file=file)"

    done = run_notebook(
        write(
            LOAD,
            "n = 1",
            f"%%task load\nx = n\n{note.format('load')}",
            f"%%task use --executor processes\ny = x\n{note.format('use')}",
            "%flow run",
            "%flow status",
        )
    )

    assert done.is_successful, done.error
    assert seen.read_text().split() == ["load", "use"]
    assert text_of(shown(done)[4]).startswith("All 2 tasks are up to date")
    assert text_of(shown(done)[5]).count("up to date") == 2


def test_run_with_another_value_runs_what_follows_from_it(write: Any) -> None:
    done = run_notebook(
        write(
            LOAD, ("n: int = 1", ["parameters"]), "%%task load\nx = n", "%%task other\ny = 5", "%flow run -p n=7", "x"
        )
    )

    assert done.is_successful, done.error
    assert "1 other task left as it is" in text_of(shown(done)[4])
    assert shown(done)[5].outputs[0].data["text/plain"] == "7"
