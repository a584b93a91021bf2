"""Task cells that are taken from earlier runs, in real kernels: by hand and headlessly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from counted import counted
from opened import OpenNotebook
from talking import Kernel

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook
from notebook_flows.workspace import stored_log
from notebook_flows.workspace.resuming import ResumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.fixture
def folder(tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module that counts; the history is on the disk."""
    del disk
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counting.py").write_text(OWN_MODULE)
    return tmp_path


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


# -- headless ----------------------------------------------------------------------------------------------------------


def test_a_headless_run_takes_cached_cells_with_their_outputs_and_says_so(folder: Path) -> None:
    path = write(folder)
    first = run_notebook(path)
    assert counted() == {"load": 1, "double": 1, "plain": 1, "report": 1, "end": 1}

    second = run_notebook(path)

    assert counted() == {"plain": 1, "report": 1, "end": 1}
    assert second.is_successful
    cached = {one.name: one.message for one in second.cells if one.state is S.CACHED}
    assert list(cached) == ["load", "double"]
    assert all(message.startswith(f"From run {first.run_id[:8]}") for message in cached.values())
    assert outputs(second.output_path, "load") == ["loaded 3\n", "[0, 1, 2]"]
    assert outputs(second.output_path, "end") == ["largest 4\n"]
    notebook = json.loads(second.output_path.read_text())  # type: ignore[union-attr] # it was written
    marks = {one["id"]: one["metadata"].get("notebook_flows") for one in notebook["cells"] if one.get("id") in CELLS}
    assert marks["load"]["cached"]["run"] == first.run_id
    assert marks["report"] is None
    logged = [line.message for line in stored_log(folder / "store" / "history.sqlite").log_lines(second.run_id)]
    assert any(line.startswith(f"It is cached. From run {first.run_id[:8]}") for line in logged)


def test_an_output_that_was_cached_is_no_mark_on_the_next_run(folder: Path) -> None:
    path = write(folder)
    run_notebook(path)
    cached = run_notebook(path, output="cached.ipynb")

    anew = run_notebook(cached.output_path, output="anew.ipynb", cache=False)  # type: ignore[arg-type] # it was written

    notebook = json.loads(anew.output_path.read_text())  # type: ignore[union-attr] # as above
    assert not any("cached" in one["metadata"].get("notebook_flows", {}) for one in notebook["cells"])


@pytest.mark.parametrize(
    ("edits", "runs"),
    [
        ({"load": CELLS["load"].replace("range(n)", "range(n + 1)")}, {"load", "double"}),
        ({"load": CELLS["load"].replace("range(n)", "range(0, n)")}, {"load"}),
        ({"load": CELLS["load"].replace("rows = ", "rows  =  ") + "  # as it is"}, set()),
        ({"setup": CELLS["setup"].replace("2 * r", "3 * r")}, {"double"}),
    ],
)
def test_a_cell_runs_if_what_it_says_or_gets_is_another_now(
    folder: Path, edits: dict[str, str], runs: set[str]
) -> None:
    run_notebook(write(folder))
    counted()

    run_notebook(write(folder, **edits))

    assert counted().keys() & {"load", "double"} == runs


def test_parameters_are_part_of_the_key(folder: Path) -> None:
    path = write(folder)
    run_notebook(path, parameters={"n": 4})
    counted()

    run_notebook(path, parameters={"n": 5})
    other = counted()
    run_notebook(path, parameters={"n": 4})

    assert other["load"] == 1
    assert "load" not in counted()


def test_the_cache_can_be_left_aside_and_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder)
    run_notebook(path)
    counted()

    run_notebook(path, cache=False)
    off = counted()
    monkeypatch.setenv("NOTEBOOK_FLOWS_CACHE", "refresh")
    run_notebook(path)

    assert off["load"] == counted()["load"] == 1


