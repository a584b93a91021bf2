"""`notebook-flows run`: what it prints where, and how it exits."""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from notebook_flows import Flow, context, task, triggers, workspace
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.progress import Plain
from notebook_flows.cli.summary import error_lines
from notebook_flows.cli.watch import Watch
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.stopping import retry_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Command = Callable[..., Result]
    Write = Callable[..., Path]


def test_a_run_that_succeeds_exits_with_0_and_leaves_stdout_to_the_users_code(nf: Command, write: Write) -> None:
    result = nf("run", write("etl.py"), "-p", "count=2")

    assert result.exit_code == 0
    assert result.stdout == "extracting\n"
    assert "✓ etl succeeded after" in result.stderr
    assert "✓ clean[1]" in result.stderr
    assert "count" not in result.stderr  # a parameter is no step that anybody waits for
    [row] = workspace.event_log().runs()
    assert row.parameters == {"count": 2, "limit": 10}
    assert f"notebook-flows show {row.run_id[:8]}" in result.stderr


def test_a_run_that_fails_exits_with_1_and_tells_the_error_and_where(nf: Command, write: Write) -> None:
    path = write("etl.py")
    result = nf("run", path, "-p", "limit=2")

    assert result.exit_code == 1
    end = result.stderr.partition("✗ etl failed after")[2]
    assert "1 failed, 1 upstream failed" in end
    assert "✗ clean[2]" in end
    assert f"{path}, line 12, in clean" in end
    assert 'raise ValueError(f"row {row} is too large")' in end
    assert "ValueError: row 2 is too large" in end
    assert "'clean[2]'" in end
    assert "Traceback" not in end


@pytest.mark.filterwarnings("always:.*lists of unequal lengths:UserWarning")
def test_what_the_engine_warns_of_is_a_sentence(nf: Command, tmp_path: Path) -> None:
    file = tmp_path / "uneven.py"
    file.write_text(
        "from notebook_flows import Flow, task\n"
        "@task\ndef add(a, b):\n    return a + b\n"
        "with Flow('uneven') as flow:\n    add.map([1, 2, 3], [1, 2])\n"
    )

    result = nf("run", file)

    assert "Warning: Task 'add' is mapped over lists of unequal lengths (3, 2); the shortest counts.\n" in result.stderr
    assert "UserWarning" not in result.stderr


def test_quiet_says_nothing_of_a_success_and_all_of_a_failure(nf: Command, write: Write) -> None:
    path = write("etl.py")

    assert nf("run", path, "-q").stderr == ""
    assert nf("run", path, "-q", "-p", "limit=1").stderr.startswith("✗ etl failed after")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "cout=3"], "Did you mean 'count'?"),
        (["-p", "count=many"], "Parameter 'count' is a whole number, not 'many'."),
        (["-p", "count"], "write name=value"),
        (["-x", "proceses"], "Did you mean 'processes'?"),
        (["--timeout", "0"], "--timeout"),
        (["--output", "x.ipynb"], "--output is for notebooks, and etl.py is a Python file."),
        (["--kernel", "python3"], "--kernel is for notebooks"),
        (["--cwd", "nowhere"], "nowhere"),
        (["--picture", "nowhere/p.svg"], "--picture nowhere/p.svg: there is no folder nowhere."),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_runs(
    nf: Command, write: Write, arguments: list[str], words: str, own_history: Path
) -> None:
    result = nf("run", write("etl.py"), *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not own_history.exists()


@pytest.mark.parametrize("command", ["run", "validate", "params", "explain"])
@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_no_file(nf: Command, command: str, name: str) -> None:
    result = nf(command, name)

    assert result.exit_code == 2
    assert f"{name!r} names no file" in result.stderr


INVALID = """
from notebook_flows import Flow, task

@task
def a(x): return x

with Flow("round") as flow:
    first = a.bind(x=1)
    second = a(first)
    flow.add_edge(second, first)
"""


def test_an_invalid_flow_is_told_before_anything_runs(nf: Command, write: Write, own_history: Path) -> None:
    path = write("round.py", INVALID)
    run, validate = nf("run", path), nf("validate", path)

    assert (run.exit_code, validate.exit_code) == (2, 2)
    assert "Cycle found" in run.stderr
    assert "Cycle found" in validate.stderr
    assert not own_history.exists()


def test_validate_says_what_is_in_a_flow_that_is_well(nf: Command, write: Write) -> None:
    result = nf("validate", write("etl.py"))

    assert result.exit_code == 0
    assert result.stdout == "Flow 'etl' is valid: 5 tasks, 4 edges, parameters: count, limit.\n"


SLOW = """
import time
from notebook_flows import Flow, task

@task
def slow(): time.sleep(30)

with Flow("slow") as flow: slow()
"""


def test_a_run_that_takes_too_long_exits_with_4(nf: Command, write: Write) -> None:
    result = nf("run", write("slow.py", SLOW), "--timeout", "0.1")

    assert result.exit_code == 4
    assert "slow timed out after" in result.stderr
    assert "slow.py, line 6, in slow" in result.stderr


def test_a_run_that_waits_for_a_person_exits_with_5(nf: Command, write: Write) -> None:
    source = "from notebook_flows import Flow, task, triggers\n\n@task(trigger=triggers.manual_only)\ndef ask(): pass\n\nwith Flow('f') as flow: ask()\n"

    result = nf("run", write("ask.py", source))

    assert result.exit_code == 5
    assert "f is paused" in result.stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (S.SUCCESS, 0),
        (S.SKIPPED, 0),
        (S.CACHED, 0),
        (S.MAPPED, 0),
        (S.FAILED, 1),
        (S.UPSTREAM_FAILED, 1),
        (S.VALIDATION_FAILED, 1),
        (S.CRASHED, 3),
        (S.TIMED_OUT, 4),
        (S.PAUSED, 5),
        (S.CANCELLED, 6),
        (S.NOT_RUN, 6),
    ],
)
def test_each_end_has_its_exit_code(state: S, code: int) -> None:
    assert exit_of_state(state) == code


