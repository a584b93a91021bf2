"""`notebook-flows run` with several notebooks at once, and with grids of parameters."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from cli_notebooks import PARAMETERS, printed

from notebook_flows import workspace
from notebook_flows.cli.batch import exit_of_all
from notebook_flows.cli.exits import Exit
from notebook_flows.cli.grid import grid_from
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Command = Callable[..., Result]
    Start = Callable[..., Started]
    WriteNotebook = Callable[..., Path]


@pytest.mark.parametrize(
    ("options", "points"),
    [
        ([], [{}]),
        (["a=1,2"], [{"a": "1"}, {"a": "2"}]),
        (
            ["a=1,2", "b=x , y"],
            [{"a": "1", "b": "x"}, {"a": "1", "b": "y"}, {"a": "2", "b": "x"}, {"a": "2", "b": "y"}],
        ),
        (['a:=["x,y", null]'], [{"a": "x,y"}, {"a": None}]),
    ],
)
def test_a_grid_is_the_product_of_its_values(options: list[str], points: list[dict[str, object]]) -> None:
    assert grid_from(options) == points


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["a"], "write name=a,b,c"),
        (["a="], "has no values"),
        (["a=1", "a=2"], "is given twice"),
        (["a=1,1"], "has '1' twice"),
        (["a:=1"], "is no JSON list"),
        (["a:=[1"], "is no JSON"),
        ([f"{name}={','.join(map(str, range(200)))}" for name in "abc"], "has 8,000,000 combinations"),
    ],
)
def test_a_grid_that_is_none_is_told(options: list[str], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        grid_from(options)


def test_a_grid_runs_one_notebook_with_each_combination(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook("report.ipynb", PARAMETERS, "print(region, year)", "assert (region, year) != ('so', 2)")

    code, said = start("run", path, "--grid", "region=no,so", "--grid", "year=1,2", "-j", "2").end()

    assert code == 1
    for region, year in (("no", 1), ("no", 2), ("so", 1), ("so", 2)):
        assert printed(path.with_name(f"report-region={region}-year={year}-output.ipynb")) == f"{region} {year}\n"
    [whole] = [row for row in workspace.event_log().runs() if row.parent_run_id is None]
    assert (whole.flow, whole.counts) == ("report.ipynb, 4 runs", {S.SUCCESS: 3, S.FAILED: 1})
    assert "report.ipynb, 4 runs failed after" in said
    [line] = [line for line in said.splitlines() if line.startswith("report region=so year=2 ")]
    assert "✗ failed" in line
    assert "AssertionError" in line


def test_the_last_line_says_how_each_notebook_ended(start: Start, write_notebook: WriteNotebook) -> None:
    sources = {"good": "1", "wrong": "1 / 0", "dies": "import os\nos._exit(3)"}
    paths = [write_notebook(f"{name}.ipynb", source) for name, source in sources.items()]

    code, said = start("run", *paths, "-j", "2").end()

    assert code == 1
    assert "1 crashed, 1 failed, 1 success." in said


def test_a_run_shows_what_ran_inside_of_it(nf: Command, start: Start, write_notebook: WriteNotebook) -> None:
    first, second = (write_notebook(f"{name}.ipynb", f"# Cell of {name}\n1") for name in ("first", "second"))

    code, _ = start("run", first, second, "-o", "done/", "--html", "pages/", "--no-input").end()

    assert code == 0
    listed = [line.split("  ", 1)[1].strip() for line in nf("runs").stdout.splitlines()[1:]]
    names = [one.split("  ")[0] for one in listed]
    assert (names[0], sorted(names[1:])) == ("2 notebooks", ["└ first", "└ second"])
    shown = nf("show", "latest").stdout
    assert "Flow '2 notebooks': 2 tasks, 2 success" in shown
    assert "Inside first: run " in shown
    assert "✓ 1 Cell of second" in shown
    drawn = nf("show", "latest", "-f", "dot").stdout
    assert re.findall(r'"(node-\d+)" -> "(node-\d+)"', drawn) == [("node-0", "node-2"), ("node-1", "node-3")]
    assert drawn.count("Cell of") >= 2
    pages = first.with_name("pages")
    assert "Cell of first" not in (pages / "first.html").read_text()
    assert "Out[1]" not in (pages / "second.html").read_text()
    assert sorted(path.name for path in first.with_name("done").iterdir()) == [
        "first-output.ipynb",
        "second-output.ipynb",
    ]


OUTER = """
from notebook_flows import Flow, notebook_task

with Flow("outer") as flow:
    notebook_task("middle.ipynb")()
"""
RUNS_ANOTHER = """
from notebook_flows import Flow, notebook_task

with Flow("inner") as flow:
    notebook_task("deepest.ipynb")()