def test_all_cells_that_only_compute_are_cached_if_the_run_is_told_so(folder: Path) -> None:
    cells = {
        "setup": "import time\nfrom counting import count",
        "pure": "%%task pure\nx = 1",
        "clock": "%%task clock\nnow = time.time()",
        "inside": "%%task inside\ncount('inside')",
        "never": "%%task never --no-cache\ny = x",
        "asked": "%%task asked --cache\nthen = time.time()",
    }
    path = write(folder, cells)
    run_notebook(path, cache=True)

    done = run_notebook(path, cache=True)

    assert {one.name for one in done.cells if one.state is S.CACHED} == {"pure", "asked"}
    logged = [line.message for line in stored_log(folder / "store" / "history.sqlite").log_lines(done.run_id)]
    assert any(line.startswith("Task 'clock' is not cached, for it uses the clock (time.time)") for line in logged)
    assert any(line.startswith("Task 'inside' is not cached, for it uses the environment") for line in logged)


def test_what_has_no_key_runs_each_time_and_says_why(folder: Path) -> None:
    cells = {
        "setup": "from counting import count\nhandle = open('counting.py')",
        "read": "%%task read --cache\ncount('read')\nline = handle.readline()",
    }
    path = write(folder, cells)
    run_notebook(path)

    done = run_notebook(path)

    assert counted() == {"read": 2}
    logged = [line.message for line in stored_log(folder / "store" / "history.sqlite").log_lines(done.run_id)]
    assert any("'handle', which it reads" in line and "runs, and is not cached" in line for line in logged)


@pytest.mark.parametrize("lane", ["threads", "processes", "main"])
def test_each_lane_takes_and_leaves_results(folder: Path, lane: str) -> None:
    cells = {
        "setup": "from counting import count\nrows = [1]",
        "grow": f"%%task grow --cache --executor {lane}\ncount('grow')\nrows.append(2)\nn = len(rows)\nprint('grown')",
        "end": "print(rows, n)",
    }
    path = write(folder, cells)
    run_notebook(path)

    done = run_notebook(path)

    assert counted() == {"grow": 1}
    assert outputs(done.output_path, "end") == ["[1, 2] 2\n"]
    assert outputs(done.output_path, "grow") == ["grown\n"]


# -- going on with a run -----------------------------------------------------------------------------------------------

UNCACHED = {key: source.replace(" --cache", "") for key, source in CELLS.items()}


def broken(folder: Path) -> Path:
    return folder / "counted.broken"


def test_after_a_failure_only_what_is_left_runs_and_what_that_needs(folder: Path) -> None:
    path = write(folder, UNCACHED)
    broken(folder).touch()
    first = run_notebook(path)
    assert first.state is S.FAILED
    counted()
    broken(folder).unlink()

    second = run_notebook(path, resume="latest")

    assert second.is_successful
    assert counted() == {"plain": 1, "report": 1}
    assert states(second)["load"] == "CACHED From run"
    assert outputs(second.output_path, "load") == ["loaded 3\n", "[0, 1, 2]"]
    assert outputs(second.output_path, "end") == ["largest 4\n"]
    assert "'1 %load_ext" not in " ".join(second.notes)
    assert any("count('plain')" in note and "run again" in note for note in second.notes)


def test_a_run_that_was_gone_on_with_can_be_gone_on_with(folder: Path) -> None:
    path = write(folder, UNCACHED)
    broken(folder).touch()
    run_notebook(path)
    run_notebook(path, resume="latest")
    counted()
    broken(folder).unlink()

    last = run_notebook(path, resume="latest")

    assert last.is_successful
    assert counted() == {"plain": 1, "report": 1}


def test_nothing_runs_of_a_run_that_ended_well(folder: Path) -> None:
    path = write(folder, UNCACHED)
    first = run_notebook(path)
    counted()

    second = run_notebook(path, resume=first.run_id[:8])

    assert second.is_successful
    assert counted() == {}
    assert outputs(second.output_path, "end") == ["largest 4\n"]


@pytest.mark.parametrize(
    ("edits", "runs"),
    [
        ({"report": UNCACHED["report"] + "\n1"}, {"plain", "report"}),
        (
            {"double": UNCACHED["double"].replace("doubled(rows)", "doubled(rows) + [9]")},
            {"double", "plain", "report", "end"},
        ),
        (
            {"double": UNCACHED["double"].replace("doubled(rows)", "doubled(list(rows))")},
            {"double", "plain", "end"},
        ),
        ({"setup": UNCACHED["setup"] + "\n# a comment"}, set()),
        ({"end": UNCACHED["end"] + "\nprint('more')"}, {"plain", "end"}),
    ],
)
def test_a_cell_that_was_edited_runs_with_what_takes_its_values(
    folder: Path, edits: dict[str, str], runs: set[str]
) -> None:
    run_notebook(write(folder, UNCACHED))
    counted()

    done = run_notebook(write(folder, UNCACHED, **edits), resume="latest")

    assert done.is_successful
    assert counted().keys() - {"setup"} == runs


