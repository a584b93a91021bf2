"""The commands that look at the history, and at the installation."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import workspace
from notebook_flows.cli import history
from notebook_flows.cli.history import run_named
from notebook_flows.core.lifecycle import S
from notebook_flows.session.handrun import HandRuns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Command = Callable[..., Result]


FAIL_FAST = """
from notebook_flows import Flow, task

@task
def bad(): raise ValueError("boom")

@task
def good(): pass

with Flow("strict", fail_fast=True) as flow:
    bad(), good(), good()
"""


@pytest.fixture
def two_runs(nf: Command, write: Callable[..., Path]) -> list[str]:
    """The ids of a run that succeeded and, newer, one that failed."""
    path = write("etl.py")
    nf("run", path, "-q")
    nf("run", path, "-q", "-p", "limit=1")
    return [row.run_id for row in reversed(workspace.event_log().runs())]


def test_runs_are_listed_newest_first(nf: Command, two_runs: list[str]) -> None:
    result = nf("runs")

    head, newest, oldest = result.stdout.splitlines()
    assert head.split()[:6] == ["Run", "Flow", "State", "Started", "Took", "Tasks"]
    assert newest.startswith(f"{two_runs[1][:8]}  etl   ✗ failed")
    assert oldest.startswith(f"{two_runs[0][:8]}  etl   ✓ success")
    assert not any(line.endswith(" ") for line in result.stdout.splitlines())


def test_cells_by_hand_do_not_drown_the_runs(nf: Command, two_runs: list[str]) -> None:
    log = workspace.event_log()
    by_hand = HandRuns()
    for number in range(30):
        run = by_hand.begin("sales", SimpleNamespace(name=f"cell {number}"))  # type: ignore[arg-type] # all it reads
        assert run is not None
        run.end(S.SUCCESS)
    by_hand.wait()

    result = nf("runs", "--limit", "1")

    assert result.stdout.splitlines()[1].startswith(two_runs[1][:8])
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.endswith("And 30 cells run by hand; --cells shows them.\n")
    assert nf("runs", "--cells", "--limit", "0").stdout.count("sales") == 30
    assert len(json.loads(nf("runs", "--json").stdout)) == 2
    assert nf("runs", "--flow", "sales").stderr == "Nothing but 30 cells run by hand; --cells shows them.\n"
    assert run_named(log, "latest").run_id == two_runs[1]


def test_runs_as_json_have_all_that_is_known(nf: Command, two_runs: list[str]) -> None:
    newest, oldest = json.loads(nf("runs", "--json").stdout)

    assert (newest["run_id"], newest["state"]) == (two_runs[1], "failed")
    assert newest["counts"]["failed"] == 2
    assert newest["parameters"] == {"count": 3, "limit": 1}
    assert datetime.fromisoformat(oldest["started"]).tzinfo == UTC
    assert oldest["duration_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--state", "failed"], [1]),
        (["--state", "Success"], [0]),
        (["--limit", "1"], [1]),
        (["--limit", "0"], [1, 0]),
        (["--since", "1h"], [1, 0]),
        (["--since", "2999-01-01"], []),
        (["--flow", "etl"], [1, 0]),
        (["--flow", "other"], []),
    ],
)
def test_runs_can_be_chosen(nf: Command, two_runs: list[str], arguments: list[str], found: list[int]) -> None:
    listed = json.loads(nf("runs", "--json", *arguments).stdout)

    assert [one["run_id"] for one in listed] == [two_runs[number] for number in found]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs", "--flow", "elt"], "No flow named 'elt' has run. Did you mean 'etl'?"),
        (["runs", "--state", "faild"], "Did you mean 'failed'?"),
        (["runs", "--since", "soon"], "'soon' is no moment"),
        (["runs", "--limit", "9" * 23], "is not in the range 0<=x<=1000000000"),
        (["show", "ffffffffffffffff0"], "There is no run"),
        (["logs", "latest", "laod"], "has no task 'laod'. Did you mean 'load'?"),
        (["cancel", "zz"], "There is no run 'zz'."),
        (["cancel", "latest", "--timeout", "nan"], "nan is no number of seconds"),
        (["cancel", "latest", "--timeout", "inf"], "inf is not in the range"),
        (["store", "prune", "--keep-days", "nan"], "nan is no number of days"),
        (["store", "prune", "--keep-days", "inf"], "inf is not in the range"),
        (["show", "latest", "--format", "png"], "png"),
        (["rnu"], "There is no command 'rnu'. Did you mean 'run'?"),
        (["etl.py"], "To run it: notebook-flows run etl.py"),
    ],
)
def test_a_slip_is_told(nf: Command, two_runs: list[str], arguments: list[str], words: str) -> None:
    result = nf(*arguments)

    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_where_nothing_has_run_that_is_said(nf: Command) -> None:
    assert nf("runs").stderr == "There are no runs yet.\n"
    assert nf("runs", "--json").stdout == "[]\n"
    result = nf("logs", "latest")
    assert (result.exit_code, result.stderr) == (2, "Error: There are no runs yet.\n")


def test_logs_have_what_was_logged_and_how_a_task_failed(nf: Command, two_runs: list[str]) -> None:
    assert "info    load  loads 3 rows" in nf("logs", two_runs[0][:8]).stdout
    failed = nf("logs", "latest", "clean[2]").stdout
    assert "error   clean[2]  ValueError: row 2 is too large" in failed
    assert "Traceback (most recent call last):" in failed
    assert "row 1 is too large" not in failed


def test_logs_as_json_are_a_line_each(nf: Command, two_runs: list[str]) -> None:
    lines = [json.loads(line) for line in nf("logs", "latest", "clean", "--json").stdout.splitlines()]

    assert [line["index"] for line in lines] == [1, 2]
    assert {line["level"] for line in lines} == {"error"}
    assert lines[0]["message"].endswith("ValueError: row 1 is too large")


@pytest.mark.parametrize("command", ["logs", "artifacts"])
@pytest.mark.parametrize(
    ("child", "has"), [("clean[99]", "its children are 0 to 2"), ("load[0]", "it has no children")]
)
def test_a_child_that_there_was_not_is_refused(
    command: str, child: str, has: str, nf: Command, two_runs: list[str]
) -> None:
    result = nf(command, "latest", child)

    name, index = child.removesuffix("]").split("[")
    assert result.exit_code == 2
    assert f"Task {name!r} of run {two_runs[1][:8]} has no child {index}: {has}." in result.stderr


@pytest.mark.parametrize("what", ["loop", "name"])
def test_the_doctor_tells_a_place_where_no_history_can_be(
    what: str, nf: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / (what if what == "loop" else "n" * 300)))

    result = nf("doctor", "--json")

    assert result.exit_code == 1
    (broken,) = [one["told"] for one in json.loads(result.stdout) if one["verdict"] == "broken"]
    assert {"loop": "Too many levels of symbolic links", "name": "File name too long"}[what] in broken


def test_logs_below_the_level_are_left_out(nf: Command, two_runs: list[str]) -> None:
    result = nf("logs", two_runs[0], "--level", "warning")

    assert result.stdout == ""
    assert "has logged nothing" in result.stderr


def test_following_a_run_that_has_ended_ends(nf: Command, two_runs: list[str]) -> None:
    result = nf("logs", "--follow", two_runs[0])

    assert "loads 3 rows" in result.stdout
    assert f"Run {two_runs[0][:8]} of 'etl' succeeded after" in result.stderr


def test_a_run_is_shown_as_a_tree_with_states(nf: Command, two_runs: list[str]) -> None:
    shown = nf("show", two_runs[1][:10]).stdout

    assert "State       failed" in shown
    assert "✗ clean" in shown
    assert "2 failed, 1 success" in shown
    assert "⊘ load" in shown
    assert "✗ clean[1]  ValueError: row 1 is too large" in shown


def test_a_flow_is_shown_without_running(nf: Command, write: Callable[..., Path], own_history: Path) -> None:
    path = write("etl.py")

    assert "└─ load" in nf("show", path).stdout
    assert nf("show", f"{path}:flow", "--format", "dot").stdout.startswith("digraph etl {")
    assert not own_history.exists()


def test_a_picture_is_written_in_the_format_of_its_name(nf: Command, two_runs: list[str], tmp_path: Path) -> None:
    result = nf("show", "latest", "--output", "run.svg")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "<svg" in (tmp_path / "run.svg").read_text()


def test_cancelling_what_has_ended_says_so(nf: Command, two_runs: list[str]) -> None:
    result = nf("cancel", "latest")

    assert result.exit_code == 0
    assert result.stderr == f"No run goes on. Run {two_runs[1][:8]} of 'etl' has ended already: failed.\n"


def test_the_doctor_finds_nothing_wrong_here(nf: Command, two_runs: list[str], own_history: Path) -> None:
    result = nf("doctor", "--json")

    findings: list[dict[str, Any]] = json.loads(result.stdout)
    assert [one for one in findings if one["verdict"] == "broken"] == []
    assert result.exit_code == 0
    assert {"what": "History", "verdict": "ok", "told": "sound, 2 runs"} in findings
    told = next(one["told"] for one in findings if one["what"] == "NOTEBOOK_FLOWS_STORE")
    assert told == f"{own_history} (from the environment)"


EVERY_COMMAND = (
    "runs",
    "show latest",
    "logs latest",
    "cancel latest",
    "run etl.py",
    "run etl.py --resume",
    "resume latest",
    "cache ls",
    "cache gc",
    "cache verify",
    "store info",
    "store check",
    "store export",
    "store prune --keep-runs 1",
    "store upgrade",
)


@pytest.mark.parametrize("words", EVERY_COMMAND)
def test_a_damaged_history_is_one_sentence_whatever_is_asked(
    start: Callable[..., Any], write: Callable[..., Path], own_history: Path, words: str
) -> None:
    write("etl.py")
    own_history.parent.mkdir()
    own_history.write_bytes(b"dear diary, " * 1000)

    code, said = start(*words.split()).end()

    assert code == 3
    assert said.count("\n") == 1
    assert said.startswith(f"Error: {own_history} is damaged or no history")


def test_the_doctor_finds_a_damaged_history(nf: Command, own_history: Path) -> None:
    own_history.parent.mkdir()
    own_history.write_bytes(b"no database at all" * 100)

    result = nf("doctor")

    assert result.exit_code == 1
    assert "✗  History" in result.stdout
    assert "Traceback" not in result.output


def test_the_doctor_finds_a_setting_that_cannot_be_understood(nf: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "of")

    result = nf("doctor")

    assert result.exit_code == 1
    assert "NOTEBOOK_FLOWS_HISTORY is 'of'" in result.stdout


def blobs_in(result: Any) -> list[tuple[str, str]]:
    return [(one["verdict"], one["told"]) for one in json.loads(result.stdout) if one["what"] == "Blobs"]


@pytest.mark.usefixtures("own_history")
def test_the_doctor_tries_whether_a_bucket_takes_results(
    nf: Command, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    assert aws
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", "s3://results-of-ours/here")
    missing = nf("doctor", "--json")
    boto3.client("s3").create_bucket(Bucket="results-of-ours")

    there = nf("doctor", "--json")

    told = "Results in s3://results-of-ours/here cannot be written: there is no bucket 'results-of-ours'."
    assert missing.exit_code == 1
    assert blobs_in(missing) == [("broken", told)]
    assert blobs_in(there) == [("ok", "s3://results-of-ours/here, writable")]
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="results-of-ours")


@pytest.mark.usefixtures("own_history")
def test_the_doctor_finds_a_folder_for_results_that_cannot_be_made(
    nf: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", str(tmp_path / "file" / "blobs"))

    result = nf("doctor", "--json")

    assert blobs_in(result) == [("broken", f"{tmp_path / 'file'} cannot be written: Not a directory.")]


def test_the_shell_completes_runs_and_states(two_runs: list[str]) -> None:
    runs: Any = history.complete_run(None, None, two_runs[0][:2])  # type: ignore[arg-type] # it needs neither
    states: Any = history.complete_state(None, None, "fa")  # type: ignore[arg-type] # nor here

    assert two_runs[0][:8] in [item.value for item in runs]
    assert [item.value for item in states] == ["failed"]


def test_help_and_version_load_next_to_nothing() -> None:
    code = (
        "import sys\n"
        "from notebook_flows.cli.app import app\n"
        "for words in (['--version'], ['--help'], ['run', '--help'], ['runs', '--help']):\n"
        "    app(words, standalone_mode=False)\n"
        "heavy = {'rich', 'papermill', 'nbformat', 'nbclient', 'jupyter_client', 'graphviz', 'sqlite3', 'asyncio'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "notebook-flows 0." in done.stdout


@pytest.mark.parametrize(
    "name", ["run", "validate", "show", "params", "runs", "logs", "cancel", "retry", "doctor", "version"]
)
def test_every_command_explains_itself(nf: Command, name: str) -> None:
    result = nf(name, "--help")

    assert result.exit_code == 0
    assert "--debug" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_log_levels_stay_what_they_were(nf: Command, write: Callable[..., Path]) -> None:
    before = logging.getLogger().handlers[:]

    nf("run", write("etl.py"), "-q")

    assert logging.getLogger().handlers == before


def test_the_end_of_a_run_the_list_and_the_picture_count_alike(nf: Command, write: Callable[..., Path]) -> None:
    path = write("etl.py")

    ending = nf("run", path, "-p", "limit=1").stderr
    listed = nf("runs").stdout
    shown = nf("show", "latest").stdout
    counts = json.loads(nf("runs", "--json").stdout)[0]["counts"]

    assert "2 failed, 1 upstream failed, 4 success." in ending
    assert "✗ 2  ⊘ 1  ✓ 4" in listed
    assert "5 tasks, 7 task runs, 2 failed, 1 upstream failed, 4 success" in shown
    assert counts == {"failed": 2, "upstream failed": 1, "success": 4}


def test_what_never_began_counts_too(nf: Command, write: Callable[..., Path]) -> None:
    path = write("etl.py", FAIL_FAST)

    ending = nf("run", path).stderr
    listed = nf("runs").stdout

    assert "1 failed, 2 not run" in ending
    assert "✗ 1  - 2" in listed
