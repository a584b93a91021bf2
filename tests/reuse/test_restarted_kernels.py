"""By hand: what another kernel has left is taken where it is true, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from cached_cells import (
    CELLS,
    UNCACHED,
    WRITES,
    broken_meanwhile,
    failed_by_hand,
    ran_by_hand,
    run_all,
    with_flows,
    write,
)
from counted import counted

from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import OpenNotebook


def test_by_hand_nothing_is_taken_and_in_a_flow_it_is(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    write(folder)
    notebook = start()
    run_all(notebook, CELLS)
    notebook.run("run", "%flow run --all")
    notebook.run("load", CELLS["load"])
    by_hand = counted()

    again = notebook.run("run", "%flow run --all")

    assert by_hand["load"] == 3
    assert counted() == {"plain": 1, "report": 1}
    assert "≡ load: cached, from run" in again.said
    assert notebook.shown("load") == [("stdout", "loaded 3\n"), ("execute_result", "[0, 1, 2]")]
    assert "load    up to date: cached, from run" in notebook.run("status", "%flow status").said


def test_a_cleared_task_runs(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    notebook = ran_by_hand(folder, start, CELLS)

    notebook.run("clear", "%flow clear load")
    notebook.run("run", "%flow run load")

    assert counted() == {"load": 1}


def test_another_kernel_knows_what_is_fresh_and_takes_its_values(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    ran_by_hand(folder, start, UNCACHED)
    notebook = with_flows(start)

    status = notebook.run("status", "%flow status").said
    ran = notebook.run("run", "%flow run")

    assert status.count("up to date: cached, from run") == 3
    assert ran.status == "ok"
    assert counted() == {}
    assert notebook.value("rows, twice") == "([0, 1, 2], [0, 2, 4])"
    assert notebook.run("again", "%flow run").said.startswith("All 3 tasks are up to date")


def test_another_kernel_runs_what_did_not_end_well_the_last_time_though_it_had_before(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    before = ran_by_hand(folder, start, UNCACHED)
    with broken_meanwhile(folder):
        before.run("again", "%flow run --all")
    notebook = with_flows(start)

    status = notebook.run("status", "%flow status").said
    ran = notebook.run("run", "%flow run")

    assert status.count("up to date: cached, from run") == 2
    assert "report  stale" in status
    assert ran.status == "ok"
    assert counted() == {"plain": 1, "report": 1}


def test_another_kernel_does_not_take_what_has_used_a_parameter_that_an_earlier_run_was_given(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    cells = {
        "ext": "%load_ext notebook_flows",
        "params": "n: int = 3",
        "square": "%%task square\nsquared = n * n",
    }
    before = ran_by_hand(folder, start, cells)
    before.run("given", "%flow run -p n=5")
    before.run("clear", "%flow clear square")
    before.run("run", "%flow run")
    given = before.value("squared")
    notebook = with_flows(start)

    notebook.run("run", "%flow run")

    assert given == "25"
    assert notebook.value("squared") == "9"


MEASURED = {
    "ext": "%load_ext notebook_flows",
    "setup": "import os\nfrom counting import count\nn = int(os.environ['MEASURED'])\nm = 1\ndef scaled(x): return x * n",
    "first": "%%task first\ncount('first')\ny = n * 2",
    "second": "%%task second\ncount('second')\nz = y + 1",
    "by_function": "%%task by_function\ncount('by_function')\nu = scaled(3)",
    "other": "%%task other\ncount('other')\nw = m + 1",
}


def test_another_kernel_runs_what_an_ordinary_cell_has_given_another_value(
    folder: Path, start: Callable[[], OpenNotebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEASURED", "1")
    ran_by_hand(folder, start, MEASURED)
    monkeypatch.setenv("MEASURED", "5")
    notebook = with_flows(start)
    notebook.run("setup", MEASURED["setup"])

    notebook.run("run", "%flow run")

    assert counted() == {"first": 1, "second": 1, "by_function": 1}
    assert notebook.value("n, y, z, u, w") == "(5, 10, 11, 15, 2)"


def test_another_kernel_takes_all_where_ordinary_cells_have_made_the_same(
    folder: Path, start: Callable[[], OpenNotebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEASURED", "1")
    ran_by_hand(folder, start, MEASURED)
    notebook = with_flows(start)
    notebook.run("setup", MEASURED["setup"])

    notebook.run("run", "%flow run")

    assert counted() == {}
    assert notebook.value("n, y, z, u, w") == "(1, 2, 3, 3, 2)"


DRAWS = {
    "ext": "%load_ext notebook_flows",
    "draw": "%%task draw\nimport matplotlib.pyplot as plt\nfigure, axes = plt.subplots(1, 2)\naxes[0].plot([1, 2])",
    "mark": "%%task mark\naxes[0].set_title('marked')\ntitle = axes[0].get_title()",
    "end": "print(title, len(figure.axes))",
}


def test_a_figure_and_its_axes_go_from_task_to_task_with_results_kept(folder: Path) -> None:
    pytest.importorskip("matplotlib")

    done = run_notebook(write(folder, DRAWS), keep_results=True)

    assert done.is_successful, done.error
    assert done.cells[-1].name == "4 print(title, len(figure.axes))"
    output = nbformat.read(folder / "work-output.ipynb", 4)
    assert "marked 2\n" in [one.get("text") for cell in output.cells for one in cell.get("outputs", ())]


def test_a_figure_and_its_axes_land_by_flow_run(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    pytest.importorskip("matplotlib")
    write(folder, DRAWS)
    notebook = start()
    run_all(notebook, {key: DRAWS[key] for key in ("ext", "draw", "mark")})

    ran = notebook.run("run", "%flow run --all")

    assert "2 cells" in ran.said
    assert notebook.value("title, len(figure.axes)") == "('marked', 2)"


OUTSIDE = {
    "ext": "%load_ext notebook_flows",
    "setup": "import time\nfrom counting import count\nfrom pathlib import Path\ndef stamp(): return time.time()",
    "only": "%%task only\ncount('only')\nx = 1",
    "clock": "%%task clock\ncount('clock')\nnow = stamp()",
    "write": "%%task write\ncount('write')\nPath('out.txt').write_text('x')",
    "read": "%%task read\ncount('read')\nlines = [path.read_text() for path in Path('.').glob('*.log')]",
}


def test_another_kernel_takes_nothing_unasked_that_has_to_do_with_the_world_outside(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    run_notebook(write(folder, OUTSIDE))
    counted()
    notebook = with_flows(start)

    ran = notebook.run("run", "%flow run")

    assert ran.status == "ok"
    assert counted() == {"clock": 1, "write": 1, "read": 1}


@pytest.mark.parametrize("where", ["here", "in another folder", "with other parameters"])
def test_another_kernel_takes_nothing_unasked_of_another_notebook_or_of_other_parameters(
    folder: Path, start: Callable[[], OpenNotebook], where: str
) -> None:
    cells = {"ext": CELLS["ext"], "setup": CELLS["setup"], "params": "n = 3", "one": "%%task one\ncount('one')\nx = 1"}
    path = write(folder, cells)
    if where == "in another folder":
        (folder / "other").mkdir()
        path = path.rename(folder / "other" / path.name)
    run_notebook(path, cwd=folder, parameters={"n": 4} if where == "with other parameters" else {})
    write(folder, cells)
    notebook = with_flows(start)

    status = notebook.run("status", "%flow status").said

    assert ("up to date: cached" in status) is (where == "here")


def test_another_kernel_runs_what_was_edited_since_with_the_set_up_that_it_needs(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    ran_by_hand(folder, start, UNCACHED)
    write(folder, UNCACHED, double=UNCACHED["double"].replace("doubled(rows)", "doubled(rows[1:])"))
    notebook = with_flows(start)

    ran = notebook.run("run", "%flow run")

    assert counted() == {"double": 1, "plain": 1, "report": 1}
    assert "Not executed in this kernel yet: " in ran.said or "Not executed" in notebook.text("run")
    assert notebook.value("twice") == "[2, 4]"


def test_a_failed_run_is_gone_on_with_in_another_kernel(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    failed_by_hand(folder, start, UNCACHED)
    notebook = with_flows(start)

    ran = notebook.run("resume", "%flow resume")

    assert ran.status == "ok"
    assert counted() == {"plain": 1, "report": 1}
    assert notebook.value("twice") == "[0, 2, 4]"


def test_a_headless_run_is_gone_on_with_by_hand(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    path = write(folder, UNCACHED)
    with broken_meanwhile(folder):
        failed = run_notebook(path)
    notebook = with_flows(start)

    ran = notebook.run("resume", f"%flow resume {failed.run_id[:8]}")

    assert ran.status == "ok"
    assert counted() == {"plain": 1, "report": 1}


def test_by_hand_too_a_task_runs_again_if_a_file_that_it_wrote_is_gone(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    path = write(folder, WRITES)
    with broken_meanwhile(folder):
        failed = run_notebook(path)
    (folder / "out.txt").unlink()
    notebook = with_flows(start)

    ran = notebook.run("resume", f"%flow resume {failed.run_id[:8]}")

    assert ran.status == "ok"
    assert "'write' runs again, for 'out.txt', which it wrote, is gone.\n" in ran.said
    assert counted()["write"] == 1
    assert (folder / "out.txt").exists()


def test_the_outputs_of_cells_that_this_kernel_has_not_seen_stand_below_the_line_that_has_run_them(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    cells = {
        "ext": "%load_ext notebook_flows",
        "setup": "from pathlib import Path",
        "first": "%%task first\nx = 1",
        "second": "%%task second\nPath('out.txt').write_text('x')\nprint('second says')\nx + 1",
        "third": "%%task third\nPath('out.txt').read_text()\nprint('third says')\nx / 0",
    }
    run_notebook(write(folder, cells))
    notebook = with_flows(start)

    ran = notebook.run("run", "%flow run")

    shown = [one for one in notebook.shown("run") if one[0] in {"stdout", "execute_result", "display_data", "error"}]
    told = "".join(text for kind, text in shown if kind == "stdout")
    assert "second:\nsecond says\n" in told
    assert "third:\nthird says\n" in told
    assert told.index("second says") < told.index("third says")
    assert ("execute_result", "2") in shown
    assert ("error", "ZeroDivisionError") in shown
    assert ran.ename == "FlowRunFailed"