WRITES = {
    "ext": "%load_ext notebook_flows",
    "setup": UNCACHED["setup"] + "\nfrom pathlib import Path",
    "write": "%%task write\ncount('write')\nPath('out.txt').write_text('x')\nrows = [1]",
    "other": "%%task other\ncount('other')\nmore = rows * 2",
    "report": "%%task report\ncount('report')\nassert not is_broken(), 'it is broken'",
}


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_task_runs_again_if_a_file_that_it_wrote_is_gone(folder: Path, is_gone: bool) -> None:
    path = write(folder, WRITES)
    broken(folder).touch()
    run_notebook(path)
    broken(folder).unlink()
    counted()
    if is_gone:
        (folder / "out.txt").unlink()

    done = run_notebook(path, resume="latest")

    assert done.is_successful
    assert counted() == {"report": 1, **({"write": 1} if is_gone else {})}
    assert ("'write': runs again, for 'out.txt', which it wrote, is gone." in " ".join(done.notes)) is is_gone


def test_the_parameters_are_those_of_the_run_unless_they_are_given(folder: Path) -> None:
    path = write(folder, UNCACHED)
    run_notebook(path, parameters={"n": 5})
    counted()

    same = run_notebook(path, resume="latest")
    nothing = counted()
    other = run_notebook(path, resume="latest", parameters={"n": 6})

    assert nothing == {}
    assert same.parameters == {"n": 5}
    assert other.parameters == {"n": 6}
    assert counted()["load"] == 1


def test_a_result_that_cannot_be_kept_is_made_again_only_if_it_is_needed(folder: Path) -> None:
    cells = {
        "setup": "from counting import count, is_broken\nimport threading",
        "lock": "%%task lock\ncount('lock')\nlock = threading.Lock()",
        "use": "%%task use\ncount('use')\nx = lock.locked()",
        "last": "%%task last\ncount('last')\nassert not is_broken()\ny = x",
    }
    path = write(folder, cells)
    broken(folder).touch()
    run_notebook(path)
    counted()
    broken(folder).unlink()

    run_notebook(path, resume="latest")
    not_needed = counted()
    run_notebook(write(folder, cells, use=cells["use"] + "\nz = 1"), resume="latest")

    assert not_needed == {"last": 1}
    assert counted() == {"lock": 1, "use": 1, "last": 1}


def test_what_cannot_be_gone_on_with_is_told(folder: Path) -> None:
    path = write(folder, {"one": "x = 1"})
    with pytest.raises(ResumeError, match="Notebook 'work' has no run to go on with"):
        run_notebook(path, resume="latest")
    run_notebook(path)

    with pytest.raises(ResumeError, match="has no task cells, and the values of ordinary cells are not kept"):
        run_notebook(path, resume="latest")


def test_without_results_all_runs_again_that_is_needed(folder: Path) -> None:
    path = write(folder, UNCACHED)
    broken(folder).touch()
    run_notebook(path, keep_results=False)
    counted()
    broken(folder).unlink()

    done = run_notebook(path, resume="latest")

    assert done.is_successful
    assert counted() == {"load": 1, "double": 1, "plain": 1, "report": 1}


# -- by hand, over restarts --------------------------------------------------------------------------------------------


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], OpenNotebook]]:
    """Starts a kernel for the saved notebook."""
    started: list[Kernel] = []
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "work.ipynb"))

    def begin() -> OpenNotebook:
        while started:
            started.pop().close()
        started.append(Kernel(folder))
        return OpenNotebook(started[0])

    yield begin
    while started:
        started.pop().close()


def run_all(notebook: OpenNotebook, cells: dict[str, str]) -> None:
    for key, source in cells.items():
        notebook.run(key, source)


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
    write(folder)
    notebook = start()
    run_all(notebook, CELLS)
    notebook.run("run", "%flow run --all")
    counted()

    notebook.run("clear", "%flow clear load")
    notebook.run("run", "%flow run load")

    assert counted() == {"load": 1}