def test_a_run_without_history_leaves_no_trace_and_says_so(nf: Command, write: Write, own_history: Path) -> None:
    result = nf("run", write("etl.py"), "--no-history")

    assert result.exit_code == 0
    assert "none, switched off" in result.stderr
    assert "notebook-flows show" not in result.stderr
    assert not own_history.exists()


def test_a_picture_has_the_final_states(nf: Command, write: Write, tmp_path: Path) -> None:
    result = nf("run", write("etl.py"), "-p", "limit=1", "--picture", "etl.svg")

    assert f"Picture  {tmp_path / 'etl.svg'}" in result.stderr
    drawn = (tmp_path / "etl.svg").read_text()
    assert "upstream failed" in drawn
    assert "row 1 is too large" in drawn


def test_a_large_run_prints_few_lines(nf: Command, write: Write) -> None:
    result = nf("run", write("etl.py"), "-p", "count=3000", "-p", "limit=2900")

    lines = result.stderr.splitlines()
    assert len(lines) < 60
    assert sum("✗ clean[" in line for line in lines) <= 20 + 3
    assert "More failures are only counted." in lines
    assert "and 97 more failures." in result.stderr


def test_a_failure_after_many_others_is_told_too(nf: Command, write: Write) -> None:
    source = """
from notebook_flows import Flow, task

@task
def many(n): raise ValueError(n)

@task(trigger="all_finished")
def last(rows): raise KeyError("the last one")

with Flow("f") as flow: last(many.map(list(range(50))))
""".replace('"all_finished"', "__import__('notebook_flows').triggers.all_finished")
    result = nf("run", write("f.py", source), "-q")

    assert "KeyError: 'the last one'" in result.stderr


def test_a_terminal_that_cannot_show_our_glyphs_gets_letters(write: Write, start: Callable[..., object]) -> None:
    run = start("run", write("etl.py"), "-p", "limit=2", env={"PYTHONIOENCODING": "ascii"})
    code, said = run.end()

    assert code == 1
    assert "x etl failed after" in said
    assert said.isascii()


def test_nothing_is_coloured_outside_a_terminal(nf: Command, write: Write) -> None:
    assert "\x1b" not in nf("run", write("etl.py")).stderr


def test_there_is_a_line_with_the_time_of_day_for_each_task_that_ends(nf: Command, write: Write) -> None:
    lines = nf("run", write("etl.py")).stderr.splitlines()

    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  ✓ extract +\d.*", lines[0])
    assert not any("running" in line for line in lines)


