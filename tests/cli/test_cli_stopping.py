"""Runs that are stopped from outside, as real processes: Ctrl-C, SIGTERM, `cancel`, kill -9."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import nbformat
import psutil
import pytest
from cli_processes import ROOT, SAYS_READY, at_terminal
from nbformat.v4 import new_code_cell, new_notebook

from notebook_flows import workspace
from notebook_flows.cli import logs_command
from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.ports import RunInfo
from notebook_flows.store.rows import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Start = Callable[..., Started]

SLEEPS = f"""{SAYS_READY}
@task
def sleeps():
    begun()
    time.sleep(60)

@task
def after(x): pass

with Flow("sleeper") as flow: after(sleeps())
"""

STUBBORN = f"""{SAYS_READY}
@task
def stubborn():
    while True:
        try:
            begun()
            time.sleep(60)
        except KeyboardInterrupt:
            pass

with Flow("stubborn") as flow: stubborn()
"""

LEAVES_A_THREAD = f"""{SAYS_READY}
import threading

@task
def leaves():
    threading.Thread(target=time.sleep, args=(60,)).start()
    begun()
    time.sleep(60)

with Flow("leaver") as flow: leaves()
"""


def only_run() -> Any:
    [row] = workspace.event_log().runs()
    return row


@pytest.mark.parametrize("executor", ["local", "threads:2", "processes:1"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_run_records_it_and_ends_soon(
    start: Start, write: Callable[..., Path], executor: str, number: int, code: int
) -> None:
    run = start("run", write("sleeper.py", SLEEPS), "-x", executor)
    run.wait_until_begun()

    sent_s = time.monotonic()
    run.process.send_signal(number)
    found, said = run.end()

    assert found == code
    assert time.monotonic() - sent_s < 5  # 2 s, and what a busy machine takes
    assert "sleeper was cancelled after" in said
    assert "Traceback" not in said
    row = only_run()
    assert (row.state, row.message) == (S.CANCELLED, {130: "Interrupted (Ctrl-C).", 143: "Terminated (SIGTERM)."}[code])
    assert row.counts[S.CANCELLED] == 1


def test_the_second_ctrl_c_ends_what_ignores_the_first(start: Start, write: Callable[..., Path]) -> None:
    run = start("run", write("stubborn.py", STUBBORN))
    run.wait_until_begun()
    run.process.send_signal(signal.SIGINT)
    run.wait_until_begun()  # it has swallowed the first
    run.process.send_signal(signal.SIGINT)

    code, said = run.end()

    assert code == 130
    assert "Ctrl-C again ends it at once." in said
    assert only_run().state is S.CRASHED


def test_threads_that_a_task_has_left_behind_do_not_hold_up_the_end(start: Start, write: Callable[..., Path]) -> None:
    run = start("run", write("leaver.py", LEAVES_A_THREAD))
    run.wait_until_begun()
    run.process.send_signal(signal.SIGINT)

    code, said = run.end()

    assert code == 130
    assert "leaver was cancelled" in said


def ignore_ctrl_c() -> None:
    """As a shell's `&`, and nohup, start a command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_sigterm_is_heard_where_ctrl_c_is_ignored(start: Start, write: Callable[..., Path], executor: str) -> None:
    run = start("run", write("sleeper.py", SLEEPS), "-x", executor, preexec_fn=ignore_ctrl_c)
    run.wait_until_begun()
    run.process.send_signal(signal.SIGTERM)

    code, _ = run.end()

    assert code == 143
    assert only_run().state is S.CANCELLED