def test_another_kernel_knows_what_is_fresh_and_takes_its_values(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, UNCACHED)
    notebook = start()
    run_all(notebook, UNCACHED)
    notebook.run("run", "%flow run --all")
    counted()
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    status = notebook.run("status", "%flow status").said
    ran = notebook.run("run", "%flow run")

    assert status.count("up to date: cached, from run") == 3
    assert ran.status == "ok"
    assert counted() == {}
    assert notebook.value("rows, twice") == "([0, 1, 2], [0, 2, 4])"
    assert notebook.run("again", "%flow run").said.startswith("All 3 tasks are up to date")


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
    write(folder, MEASURED)
    monkeypatch.setenv("MEASURED", "1")
    notebook = start()
    run_all(notebook, MEASURED)
    notebook.run("run", "%flow run --all")
    counted()
    monkeypatch.setenv("MEASURED", "5")
    notebook = start()
    notebook.run("ext", MEASURED["ext"])
    notebook.run("setup", MEASURED["setup"])

    notebook.run("run", "%flow run")

    assert counted() == {"first": 1, "second": 1, "by_function": 1}
    assert notebook.value("n, y, z, u, w") == "(5, 10, 11, 15, 2)"


def test_another_kernel_takes_all_where_ordinary_cells_have_made_the_same(
    folder: Path, start: Callable[[], OpenNotebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, MEASURED)
    monkeypatch.setenv("MEASURED", "1")
    notebook = start()
    run_all(notebook, MEASURED)
    notebook.run("run", "%flow run --all")
    counted()
    notebook = start()
    notebook.run("ext", MEASURED["ext"])
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
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

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
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    status = notebook.run("status", "%flow status").said

    assert ("up to date: cached" in status) is (where == "here")


def test_another_kernel_runs_what_was_edited_since_with_the_set_up_that_it_needs(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    write(folder, UNCACHED)
    notebook = start()
    run_all(notebook, UNCACHED)
    notebook.run("run", "%flow run --all")
    counted()
    write(folder, UNCACHED, double=UNCACHED["double"].replace("doubled(rows)", "doubled(rows[1:])"))
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    ran = notebook.run("run", "%flow run")

    assert counted() == {"double": 1, "plain": 1, "report": 1}
    assert "Not executed in this kernel yet: " in ran.said or "Not executed" in notebook.text("run")
    assert notebook.value("twice") == "[2, 4]"


def test_a_failed_run_is_gone_on_with_in_another_kernel(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    write(folder, UNCACHED)
    notebook = start()
    run_all(notebook, UNCACHED)
    broken(folder).touch()
    notebook.run("run", "%flow run --all")
    broken(folder).unlink()
    counted()
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    ran = notebook.run("resume", "%flow resume")

    assert ran.status == "ok"
    assert counted() == {"plain": 1, "report": 1}
    assert notebook.value("twice") == "[0, 2, 4]"


def test_a_headless_run_is_gone_on_with_by_hand(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    path = write(folder, UNCACHED)
    broken(folder).touch()
    failed = run_notebook(path)
    broken(folder).unlink()
    counted()
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    ran = notebook.run("resume", f"%flow resume {failed.run_id[:8]}")

    assert ran.status == "ok"
    assert counted() == {"plain": 1, "report": 1}


def test_by_hand_too_a_task_runs_again_if_a_file_that_it_wrote_is_gone(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    path = write(folder, WRITES)
    broken(folder).touch()
    failed = run_notebook(path)
    broken(folder).unlink()
    counted()
    (folder / "out.txt").unlink()
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

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
    notebook = start()
    notebook.run("ext", "%load_ext notebook_flows")

    ran = notebook.run("run", "%flow run")

    shown = [one for one in notebook.shown("run") if one[0] in {"stdout", "execute_result", "display_data", "error"}]
    told = "".join(text for kind, text in shown if kind == "stdout")
    assert "second:\nsecond says\n" in told
    assert "third:\nthird says\n" in told
    assert told.index("second says") < told.index("third says")
    assert ("execute_result", "2") in shown
    assert ("error", "ZeroDivisionError") in shown
    assert ran.ename == "FlowRunFailed"
