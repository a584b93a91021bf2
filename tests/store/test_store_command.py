"""``notebook-flows store``, on a file and on a server."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from click.testing import CliRunner
from store_bench import BEGUN, info, line, run_is, task_is
from store_processes import ROOT

from notebook_flows import workspace
from notebook_flows.cli.app import app
from notebook_flows.cli.store_command import Export
from notebook_flows.core.lifecycle import S
from notebook_flows.store import migrating, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result
    from store_server import Server


@pytest.fixture(params=["file", "server"])
def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The history that the settings name."""
    store = str(tmp_path / "h.sqlite") if request.param == "file" else request.getfixturevalue("server").fresh_url()
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", store)
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    found = workspace.event_log()
    yield found
    found.close()


@pytest.mark.parametrize("command", ["info", "upgrade"])
def test_what_is_no_history_is_told_and_an_empty_file_is_one_to_be_begun(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    (tmp_path / "empty").touch()
    with closing(sqlite3.connect(tmp_path / "pets")) as other:
        other.execute("CREATE TABLE pets (name)")

    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "empty"))
    empty = store(command)
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "pets"))
    pets = store(command)

    assert empty.exit_code == 0
    assert "begun with the first run" in empty.output
    assert pets.exit_code == 3
    assert "is no history of notebook_flows" in pets.stderr


def run_of(log: Any) -> str:
    """A run that has ended, in the history; its id."""
    facts = info(parameters={"year": 2024})
    run_log = log.begin(facts)
    run_log.add_log_lines([line("reading é")])
    run_log.append([*BEGUN, task_is(S.FAILED, 5, 1, message="oh"), run_is(S.FAILED, 6)])
    run_log.close()
    return facts.run_id


def store(*words: str) -> Result:
    return CliRunner().invoke(app, ["store", *words])


