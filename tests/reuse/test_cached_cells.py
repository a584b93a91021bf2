"""Task cells that ask for it are taken from earlier runs, headlessly: with their outputs, and said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cached_cells import CELLS, outputs, with_flows, write
from counted import counted

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook
from notebook_flows.workspace import stored_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import OpenNotebook


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


def test_the_picture_of_the_end_says_what_is_cached(folder: Path) -> None:
    path = write(folder)
    first = run_notebook(path)

    second = run_notebook(path)

    notebook = json.loads(second.output_path.read_text())  # type: ignore[union-attr] # it was written
    outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", ()) if "data" in one]
    pictures = ["".join(one["data"]["image/svg+xml"]) for one in outputs if "image/svg+xml" in one["data"]]
    assert len(pictures) == 1
    assert pictures[0].count(f"From run {first.run_id[:8]}") == 2


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


@pytest.mark.parametrize("is_headless", [True, False], ids=["headless", "%flow run"])
def test_what_was_made_of_an_input_that_a_failed_attempt_had_changed_is_not_taken_for_the_unchanged_one(
    is_headless: bool, folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    """The first attempt leaves its change in the object; what the second makes of that is the result of no other input."""
    (folder / "once.py").write_text(
        "import os\nPLACE = 'tried'\ndef fails_once():\n"
        "    if not os.path.exists(PLACE):\n        os.mkdir(PLACE)\n        raise ValueError\n"
    )
    cells = {
        "ext": "%load_ext notebook_flows",
        "setup": "from counting import count\nfrom once import fails_once\nrows = [1]",
        "more": "%%task more --cache --retries 1\nrows.append(2)\ncount('more')\nfails_once()\nn = len(rows)",
        "end": "print(n)",
    }
    path = write(folder, cells)

    def length() -> str:
        if is_headless:
            return "".join(outputs(run_notebook(path).output_path, "end")).strip()
        notebook = with_flows(start)
        notebook.run("setup", cells["setup"])
        answer = notebook.run("run", "%flow run --all")
        assert answer.status == "ok", answer.said
        return str(notebook.value("n"))

    assert [length() for _ in range(3)] == ["3", "2", "2"]
    assert counted() == {"more": 3}