assert flow.run().is_successful()
"""


def test_the_logs_of_a_grid_are_those_of_its_notebooks(
    nf: Command, start: Start, write_notebook: WriteNotebook
) -> None:
    notebook = write_notebook("report.ipynb", PARAMETERS, "print('sold in', region)", "1 / (year - 2024)")
    assert start("run", notebook, "--grid", "region=north,south", "-p", "year=2024").end()[0] == Exit.FAILED

    told = nf("logs", "latest").stdout
    of_one = nf("logs", "latest", "report region=north").stdout
    followed = nf("logs", "latest", "--follow", "--json").stdout.splitlines()

    for region in ("north", "south"):
        assert re.search(rf"out +report region={region} > 3 print\(.*  sold in {region}\n", told)
        assert re.search(rf"error +report region={region} > 4 1 / .*ZeroDivisionError", told)
        whole = (
            rf"error +report region={region}  Notebook 'report.ipynb': Cell 4 failed: Zero.* is '.*\.ipynb'\.\n(?! )"
        )
        assert re.search(whole, told + "\n")
    assert told.count("1 / (year - 2024)\n") == 2
    assert "sold in north" in of_one
    assert "south" not in of_one
    printed_lines = [one for one in map(json.loads, followed) if one["logger"] == "stdout"]
    assert {(one["inside"][0], one["message"].strip()) for one in printed_lines} == {
        (f"report region={region}", f"sold in {region}") for region in ("north", "south")
    }


def test_a_run_inside_of_another_is_listed_below_it_wherever_the_list_is_cut(
    start: Start, nf: Command, write_notebook: WriteNotebook
) -> None:
    notebook = write_notebook("report.ipynb", PARAMETERS, "region")
    assert start("run", notebook, "--grid", "region=north,south").end()[0] == Exit.SUCCESS

    listed = nf("runs", "--limit", "1")
    as_json = json.loads(nf("runs", "--limit", "1", "--json").stdout)

    _, around, inside = listed.stdout.splitlines()
    assert "report.ipynb, 2 runs" in around
    assert "└ report" in inside
    assert "The newest 1" in listed.stderr
    assert [one["flow"] for one in as_json] == ["report"]


def test_the_logs_of_notebooks_are_followed_while_they_run(
    start: Start, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    says = "import os\nprint('in', region)\nopen(os.environ['READY'], 'wb', buffering=0).write(b'!')"
    notebook = write_notebook("waits.ipynb", PARAMETERS, says, "open('go').read()", "print('went on')")
    run = start("run", notebook, "--grid", "region=north", "-q")
    run.wait_until_begun()
    follower = start("logs", "--follow", "latest", "--json")
    assert follower.process.stdout is not None

    first = json.loads(follower.process.stdout.readline())
    (tmp_path / "go").write_text("!")
    second = json.loads(follower.process.stdout.readline())
    code, said = follower.end()

    assert [first["message"].strip(), second["message"].strip()] == ["in north", "went on"]
    assert first["inside"] == ["waits region=north"]
    assert code == 0
    assert "succeeded after" in said
    assert run.end() == (0, "")


def test_notebooks_of_notebooks_are_shown_to_the_innermost_cell(
    nf: Command, start: Start, write_notebook: WriteNotebook
) -> None:
    write_notebook("deepest.ipynb", "# Cell of the deepest\n1")
    path = write_notebook("middle.ipynb", RUNS_ANOTHER)
    path.with_name("outer.py").write_text(OUTER)

    code, said = start("run", path.with_name("outer.py")).end()

    assert code == 0, said
    shown = nf("show", "latest").stdout
    assert re.findall("Inside ([^:]+): run", shown) == [
        "middle",
        "middle > inner",
        "middle > inner > deepest",
    ]
    assert "✓ 1 Cell of the deepest" in shown
    drawn = nf("show", "latest", "-f", "dot").stdout
    assert re.findall(r'"node-(\d+)" -> "node-(\d+)"', drawn) == [("0", "1"), ("2", "3")]
    assert "Cell of the deepest" in drawn


def test_a_notebook_that_fails_is_run_again_as_a_whole(start: Start, write_notebook: WriteNotebook) -> None:
    source = "with open('tries', 'a') as file: file.write('x')\nassert len(open('tries').read()) > 1, 'too few'"
    path = write_notebook("flaky.ipynb", source)

    code, said = start("run", path, "--retries", "3").end()

    assert code == 0
    assert "retry 1 of 3" in said
    assert "retry 2 of 3" not in said
    assert [row.state for row in workspace.event_log().runs()] == [S.SUCCESS, S.FAILED]


def test_ctrl_c_stops_all_notebooks_as_cancelled(start: Start, write_notebook: WriteNotebook) -> None:
    begun = "import os, time\nopen(os.environ['READY'], 'wb', buffering=0).write(b'!')\nfor _ in range(600): time.sleep(0.1)"
    paths = [write_notebook(f"{name}.ipynb", begun, "1") for name in "abc"]
    run = start("run", *paths, "-j", "2")
    run.wait_until_begun()
    run.wait_until_begun()

    run.process.send_signal(signal.SIGINT)
    code, said = run.end()

    assert code == 130
    assert "was cancelled after" in said
    rows = workspace.event_log().runs()
    assert [row.state for row in rows] == [S.CANCELLED] * 3, [row.message for row in rows]


@pytest.mark.parametrize(
    ("states", "whole", "code"),
    [
        ([S.SUCCESS, S.SUCCESS], S.SUCCESS, Exit.SUCCESS),
        ([S.SUCCESS, S.FAILED], S.FAILED, Exit.FAILED),
        ([S.CRASHED, S.SUCCESS], S.FAILED, Exit.CRASHED),
        ([S.TIMED_OUT, S.TIMED_OUT], S.FAILED, Exit.TIMED_OUT),
        ([S.TIMED_OUT, S.CRASHED], S.FAILED, Exit.FAILED),
        ([S.SUCCESS, S.NOT_RUN], S.CANCELLED, Exit.CANCELLED),
        ([S.CANCELLED, S.NOT_RUN], S.TIMED_OUT, Exit.TIMED_OUT),
    ],
)
def test_the_exit_code_of_several_runs(states: list[S], whole: S, code: Exit) -> None:
    assert exit_of_all(states, whole) is code