def told(*words: str, code: int = 0) -> Any:
    result = store(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def statement(log: Any, text: str) -> None:
    log._writer.call(lambda connection: connection.execute(text))


def test_info_of_a_history_that_is_not_begun(log: Any) -> None:
    result = store("info")

    assert result.exit_code == 0
    assert "none: it is begun with the first run" in result.stdout
    assert told("info")["version"] is None


def test_info_tells_what_is_there(log: Any) -> None:
    run_of(log)
    run_of(log)

    found = told("info")

    assert (found["store"], found["version"], found["runs"], found["states"]) == (log.name, 1, 2, {"failed": 2})
    assert (found["open"], found["spools"]) == (0, [])
    assert "2 (2 failed)" in store("info").stdout
    assert re.search(r"^From +(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) to \d{4}", store("info").stdout, re.MULTILINE)
    assert "p%40ss" not in store("info").output


def test_info_tells_every_spool_that_waits(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(log)
    spools = [SimpleNamespace(file=Path("one.spool")), SimpleNamespace(file=Path("two.spool"))]
    monkeypatch.setattr(type(log), "spools", lambda _self: spools)

    said = store("info").stdout

    assert "one.spool waits to be read" in said
    assert "two.spool waits to be read" in said


def test_a_sound_history_is_called_so(log: Any) -> None:
    run_of(log)

    result = store("check")

    assert (result.exit_code, result.stderr) == (0, f"{log.name} is sound.\n")
    assert told("check") == {"store": log.name, "problems": [], "repaired": []}


def test_what_is_wrong_is_told_and_put_right_when_asked(log: Any) -> None:
    run_id = run_of(log)
    statement(log, "UPDATE task_run SET state = 10")

    found = store("check")
    repaired = told("check", "--repair")

    assert found.exit_code == 1
    assert f"Run {run_id}: its rows do not say what its events say" in found.stdout
    assert (repaired["problems"], repaired["repaired"]) == ([], [run_id])
    assert store("check").exit_code == 0


def test_what_cannot_be_put_right_stays_told(log: Any) -> None:
    run_of(log)
    statement(log, "DELETE FROM event WHERE seq = 3")

    assert len(told("check", "--repair", code=1)["problems"]) == 1


def test_prune_wants_to_be_told_what_to_keep(log: Any) -> None:
    result = store("prune")

    assert result.exit_code == 2
    assert "--keep-days, --keep-runs, or both" in result.stderr


def test_prune_forgets_old_runs(log: Any) -> None:
    runs = [run_of(log), run_of(log)]

    forgotten = told("prune", "--keep-runs", "1")

    assert len(forgotten["forgotten"]) == 1
    assert forgotten["forgotten"][0] in runs
    assert len(log.runs()) == 1
    assert store("prune", "--keep-days", "0").stderr == "1 run is forgotten.\n"


def test_export_writes_a_run_its_events_and_its_lines(
    log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_of(log)
    run_of(log)
    monkeypatch.setattr("notebook_flows.cli.store_command.PIECE", 2)

    result = store("export", run_id[:8])
    written = store("export", "-o", "all.jsonl")

    rows = [json.loads(row) for row in result.stdout.splitlines()]
    assert [row["type"] for row in rows] == ["run", *["event"] * 6, "log"]
    assert (rows[0]["run_id"], rows[0]["tasks"], rows[0]["parameters"]) == (
        run_id,
        ["load", "clean", "report"],
        {"year": 2024},
    )
    assert [row["seq"] for row in rows[1:7]] == [1, 2, 3, 4, 5, 6]
    assert (rows[5]["kind"], rows[5]["state"], rows[5]["data"]) == ("task", "failed", {"message": "oh"})
    assert rows[7]["message"] == "reading é"
    assert written.stderr == "2 runs written to all.jsonl.\n"
    assert len((tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()) == 16


def test_an_export_that_fails_leaves_the_old_file(log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(log)
    (tmp_path / "all.jsonl").write_text("old", encoding="utf-8")
    monkeypatch.setattr("notebook_flows.cli.store_command._line", lambda *_: 1 / 0)

    result = store("export", "-o", "all.jsonl")

    assert result.exit_code == 70
    assert (tmp_path / "all.jsonl").read_text(encoding="utf-8") == "old"
    assert list(tmp_path.glob(".writing-*")) == []


def test_an_export_has_the_runs_that_are_sound_and_tells_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "h.sqlite"))
    log = workspace.event_log()
    damaged, sound = run_of(log), run_of(log)
    log.close()
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as other, other:
        other.execute("UPDATE event SET body = '[1' WHERE run_no = 1")

    result = store("export", "-o", str(tmp_path / "out.jsonl"))

    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert result.exit_code == 1
    assert "1 run written" in result.stderr
    assert f"Error: Run {damaged[:8]} is not whole there." in result.stderr
    assert {line["type"] for line in lines if line["run_id"] == sound} == {"run", "event", "log"}


def test_an_export_leaves_out_what_is_forgotten_meanwhile(log: Any) -> None:
    run_of(log)
    forgotten = run_of(log)
    export = Export(log, [row.run_id for row in reversed(log.runs())])

    lines = iter(export)
    first = next(lines)
    log.prune(keep_runs=0)
    rest = list(lines)

    assert json.loads(first)["type"] == "run"
    assert not any(forgotten in line for line in rest)
    assert (export.count, export.problems) == (0, [])


def test_export_of_a_run_that_is_not_there(log: Any) -> None:
    run_of(log)

    result = store("export", "ffff")

    assert result.exit_code == 2
    assert "There is no run 'ffff'" in result.stderr


def test_upgrade_has_nothing_to_do_in_this_version(log: Any) -> None:
    before = store("upgrade")
    run_of(log)

    after = store("upgrade")

    assert (before.exit_code, after.exit_code) == (0, 0)
    assert "There is no history yet" in before.stderr
    assert after.stderr == f"{log.name} is of version 1 already.\n"


def test_upgrade_brings_an_older_history_up(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(log)
    log.close()
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setitem(
        migrating.STEPS,
        2,
        lambda operations: operations.add_column("run", sqlalchemy.Column("note", sqlalchemy.String)),
    )
    if "://" in log.name:  # no process of the older version may be at work
        log.place._engine.dispose()
        with log.place._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE presence SET seen_us = 0")

    info_before = store("info").stdout
    result = store("upgrade")

    assert "1, older than 2: notebook-flows store upgrade" in info_before
    assert f"{log.name} is of version 2 now; it was of 1." in result.stderr
    assert log.run(run_id).state is S.FAILED


def test_a_newer_history_is_told_by_info_and_refused_by_the_rest(log: Any) -> None:
    run_of(log)
    statement(log, "UPDATE about SET value = '9'")

    assert "9, newer than this notebook_flows" in store("info").stdout
    for words in (["check"], ["prune", "--keep-runs", "1"], ["export"], ["upgrade"]):
        result = store(*words)
        assert result.exit_code == 3 or (words == ["check"] and result.exit_code == 1)
        assert "newer notebook_flows" in result.output
        assert "Traceback" not in result.output


def test_a_history_that_is_switched_off_says_by_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")

    result = store("info")

    assert result.exit_code == 3
    assert "There is no history to look at: it is off, by NOTEBOOK_FLOWS_HISTORY." in result.stderr


def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "h.sqlite").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "h.sqlite"))
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")

    for words in (["info"], ["check"], ["upgrade"], ["export"]):
        result = store(*words)
        assert result.exit_code in {1, 3}
        assert "move it and its -wal file aside" in result.output


@pytest.fixture
def nf(tmp_path: Path, server: Server) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a project whose file names a server, as a process of its own."""
    (tmp_path / "notebook_flows.toml").write_text(f'store = "{server.fresh_url()}"\n', encoding="utf-8")
    (tmp_path / "f.py").write_text(
        "from notebook_flows import Flow, task\n"
        "@task\ndef one():\n    return 1\n"
        "with Flow('small') as flow:\n    one()\n",
        encoding="utf-8",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOTEBOOK_FLOWS_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "notebook_flows", *words],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_a_flow_runs_with_its_history_on_a_server_and_the_password_is_shown_nowhere(
    nf: Callable[..., subprocess.CompletedProcess[str]], server: Server, tmp_path: Path
) -> None:
    done = nf("run", "f.py")
    listed = nf("runs", "--json")
    doctor = nf("doctor")
    server.kill()
    down = [nf("run", "f.py"), nf("runs"), nf("doctor"), nf("store", "info")]
    server.start()
    again = nf("store", "check")

    assert done.returncode == 0, done.stderr
    assert [row["flow"] for row in json.loads(listed.stdout)] == ["small"]
    assert f"(from{tmp_path}/notebook_flows.toml)" in "".join(doctor.stdout.split())
    assert "holds a password" in doctor.stdout
    assert [one.returncode for one in down] == [3, 3, 1, 3]
    assert (again.returncode, "is sound" in again.stderr) == (0, True)
    for one in (done, listed, doctor, again, *down):
        assert "p%40ss" not in one.stdout + one.stderr
        assert "Traceback" not in one.stderr
    for one in down:
        assert "cannot be reached" in one.stdout + one.stderr
