"""`notebook-flows run` with several notebooks, grids, choices, secrets, reports."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest
from cli_processes import ROOT

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

PARAMETERS = ("region: str = 'x'\nyear: int = 2025", ["parameters"])


def printed(path: Path) -> str:
    notebook = nbformat.read(path, 4)
    return "".join(
        one.text for cell in notebook.cells for one in cell.get("outputs", ()) if one.output_type == "stream"
    )


# -- grids and several notebooks ---------------------------------------------------------------------------------------


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


# -- secrets, variables, shells ----------------------------------------------------------------------------------------

SECRETS = (
    ("from notebook_flows import Secret\ntoken: Secret", ["parameters"]),
    "print('got', token.get())\nassert token.get()[:7] == 'hunter' + '2'",
    "raise ValueError(token.get())",
)


def test_a_secret_is_in_no_file_and_in_no_message(start: Start, write_notebook: WriteNotebook, tmp_path: Path) -> None:
    path = write_notebook("secret.ipynb", *SECRETS)
    hidden = {"TOKEN": "hunter2-and-more"}

    run = start("run", path, "-p", "token=@env:TOKEN", "--html", "page.html", env=hidden)
    code, said = run.end()

    assert code == 1
    assert "ValueError: ***" in said
    assert "hunter2" not in said
    workspace.event_log().close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"hunter2" not in file.read_bytes(), file
    assert printed(tmp_path / "secret-output.ipynb") == "got ***\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give it as token=@env:VARIABLE or @file:FILE"),
        (["-p", "token=@env:NO_SUCH_VARIABLE"], "there is no environment variable 'NO_SUCH_VARIABLE'"),
        (["-p", "token=@file:nowhere"], "the file nowhere cannot be read"),
        (["-p", "token=@prompt"], "nobody sits at a terminal"),
        (["-p", "token=@file:secret.ipynb", "-o", "{token}.ipynb"], "which is a secret"),
    ],
)
def test_a_secret_that_is_not_there_is_told(
    nf: Command, write_notebook: WriteNotebook, options: list[str], words: str
) -> None:
    path = write_notebook("secret.ipynb", *SECRETS)

    result = nf("run", path, *options)

    assert result.exit_code == 2
    assert words in result.stderr


def test_a_secret_that_is_required_is_typed_unseen(write_notebook: WriteNotebook) -> None:
    path = write_notebook("secret.ipynb", *SECRETS[:2])
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "notebook_flows", "run", str(path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
            if shown.endswith(b"Secret token: "):
                os.write(master, b"hunter2-typed\n")
    except OSError:  # Linux tells the end of a terminal like this
        pass
    os.close(master)

    assert process.wait(20) == 0
    assert b"hunter2" not in shown
    assert printed(path.with_name("secret-output.ipynb")) == "got ***\n"


def test_a_secret_for_a_parameter_of_a_flow_has_to_be_declared(nf: Command, write: Callable[..., Path]) -> None:
    source = """
from notebook_flows import Flow, Parameter, Secret, task

@task
def use(token): print(type(token).__name__, len(token.get()))

with Flow("f") as flow: use(Parameter("token", default=Secret("")))
"""
    (write("token.txt", "hunter2\n"), write("f.py", source))

    assert nf("run", "f.py", "-p", "token=@file:token.txt").stdout == "Secret 7\n"
    refused = nf("run", write("etl.py"), "-p", "count=@file:token.txt")
    assert refused.exit_code == 2
    assert "Parameter 'count' is no secret" in refused.stderr


def test_variables_come_from_a_file_where_they_are_not_set(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook("env.ipynb", "import os\nprint(os.environ['ONE'], os.environ['TWO'])")
    path.with_name("my.env").write_text("# both\nexport ONE='a b'\nTWO=file\n")

    code, said = start("run", path, "--env-file", "my.env", env={"TWO": "set"}).end()

    assert code == 0, said
    assert printed(path.with_name("env-output.ipynb")) == "a b set\n"


def test_a_failing_command_fails_the_run_if_wanted(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook("shell.ipynb", "!false")

    assert start("run", path, "-q").end() == (0, "")
    code, said = start("run", path, "--strict-shell").end()

    assert code == 1
    assert "!false failed with exit code 1." in said


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


def test_a_notebook_in_another_language_is_shown_in_its_order(nf: Command, write_notebook: WriteNotebook) -> None:
    path = write_notebook("r.ipynb", "x <- 1", "print(x)", kernel="ir", language="R")

    shown, explained = nf("show", path), nf("explain", path)

    assert "└─ 2 print(x)" in shown.stdout
    assert explained.exit_code == 2
    assert "is not in Python" in explained.stderr


def test_only_notebooks_are_explained(nf: Command, write: Callable[..., Path]) -> None:
    result = nf("explain", write("etl.py"))

    assert result.exit_code == 2
    assert "explain is for notebooks" in result.stderr


# -- other languages ---------------------------------------------------------------------------------------------------


@pytest.fixture
def bash_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "jupyter" / "kernels" / "our_bash"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
        "display_name": "B",
        "language": "bash",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


@pytest.mark.usefixtures("bash_spec")
def test_a_notebook_in_another_language_runs_as_a_plain_one(start: Start, write_notebook: WriteNotebook) -> None:
    cells = (("region=x", ["parameters"]), "echo region $region; export OTHER=1", ("echo $OTHER", ["task:last"]))
    path = write_notebook("shell.ipynb", *cells, kernel="our_bash", language="bash")

    code, said = start("run", path, "-p", "region=north").end()

    assert code == 0, said
    assert printed(path.with_name("shell-output.ipynb")) == "region north\n1\n"
    [row] = workspace.event_log().runs()
    assert (row.state, row.counts, row.executor) == (S.SUCCESS, {S.SUCCESS: 4}, "kernel(our_bash)")


@pytest.mark.usefixtures("bash_spec")
def test_a_cell_that_fails_in_another_language_fails_the_run(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook(
        "shell.ipynb", "echo on", "cat /no/such/file", "echo never", kernel="our_bash", language="bash"
    )

    code, said = start("run", path).end()

    assert code == 1
    assert "2 cat /no/such/file" in said
    assert [row.state for row in workspace.event_log().task_runs(workspace.event_log().runs()[0].run_id)] == [
        S.SUCCESS,
        S.FAILED,
        S.NOT_RUN,
    ]


@pytest.mark.usefixtures("bash_spec")
def test_what_only_python_has_is_refused_in_another_language(nf: Command, write_notebook: WriteNotebook) -> None:
    path = write_notebook("shell.ipynb", ("a=1", ["parameters"]), kernel="our_bash", language="bash")
    path.with_name("token").write_text("hunter2")

    chosen, secret = nf("run", path, "--only", "1"), nf("run", path, "-p", "a=@file:token")

    assert (chosen.exit_code, secret.exit_code) == (2, 2)
    assert "is not in Python" in chosen.stderr
    assert "'a' is a secret; only Python's notebooks take them." in secret.stderr