def test_ctrl_c_stays_ignored_where_it_was(start: Start, write: Callable[..., Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    waits = SLEEPS.replace("time.sleep(60)", "os.read(os.open('go', os.O_RDONLY), 1)")
    run = start("run", write("waits.py", waits), preexec_fn=ignore_ctrl_c)
    run.wait_until_begun()
    run.process.send_signal(signal.SIGINT)
    (tmp_path / "go").write_text("!")

    code, _ = run.end()

    assert code == 0


@pytest.mark.parametrize("executor", ["local", "threads:2"])
def test_another_process_can_cancel_a_run(
    start: Start, nf: Callable[..., Result], write: Callable[..., Path], executor: str
) -> None:
    run = start("run", write("sleeper.py", SLEEPS), "-x", executor)
    run.wait_until_begun()

    cancelled = nf("cancel", "latest", "--wait")
    code, said = run.end()

    assert cancelled.exit_code == 0
    assert "is asked to stop" in cancelled.stderr
    assert "It has ended: cancelled." in cancelled.stderr
    assert code == 6
    assert "sleeper was cancelled" in said


FAILS_AT_FIRST = f"""{SAYS_READY}
@task
def shaky():
    if not os.path.exists("good"): raise ValueError("not yet")

@task
def waits():
    begun()
    os.read(os.open("go", os.O_RDONLY), 1)

with Flow("shaky") as flow:
    first = shaky()
    waits()
    task(lambda x: None, name="after")(first)
"""


def test_another_process_can_have_tried_again_what_failed_in_a_run_that_goes_on(
    start: Start, nf: Callable[..., Result], write: Callable[..., Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    run = start("run", write("shaky.py", FAILS_AT_FIRST), "-x", "threads:2")
    run.wait_until_begun()
    (tmp_path / "good").touch()

    asked = nf("retry", "latest")
    wait_for(
        lambda: any(
            row.slug.startswith("after") and row.attempt for row in workspace.event_log().task_runs(only_run().run_id)
        )
    )
    (tmp_path / "go").write_text("!")
    code, said = run.end()

    assert (asked.exit_code, code) == (0, 0)
    assert "is asked to try again what has failed" in asked.stderr
    assert "3 success" in said


def test_a_run_that_has_ended_is_not_tried_again_but_resumed(
    nf: Callable[..., Result], write: Callable[..., Path]
) -> None:
    nf("run", write("bad.py", f"{SAYS_READY}\nwith Flow('bad') as flow: task(lambda: 1 / 0, name='bad')()"))

    result = nf("retry", "latest")

    assert result.exit_code == 2
    assert "does not go on any more: failed. To go on with it: notebook-flows resume" in result.stderr


def test_the_latest_run_to_be_tried_again_is_one_that_goes_on(
    start: Start, nf: Callable[..., Result], write: Callable[..., Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    run = start("run", write("shaky.py", FAILS_AT_FIRST), "-x", "threads:2")
    run.wait_until_begun()
    nf("run", write("short.py", f"{SAYS_READY}\nwith Flow('short') as flow: task(lambda: 1, name='one')()"))

    asked = nf("retry", "latest")
    (tmp_path / "go").write_text("!")
    run.end()

    assert asked.exit_code == 0, asked.stderr
    assert "of 'shaky' is asked to try again" in asked.stderr


def test_the_latest_run_to_be_cancelled_is_one_that_goes_on(
    start: Start, nf: Callable[..., Result], write: Callable[..., Path]
) -> None:
    short = write(
        "short.py", "from notebook_flows import Flow, task\n@task\ndef one(): pass\nwith Flow('short') as flow: one()\n"
    )
    run = start("run", write("sleeper.py", SLEEPS))
    run.wait_until_begun()
    nf("run", short)
    by_hand = workspace.event_log().begin(
        RunInfo(run_id=uuid4().hex, flow_name="cells", run_name="cell", slugs=["cell-1"], executor=BY_HAND)
    )

    cancelled = nf("cancel", "latest", "--wait")
    code, _ = run.end()
    by_hand.close()
    later = nf("cancel", "latest")

    assert "of 'sleeper' is asked to stop" in cancelled.stderr
    assert code == 6
    assert "No run goes on. Run " in later.stderr
    assert "of 'short' has ended already: success." in later.stderr


def test_a_run_that_lost_its_process_is_told_crashed(
    start: Start, nf: Callable[..., Result], write: Callable[..., Path]
) -> None:
    run = start("run", write("sleeper.py", SLEEPS))
    run.wait_until_begun()
    wait_for(
        lambda: bool(workspace.event_log().read(only_run().run_id))
    )  # its task may begin before that is on the disk
    going_on = nf("show", "latest").stdout
    run.process.kill()
    run.process.wait()

    result = nf("cancel", "latest")
    shown = nf("show", "latest").stdout

    assert result.exit_code == 0
    assert "had lost its process: it is crashed now" in result.stderr
    assert only_run().state is S.CRASHED
    assert ", so far " in going_on
    assert "  crashed\nMore: notebook-flows logs " in shown
    assert f"notebook-flows resume {only_run().run_id[:8]}\n" in shown
    assert "resume" not in going_on


@pytest.mark.parametrize("has_tasks", [True, False])
def test_the_log_of_a_run_that_has_only_just_begun_is_waited_for(
    has_tasks: bool, nf: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workspace.event_log().begin(
        RunInfo(run_id=uuid4().hex, flow_name="new", run_name="n", slugs=["a"], executor="local")
    )
    begun = Event(1, 1, Kind.RUN, -1, -1, 0, 1, S.RUNNING, {"graph": {"names": ["a"]}} if has_tasks else {})

    def meanwhile(_: float) -> None:
        run.append([begun, Event(2, 2, Kind.RUN, -1, -1, 0, 1, S.CRASHED, {"message": "It is gone."})])

    asked = nf("logs", "latest")
    monkeypatch.setattr(logs_command, "time", SimpleNamespace(sleep=meanwhile))
    followed = nf("logs", "latest", "--follow")
    run.close()

    nothing = f"Error: Run {only_run().run_id[:8]} of 'new' has recorded nothing "
    assert (asked.exit_code, asked.stderr) == (3, f"{nothing}yet.\n")
    if has_tasks:
        assert followed.exit_code == 0
        assert "of 'new' crashed after" in followed.stderr
    else:
        assert (followed.exit_code, followed.stderr) == (3, f"{nothing}before it ended: crashed. It is gone.\n")


def test_logs_can_be_followed_from_another_process(start: Start, write: Callable[..., Path], tmp_path: Path) -> None:
    source = f"""{SAYS_READY}
@task
def talks(context):
    context.logger.info("one")
    begun()
    os.read(os.open("go", os.O_RDONLY), 1)
    context.logger.info("two")

with Flow("talker") as flow: talks()
"""
    os.mkfifo(tmp_path / "go")
    run = start("run", write("talker.py", source), "-q", "-x", "threads:1")
    run.wait_until_begun()
    follower = start("logs", "--follow", "latest", "--json")
    assert follower.process.stdout is not None

    first = json.loads(follower.process.stdout.readline())
    (tmp_path / "go").write_text("!")
    second = json.loads(follower.process.stdout.readline())
    code, said = follower.end()

    assert (first["message"], second["message"]) == ("one", "two")
    assert code == 0
    assert "of 'talker' succeeded after" in said
    assert run.end() == (0, "")


def test_a_terminal_is_left_as_it_was(write: Callable[..., Path]) -> None:
    path = write(
        "prints.py",
        "import time\nfrom notebook_flows import Flow, task\n"
        "with Flow('f') as flow: task(lambda: (print('hello'), time.sleep(1)))()\n",
    )

    code, shown = at_terminal("run", path, answers={}, COLUMNS="100")

    assert code == 0
    text = shown.decode()
    assert "hello" in text
    assert "f succeeded after" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.findall(r"\x1b\[(1;\d+)?r", text) == ["1;21", ""]  # all of it scrolls again


def test_a_command_of_a_task_cell_ends_with_the_run_that_is_stopped(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    cells = [
        "%load_ext notebook_flows",
        f"%%task waits\n!echo $$ > {note}.new; mv {note}.new {note}; exec sleep 600",
        "%flow run",
    ]
    nbformat.write(new_notebook(cells=[new_code_cell(one) for one in cells]), tmp_path / "shell.ipynb")
    command = [sys.executable, "-m", "notebook_flows", "run", "shell.ipynb"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        wait_for(note.exists)
        sleeper = psutil.Process(int(note.read_text()))

        process.terminate()

        assert process.wait(60) == 143
    wait_for(lambda: not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE)


def test_a_run_whose_stdout_is_closed_exits_as_it_went(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text(
        "from notebook_flows import Flow, task\n@task\ndef a(): pass\nwith Flow('quiet') as flow: a()\n"
    )
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "still.ipynb")

    for words, told in (
        ("run quiet.py", "quiet succeeded"),
        ("run still.ipynb", "still.ipynb succeeded"),
        ("store export", ""),
    ):
        line = f"exec {sys.executable} -m notebook_flows {words} >&-"
        result = subprocess.run(["sh", "-c", line], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)

        assert result.returncode == 0, result.stderr
        assert told in result.stderr


def test_a_working_directory_that_is_gone_is_told(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write("quiet.py", f"{SAYS_READY}\nwith Flow('quiet') as flow: task(lambda: 1, name='one')()")
    gone = tmp_path / "gone"
    line = f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {sys.executable} -P -m notebook_flows run {path}"

    result = subprocess.run(
        ["sh", "-c", line],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert result.returncode == 2
    assert result.stderr.endswith("Error: The working directory has been removed: go to another one.\n")


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