def test_the_line_of_a_mapped_task_tells_how_its_children_have_ended(nf: Command, write: Write) -> None:
    well = nf("run", write("etl.py")).stderr.splitlines()
    badly = nf("run", write("etl.py"), "-p", "limit=2").stderr.splitlines()

    assert [line.split("  ")[1].split() for line in well if line.endswith(" mapped")] == [["✓", "clean"]]
    [told] = [line for line in badly if re.search(r" clean  ", line)]
    assert re.search(r"✗ clean +1 of 3 failed$", told)


def test_outside_a_terminal_a_task_that_takes_long_is_told_while_it_runs() -> None:
    watch = Watch()
    written = io.StringIO()
    plain = Plain(Console(file=written, width=100), watch)
    watch.views.append(plain)

    @task
    def slow() -> None:
        now_us = time.time_ns() // 1000
        plain.tell_running(now_us + 1_000_000)
        plain.tell_running(now_us + 65_000_000)

    with Flow("f") as flow:
        slow()
    flow.run(observers=[watch], history=False)

    told = [line.partition("  ")[2] for line in written.getvalue().splitlines()]
    assert len(told) == 2
    assert told[0].startswith("▶ slow  running for 1 min 0")
    assert told[1].startswith("✓ slow")


def test_what_failed_and_was_asked_to_be_tried_again_is_no_failure_in_the_end() -> None:
    watch = Watch()
    has_failed = []
    with Flow("f") as flow:

        @task
        def shaky() -> None:
            if not has_failed:
                has_failed.append(True)
                raise ValueError("not yet")

        @task
        def asks() -> None:
            assert retry_run(context.flow_run_id)

        shaky()
        asks()
    flow.run(observers=[watch], history=False)

    assert has_failed
    assert (watch.failures, watch.failure_count) == ([], 0)


def test_what_failed_before_it_was_tried_and_then_went_well_is_no_failure_either() -> None:
    class Remote(list[int]):
        is_there = False

        def __getitem__(self, place: Any) -> Any:
            if not Remote.is_there:
                raise OSError("not mounted")
            return super().__getitem__(place)

    def asks() -> None:
        Remote.is_there = True
        assert retry_run(context.flow_run_id)

    watch = Watch()
    with Flow("f") as flow:
        each = task(lambda x: x, name="each").map(task(lambda: Remote([1]), name="remote")())
        task(asks, trigger=triggers.all_finished)(upstream_tasks=[each])

    state = flow.run(observers=[watch], history=False)

    assert state.is_successful()
    assert (watch.failures, watch.failure_count) == ([], 0)


def test_a_task_that_fails_and_is_tried_again_is_told_each_time(nf: Command, write: Write) -> None:
    source = """
from notebook_flows import Flow, context, task

@task(max_retries=1, retry_delay=0.01)
def flaky(context):
    if context.attempt == 1: raise OSError("no connection")

with Flow("f") as flow: flaky()
"""
    result = nf("run", write("f.py", source))

    assert result.exit_code == 0
    assert re.search(r"↻ flaky .* retrying  OSError: no connection", result.stderr)


def test_debug_shows_the_traceback_and_keeps_the_exit_code(nf: Command, write: Write) -> None:
    result = nf("run", write("etl.py"), "-p", "cout=1", "--debug")

    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr


def test_a_mistake_of_ours_says_so(nf: Command, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "run_flow", lambda *_, **__: 1 / 0)

    result = nf("run", write("etl.py"))

    assert result.exit_code == Exit.OUR_MISTAKE
    assert "notebook_flows itself has failed: ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_long_error_is_cut(nf: Command) -> None:
    text = '  File "a.py", line 1, in f\n    x\nValueError: 1\n2\n3\n4\n5\n'

    assert error_lines(text) == ["ValueError: 1", "2", "3", "..."]


def test_the_schedule_of_a_flow_is_left_aside(nf: Command, write: Write) -> None:
    source = """
from datetime import timedelta
from notebook_flows import Flow
from notebook_flows.schedule import IntervalSchedule
flow = Flow("f", schedule=IntervalSchedule(interval=timedelta(days=1)))
"""
    assert nf("run", write("f.py", source), "-q").exit_code == 0
