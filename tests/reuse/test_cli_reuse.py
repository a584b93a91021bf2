"""The command line: runs are gone on with, and what is kept is listed, removed, cleaned and verified."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from counted import counted

from notebook_flows.cli.app import app
from notebook_flows.engine.ports import KeptContent, RunInfo
from notebook_flows.store.cleaning import DAY_US, clean
from notebook_flows.workspace import event_log
from notebook_flows.workspace.cellreuse import MADE
from notebook_flows.workspace.histories import result_store

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("disk")

FLOWS = """
    from pathlib import Path
    from counted import count
    from notebook_flows import Flow, Parameter, task

    @task(cache=True)
    def load(n):
        count("load")
        return list(range(n))

    @task
    def gate(x):
        count("gate")
        if not Path("gate").exists():
            raise ValueError("closed")
        return len(x)

    @task
    def report(x, y):
        count("report")
        return sum(x) + y

    with Flow("etl") as flow:
        values = load(Parameter("n", default=3))
        report(values, gate(values))
"""

type_of_cli = "Callable[..., Result]"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTEBOOK_FLOWS_CACHE", "on")  # so that it is put back
    monkeypatch.setenv("NOTEBOOK_FLOWS_MAX_RESULT_SIZE", "1GB")  # as well
    Path("etl.py").write_text(dedent(FLOWS))

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return run


def test_a_run_that_failed_is_gone_on_with(cli: Callable[..., Result]) -> None:
    failed = cli("run", "etl.py", "-p", "n=4")
    first = counted()
    Path("gate").touch()

    done = cli("resume")

    assert (failed.exit_code, done.exit_code) == (1, 0)
    assert "notebook-flows resume " in failed.stderr
    assert first == {"load": 1, "gate": 1}
    assert counted() == {"gate": 1, "report": 1}
    assert event_log().runs(limit=1)[0].parameters == {"n": 4}


def test_run_resume_goes_on_with_the_newest_run_of_the_flow(cli: Callable[..., Result]) -> None:
    cli("run", "etl.py")
    counted()
    Path("gate").touch()

    done = cli("run", "etl.py", "--resume", "-q")

    assert done.exit_code == 0, done.stderr
    assert counted() == {"gate": 1, "report": 1}


def test_a_run_from_nowhere_needs_its_file(cli: Callable[..., Result]) -> None:
    from notebook_flows import Flow, task

    with Flow("etl") as flow:
        task(lambda: 1, name="one")()
    flow.run(keep_results=True)

    told = cli("resume")
    done = cli("resume", "--file", "etl.py")

    assert told.exit_code != 0
    assert "Say it: notebook-flows resume" in told.stderr
    assert "Traceback" not in told.stderr
    assert done.exit_code == 1  # it ran, and the gate is closed


def test_options_that_do_not_go_together_are_refused(cli: Callable[..., Result]) -> None:
    for words in (["--resume", "latest", "--no-history"], ["--no-cache", "--refresh-cache"]):
        done = cli("run", "etl.py", *words)

        assert done.exit_code == 2
        assert "Error: --" in done.stderr


@pytest.mark.parametrize(("option", "runs"), [("--no-cache", 2), ("--refresh-cache", 2), ("-q", 1)])
def test_the_cache_can_be_left_aside(option: str, runs: int, cli: Callable[..., Result]) -> None:
    Path("gate").touch()
    cli("run", "etl.py")

    cli("run", "etl.py", option)

    assert counted()["load"] == runs


def test_without_results_nothing_can_be_gone_on_with(cli: Callable[..., Result]) -> None:
    cli("run", "etl.py", "--no-results", "--no-cache")
    counted()
    Path("gate").touch()

    assert cli("resume", "-q").exit_code == 0
    assert counted() == {"load": 1, "gate": 1, "report": 1}


def test_a_run_shows_from_where_its_results_are(cli: Callable[..., Result]) -> None:
    cli("run", "etl.py")
    first = event_log().runs(limit=1)[0].run_id
    cli("run", "etl.py")

    shown = cli("show", "latest")

    assert f"≡ load  From run {first[:8]}" in shown.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "A KEY is empty. All results are meant by --all."),
        (["--all", "ffff"], "give one of them"),
        (["--all", "--task", "load"], "give one of them"),
        (["ffff", "--task", "load"], "give one of them"),
    ],
)
def test_results_are_not_removed_by_a_slip(cli: Callable[..., Result], words: list[str], told: str) -> None:
    cli("run", "etl.py")

    slip = cli("cache", "rm", *words)

    assert slip.exit_code == 2
    assert told in " ".join(slip.stderr.split())
    assert len(json.loads(cli("cache", "ls", "--json").stdout)) == 1


def test_results_are_listed_and_removed(cli: Callable[..., Result]) -> None:
    assert "Nothing is cached" in cli("cache", "ls").stderr
    cli("run", "etl.py")
    cli("run", "etl.py", "-p", "n=5")

    rows: list[dict[str, Any]] = json.loads(cli("cache", "ls", "--json").stdout)
    listed = cli("cache", "ls").stdout
    removed = cli("cache", "rm", rows[0]["key"][:8])
    unknown = cli("cache", "rm", "ffff" * 8)
    task = cli("cache", "rm", "load")
    nothing = cli("cache", "rm")
    all_of_it = cli("cache", "rm", "--task", "load")

    assert [row["size"] for row in rows] == [len("[0,1,2,3,4]"), len("[0,1,2]")]
    assert all(row["key"][:12] in listed for row in rows)
    assert re.search(r"^\w+ +etl +load ", listed, re.MULTILINE)
    assert "1 result is forgotten" in removed.stderr
    assert "There is no result 'ffff" in unknown.stderr
    assert unknown.exit_code == 2
    assert "There is no result 'load'. `--task load` means all of this task." in " ".join(task.stderr.split())
    assert nothing.exit_code == 2
    assert "1 result is forgotten" in all_of_it.stderr
    assert json.loads(cli("cache", "ls", "--json").stdout) == []


def test_a_result_that_is_larger_than_wanted_is_not_kept_and_says_so(cli: Callable[..., Result]) -> None:
    Path("gate").touch()
    limit = ("--max-result-size", "1kB")

    cli("run", "etl.py", "-p", "n=1000", *limit)
    logged = cli("logs", "latest").output
    again = cli("run", "etl.py", "-p", "n=1000", *limit)
    wrong = cli("run", "etl.py", "--max-result-size", "large")

    assert "Task 'load' is not cached: It has 3,891 bytes, and no more than 1,000 are kept of one result" in " ".join(
        logged.split()
    )
    assert again.exit_code == 0
    assert counted()["load"] == 2
    assert wrong.exit_code == 2
    assert "'large' is no size such as 500MB or 2GB" in wrong.stderr


def test_a_result_that_a_resumed_run_would_need_and_that_is_not_kept_is_told_in_the_log(
    cli: Callable[..., Result],
) -> None:
    Path("large.py").write_text(
        "from notebook_flows import Flow, task\n"
        "@task\n"
        "def make():\n    return list(range(1000))\n"
        "@task\n"
        "def measure(rows):\n    return len(rows)\n"
        "with Flow('large') as flow:\n    measure(make())\n"
    )

    run = cli("run", "large.py", "--max-result-size", "1kB")
    logged = " ".join(cli("logs", "latest").output.split())

    assert "not kept" not in run.output
    told = (
        "make Its result is not kept, so it runs again if a resumed run needs it: It has 3,891 bytes, and no more than"
    )
    assert told in logged
    assert "measure" not in logged


def test_keys_are_one_word_and_can_be_given_back(cli: Callable[..., Result]) -> None:
    cli("run", "etl.py")
    log = event_log()
    reader = log.known_results()
    kept = reader.all()[0]
    reader.close()
    run_log = log.begin(RunInfo(run_id=uuid4().hex, flow_name="f", run_name="f", slugs=[], executor="local"))
    found = {
        "run_id": kept.run_id,
        "task": "load-1",
        "index": -1,
        "took_us": 1,
        "created_us": 1,
        "reference": kept.reference,
    }
    run_log.keep([KeptContent(kept.reference["sha256"], None, f"{MADE}0123456789abcdef", found)])
    run_log.flush()
    run_log.close()

    listed = cli("cache", "ls").stdout
    keys = [row["key"] for row in json.loads(cli("cache", "ls", "--json").stdout)]
    removed = cli("cache", "rm", "made-0123")

    assert re.search(r"^made-0123456789ab +", listed, re.MULTILINE)
    assert "made-0123456789abcdef" in keys
    assert "1 result is forgotten" in removed.stderr


def test_damage_is_found_and_forgotten(cli: Callable[..., Result], disk: Path) -> None:
    Path("gate").touch()
    cli("run", "etl.py", "-p", "n=50000")
    sound = cli("cache", "verify")
    blob = next(path for path in (disk / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(blob.read_bytes()[:-1] + b"}")

    found = cli("cache", "verify")
    mended = cli("cache", "verify", "--remove")

    assert (sound.exit_code, found.exit_code, mended.exit_code) == (0, 1, 0)
    assert "is damaged" in found.stdout
    assert "0 results, 0 damaged" in cli("cache", "verify").stderr


def test_cleaning_keeps_what_is_needed_and_what_is_young(cli: Callable[..., Result], disk: Path) -> None:
    Path("gate").touch()
    for n in ("50000", "3"):
        cli("run", "etl.py", "-p", f"n={n}")
    counted()
    log = event_log()
    store = result_store()
    blobs = store.blobs.part(store.part)
    later_us = time.time_ns() // 1000 + 2 * DAY_US
    for path in (disk / "blobs").rglob("*"):
        os.utime(path, (1, 1))

    nothing = clean(log._writer, store, now_us=later_us, keep_days=30, most_bytes=None)
    too_much = clean(log._writer, store, now_us=later_us, keep_days=30, most_bytes=1000)
    still_there = len(list(blobs.all()))
    old = clean(log._writer, store, now_us=later_us + 60 * DAY_US, keep_days=30, most_bytes=None)

    assert nothing.keys == nothing.contents == 0
    assert (too_much.keys, too_much.contents) == (1, 0)
    assert still_there == 1  # the run that made it can still be gone on with
    assert old.keys == 1
    assert old.contents >= 2
    assert list(blobs.all()) == []
    assert cli("resume", "-q").exit_code == 0
    assert counted()["load"] == 1


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        (
            "cells(threads(6), processes(2))",
            "of notebook 'my sales' was. Say it: notebook-flows resume latest --file 'my sales.ipynb'",
        ),
        ("threads(4)", "of flow 'my sales' was. Say it: notebook-flows resume latest --file FILE.py"),
    ],
)
def test_a_run_of_an_unknown_file_is_resumed_by_naming_it(cli: Callable[..., Result], executor: str, told: str) -> None:
    info = RunInfo(run_id=uuid4().hex, flow_name="my sales", run_name="m", slugs=["a"], executor=executor)
    event_log().begin(info).close()

    refused = cli("resume", info.run_id)

    assert refused.exit_code == 2
    assert told.replace("latest", info.run_id[:8]) in refused.stderr


def test_the_long_name_of_parameters_is_that_of_run(cli: Callable[..., Result]) -> None:
    cli("run", "etl.py", "--parameter", "n=2")
    Path("gate").touch()

    resumed = cli("resume", "--parameter", "n=5")

    assert resumed.exit_code == 0
    assert event_log().runs(limit=1)[0].parameters == {"n": 5}


def test_gc_says_what_it_has_done(cli: Callable[..., Result]) -> None:
    assert "no history yet" in cli("cache", "gc").stderr
    cli("run", "etl.py")

    done = cli("cache", "gc", "--older-than", "0d", "--max-size", "5GB")

    assert "1 result is forgotten, 0 contents removed: 0 B freed." in done.stderr
    assert "Content stays for a day, and that of runs for as long as --older-than says." in done.stderr
    assert "stays for a day" not in cli("cache", "gc").stderr
    assert cli("cache", "gc", "--older-than", "soon").exit_code == 2


def test_a_run_of_a_notebook_is_gone_on_with(cli: Callable[..., Result]) -> None:
    import nbformat

    cells = [
        "from counted import count\nfrom pathlib import Path",
        "%%task load\ncount('load')\nrows = [1, 2]",
        "%%task gate\ncount('gate')\nassert Path('gate').exists()\nn = len(rows)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, "work.ipynb")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where the kernel finds what counts
    try:
        failed = cli("run", "work.ipynb", "-o", "out/{name}-first.ipynb")
        listed = cli("cache", "ls", "--json", "--task", "load")
        Path("gate").touch()
        resumed = cli("resume")
        again = cli("resume")
    finally:
        del os.environ["PYTHONPATH"]

    assert failed.exit_code == 1
    assert "notebook-flows resume" in failed.stderr
    assert re.search(r"notebook-flows logs [0-9a-f]{8} gate\n", failed.stderr)
    assert [(one["flow"], one["name"], one["task"]) for one in json.loads(listed.stdout)] == [
        ("work", "load", "cell-2")
    ]
    assert resumed.exit_code == 0, resumed.stderr
    assert counted() == {"load": 1, "gate": 2}
    assert "1 cached" in resumed.stderr
    assert "went well: only what has changed since runs again" not in resumed.stderr
    assert "went well: only what has changed since runs again" in again.stderr
    assert [path.name for path in Path.cwd().rglob("*.ipynb")] == ["work.ipynb", "work-first.ipynb"]
    assert "AssertionError" not in Path("out/work-first.ipynb").read_text()


@pytest.mark.parametrize(("option", "is_kept"), [((), True), (("--no-results",), False)])
def test_the_runs_of_a_grid_keep_results_only_if_they_may(
    option: tuple[str, ...], is_kept: bool, cli: Callable[..., Result]
) -> None:
    import nbformat

    from notebook_flows.workspace import event_log

    cells = ["n = 1", "%%task load\nrows = [n]", "%%task double\ntwice = rows * 2"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, "work.ipynb")

    done = cli("run", "work.ipynb", "--grid", "n=1,2", *option)

    assert done.exit_code == 0, done.stderr
    log = event_log()
    runs = [row.run_id for row in log.runs(flow="work", limit=10)]
    results = [one.result or {} for run_id in runs for one in log.task_runs(run_id)]
    assert len(runs) == 2
    assert any("sha256" in one for one in results) is is_kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "etl.py", "--cache"), "--cache is for the task cells of notebooks; in etl.py, @task(cache=True) asks"),
        (("run", "etl.py", "--no-cache", "--refresh-cache"), "--no-cache and --refresh-cache are two ways"),
        (("run", "etl.py", "--resume", "--only", "load"), "leave out --from and --only"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    cli: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    done = cli(*words)

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
