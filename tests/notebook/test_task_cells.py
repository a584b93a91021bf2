"""Task cells, run by us: side by side in one kernel, each with an end of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from click.testing import CliRunner

from notebook_flows.cli.app import app
from notebook_flows.core.lifecycle import S
from notebook_flows.notebook import serving
from notebook_flows.notebook.errors import NotebookError
from notebook_flows.running import NotebookRun, run_notebook
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOAD = "%load_ext notebook_flows"
BARRIER = "import threading\nmeet = threading.Barrier(2, timeout=10)"


def states(done: NotebookRun) -> Sequence[S]:
    return [cell.state for cell in done.cells]


def messages(done: NotebookRun) -> Sequence[str]:
    return [cell.message for cell in done.cells]


def cells_of(done: NotebookRun) -> Any:
    assert done.output_path is not None
    code = [cell for cell in nbformat.read(done.output_path, 4).cells if cell.cell_type == "code"]
    return [cell for cell in code if "notebook-flows-picture" not in cell.metadata.tags]


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_tasks_run_side_by_side_and_each_output_stands_below_its_cell(write: Any) -> None:
    one = "%%task {name} --pure\n{name} = '{name}'\n_ = meet.wait()\nfor n in range(50): print('{name}', n)\n_ = meet.wait()"

    done = run_notebook(write(LOAD, BARRIER, one.format(name="left"), one.format(name="right"), "print(left + right)"))

    assert done.is_successful, done.error
    assert [cell.name for cell in done.cells[2:4]] == ["left", "right"]
    cells = cells_of(done)
    assert printed(cells[2]) == "".join(f"left {n}\n" for n in range(50))
    assert printed(cells[3]) == "".join(f"right {n}\n" for n in range(50))
    assert printed(cells[4]) == "leftright\n"
    assert [len(cell.outputs) for cell in cells[2:]] == [1, 1, 1]


def test_what_several_tasks_write_past_python_is_in_the_log_below_none_of_them(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # a kernel that sees it leaves the file descriptors alone
    one = "%%task {0} --pure\nimport os\n_ = meet.wait()\nos.write(1, b'raw {0}\\n')\n{0} = meet.wait()"

    done = run_notebook(write(BARRIER, one.format("left"), one.format("right"), "print(left != right)"))

    assert done.is_successful, done.error
    lines = [(line.node, line.message) for line in event_log().log_lines(done.run_id) if "raw" in line.message]
    assert sorted(lines) == [(-1, "raw left"), (-1, "raw right")]
    assert [printed(cell) for cell in cells_of(done)[1:]] == ["", "", "True\n"]
    shown = CliRunner().invoke(app, ["logs", done.run_id]).output
    assert re.findall(r" out +(raw .*)", shown) in (["raw left", "raw right"], ["raw right", "raw left"])


def test_an_ordinary_cell_that_needs_no_task_runs_before_them(write: Any) -> None:
    done = run_notebook(write("seen = []", "%%task\nlate = list(seen)", "seen = seen + [1]", "late"))

    assert done.is_successful, done.error
    assert cells_of(done)[3].outputs[0].data["text/plain"] == "[]"


@pytest.mark.parametrize("needed", ["nope", "a", "b"], ids=["unknown", "itself", "below it"])
def test_a_task_that_waits_for_one_that_is_not_above_it_is_refused(write: Any, needed: str) -> None:
    path = write("%load_ext notebook_flows", f"%%task a --needs {needed}\nx = 1", "%%task b\ny = 1")

    with pytest.raises(NotebookError, match=f"'a' waits for '{needed}', which is no task above it"):
        run_notebook(path)


def test_a_failure_stops_what_needs_it_and_nobody_else(write: Any) -> None:
    done = run_notebook(
        write(
            "%%task bad\nx = 1 / 0",
            "%%task needs_bad\ny = x",
            "%%task other\nz = 3",
            "print(z)",
            "print(y)",
            "print(0)",
        )
    )

    assert done.state is S.FAILED
    assert done.error == "Cell 1 failed: ZeroDivisionError: division by zero"
    assert states(done) == [S.FAILED, S.NOT_RUN, S.SUCCESS, S.SUCCESS, S.NOT_RUN, S.NOT_RUN]
    rows = [row.state for row in event_log().task_runs(done.run_id)]
    assert rows == [S.FAILED, S.NOT_RUN, S.SUCCESS, S.SUCCESS, S.NOT_RUN, S.NOT_RUN]
    assert messages(done)[1] == "after bad"
    status = [cell.metadata.papermill.status for cell in cells_of(done)]
    assert status == ["failed", "pending", "completed", "completed", "pending", "pending"]


def test_tasks_that_need_nothing_of_a_failed_ordinary_cell_go_on(write: Any) -> None:
    done = run_notebook(write("a = 1", "b = a / 0", "%%task\nc = a", "%%task\nd = b", "print(1)"))

    assert states(done) == [S.SUCCESS, S.FAILED, S.SUCCESS, S.NOT_RUN, S.NOT_RUN]


def test_a_failed_task_is_tried_again_as_often_as_it_says(write: Any) -> None:
    source = "%%task shaky --retries 2\ntries.append(1)\nx = len(tries)\nprint('try', x)\nif x < 3: raise OSError(x)"

    done = run_notebook(write("tries = []", source, "print(x)"))

    assert done.is_successful, done.error
    assert printed(cells_of(done)[1]) == "try 3\n"
    assert printed(cells_of(done)[2]) == "3\n"
    lines = [line.message for line in event_log().log_lines(done.run_id, task="cell-2")]
    assert [line for line in lines if line.startswith("try")] == ["try 1", "try 2", "try 3"]
    rows = [(row.node, row.attempt, row.state) for row in event_log().task_runs(done.run_id)]
    assert rows[1:] == [(1, 1, S.RETRYING), (1, 2, S.RETRYING), (1, 3, S.SUCCESS), (2, 1, S.SUCCESS)]


def test_a_task_fails_once_its_tries_are_used_up(write: Any) -> None:
    done = run_notebook(write("tries = []", "%%task --retries 1\ntries.append(1)\nraise OSError(len(tries))"))

    assert (done.state, done.error) == (S.FAILED, "Cell 2 failed: OSError: 2")


def test_a_thread_whose_time_is_up_is_left_alone_and_its_late_end_counts_for_nothing(write: Any) -> None:
    slow = "%%task slow --pure --timeout 0.5\nhold.wait(30)\nslow = 1\nprint('too late')"

    done = run_notebook(
        write("import threading\nhold = threading.Event()", slow, "%%task quick\nquick = 2", "print(quick)\nhold.set()")
    )

    assert states(done) == [S.SUCCESS, S.TIMED_OUT, S.SUCCESS, S.SUCCESS]
    assert done.state is S.TIMED_OUT
    assert "took longer than its timeout of 0.5 s and cannot be stopped" in str(done.error)


def test_a_kernel_that_dies_takes_all_that_run_with_it_and_says_which(write: Any) -> None:
    die = "%%task die --pure\nimport os\nmeet.wait()\nos._exit(7)"

    done = run_notebook(
        write(BARRIER, die, "%%task other --pure\nmeet.wait()\nhold = meet.wait()", "%%task after\nhold")
    )

    assert done.state is S.CRASHED
    assert states(done)[:3] == [S.SUCCESS, S.CRASHED, S.CRASHED]
    assert done.error == "The kernel died while cells 2 and 3 ran: its process ended with exit code 7."


def test_a_task_in_the_main_thread_is_interrupted_when_its_time_is_up(write: Any) -> None:
    done = run_notebook(write("%%task --executor main --timeout 0.5\nimport time\ntime.sleep(60)", "print(1)"))

    assert states(done) == [S.TIMED_OUT, S.SUCCESS]
    assert "was interrupted" in str(done.error)


def test_a_task_that_sleeps_in_an_await_is_interrupted_when_its_time_is_up(write: Any) -> None:
    done = run_notebook(write("%%task --timeout 0.5\nimport asyncio\nawait asyncio.sleep(600)", "print(1)"))

    assert states(done) == [S.TIMED_OUT, S.SUCCESS]
    assert "was interrupted" in str(done.error)


def test_a_main_thread_that_ignores_the_interrupt_is_killed_once_nobody_else_runs(write: Any) -> None:
    deaf = "%%task deaf --pure --executor main --timeout 2\n"
    deaf += "import time\nstarted.set()\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: hit.set()"
    other = "%%task other --pure\nstarted.wait(30)\nhit.wait(30)\nimport time\ntime.sleep(1.5)\nx = 1"

    done = run_notebook(
        write("import threading\nstarted, hit = threading.Event(), threading.Event()", other, deaf, "print(x)")
    )

    assert states(done) == [S.SUCCESS, S.SUCCESS, S.TIMED_OUT, S.CRASHED]
    assert "so its kernel was killed" in str(done.error)


def test_the_timings_of_a_task_are_its_own(write: Any) -> None:
    done = run_notebook(write("%%task\nimport time\ntime.sleep(0.3)\nx = 1"))

    times = cells_of(done)[0].metadata.execution
    assert set(times) == {
        "iopub.execute_input", "iopub.status.busy", "iopub.status.idle", "shell.execute_reply",
    }  # fmt: skip
    assert times["shell.execute_reply"] == times["iopub.status.idle"] > times["iopub.execute_input"]
    began, ended = (nbformat_time(times[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
    assert (ended - began).total_seconds() >= 0.3


def nbformat_time(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_a_notebook_that_loads_nothing_is_helped_and_told(write: Any) -> None:
    done = run_notebook(write("# %%task\nx = 1"))

    assert done.is_successful, done.error
    assert "no line `%load_ext notebook_flows`" in done.notes[0]
    assert any(done.notes[0] == line.message for line in event_log().log_lines(done.run_id))


def test_a_notebook_that_only_asks_us_is_helped_and_told(write: Any) -> None:
    done = run_notebook(write("x = 1", "%flow show --cells"))

    assert done.is_successful, done.error
    assert done.notes[0].startswith("The notebook asks `%flow`, but has no line `%load_ext notebook_flows`")
    assert any(done.notes[0] == line.message for line in event_log().log_lines(done.run_id))


def test_a_notebook_without_task_cells_gets_no_session(write: Any) -> None:
    done = run_notebook(write("import sys; 'notebook_flows' in sys.modules"))

    assert cells_of(done)[0].outputs[0].data["text/plain"] == "False"
    assert done.notes == ()


def test_a_kernel_without_our_package_says_what_is_to_be_done(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MODULE", "no_such_module")

    done = run_notebook(write("print(1)", "%%task\nx = 1"))

    assert done.state is S.CRASHED
    assert "cannot run task cells: ModuleNotFoundError" in str(done.error)
    assert "install it there" in str(done.error)


def test_task_lines_that_cannot_be_understood_are_told_before_anything_runs(write: Any) -> None:
    path = write("1", "%%task --retrys 3\nx = 1", "%%task --timeout never\ny = 1")

    with pytest.raises(NotebookError) as caught:
        run_notebook(path)

    assert "Cell 'cell-2': %%task --retrys 3: there is no option --retrys. Did you mean '--retries'?" in str(
        caught.value
    )
    assert "Cell 'cell-3': %%task --timeout never" in str(caught.value)


def test_a_task_may_raise_or_be_passed_over_where_its_tags_say_so(write: Any) -> None:
    may = ("%%task may\nx = 1\nraise OSError('no')", ["raises-exception"])

    done = run_notebook(write(may, ("%%task skipped\ny = 1", ["skip-execution"]), "%%task last\nz = 1"))

    assert done.is_successful, done.error
    assert states(done) == [S.SUCCESS, S.SKIPPED, S.SUCCESS]
    assert cells_of(done)[0].outputs[0].ename == "OSError"


def test_a_tag_makes_a_task_too(write: Any) -> None:
    done = run_notebook(write("a = 0", ("a = 1", ["task:first"]), ("b = 1", ["task"]), "print(a, b)"))

    assert done.is_successful, done.error
    assert [cell.name for cell in done.cells[1:3]] == ["first", "b"]
    assert printed(cells_of(done)[3]) == "1 1\n"


def test_a_run_that_is_cancelled_ends_while_tasks_hang(write: Any) -> None:
    from notebook_flows.notebook.stopping import StopSignal

    stop = StopSignal()
    done = run_notebook(
        write("import threading\nnever = threading.Event()", "%%task\nprint('here')\nnever.wait()\nx = 1"),
        stop=stop,
        on_output=lambda number, kind, text: stop.ask("enough") if "here" in text else None,
    )

    assert (done.state, done.error) == (S.CANCELLED, "enough")
    assert states(done) == [S.SUCCESS, S.CANCELLED]


def pictures(done: NotebookRun) -> Any:
    assert done.output_path is not None
    return [cell for cell in nbformat.read(done.output_path, 4).cells if "notebook-flows-picture" in cell.metadata.tags]


def test_the_flow_as_it_ended_is_drawn_at_the_end_and_anew_by_the_next_run(write: Any) -> None:
    done = run_notebook(write(("n = 0", ["parameters"]), "%%task load\nx = 1 / n", "%%task report\nprint(x)"))

    (cell,) = pictures(done)
    assert cell is not None
    data = cell.outputs[0].data
    assert set(data) == {"image/svg+xml", "text/html", "text/plain"}
    assert "load" in data["image/svg+xml"]
    assert "not run" in data["image/svg+xml"]
    assert "1 failed" in data["text/plain"]
    assert "data:image/svg+xml," in data["text/html"]

    again = run_notebook(str(done.output_path), parameters={"n": 1}, output="again.ipynb")

    assert again.is_successful, again.error
    (cell,) = pictures(again)
    assert "failed" not in cell.outputs[0].data["text/plain"]
    assert len(again.cells) == 4


def test_the_picture_stands_below_the_cell_that_asks_for_it(write: Any) -> None:
    show = "from IPython.core.magic import register_line_magic\nregister_line_magic('flow')(lambda line: None)"

    done = run_notebook(write(show, "%%task load\nx = 1", "%flow show"))

    assert done.is_successful, done.error
    assert not pictures(done)
    assert "image/svg+xml" in cells_of(done)[2].outputs[0].data


def test_a_plain_notebook_gets_no_picture(write: Any) -> None:
    done = run_notebook(write("1"))

    assert not pictures(done)


def test_of_several_failures_the_first_is_the_anchor_and_all_are_told(write: Any) -> None:
    done = run_notebook(write("%%task a\nx = 1 / 0", "%%task b\ny = 2", "%%task c\nz = {}['no']"))

    assert states(done) == [S.FAILED, S.SUCCESS, S.FAILED]
    assert done.output_path is not None
    notebook = nbformat.read(done.output_path, 4)
    first, title, anchor, bad = notebook.cells[:4]
    assert 'An Exception was encountered at \'<a href="#papermill-error-cell">In [' in first.source
    assert 'It failed at \'<a href="#notebook-flows-error-3">In [' in first.source
    assert "Cell 3 failed: KeyError: 'no'" in first.source
    assert title.source == "# A title"
    assert 'id="papermill-error-cell"' in anchor.source
    assert bad.source == "%%task a\nx = 1 / 0"
    assert [cell.source for cell in notebook.cells[5:7]] == [
        anchor.source.replace("papermill-error-cell", "notebook-flows-error-3").replace(
            "Execution using papermill encountered an exception here and stopped:", "The next cell failed too:"
        ),
        "%%task c\nz = {}['no']",
    ]


def test_a_task_in_a_process_of_its_own_hands_its_values_back_and_may_die_alone(write: Any) -> None:
    one = "%%task away --executor processes\nimport os\nprint('here')\naway = os.getpid()"
    die = "%%task die --executor processes\nimport os\nlost = 1\nos._exit(7)"

    done = run_notebook(write("import os\nhome = os.getpid()", one, die, "print(away != home)"))

    assert states(done) == [S.SUCCESS, S.SUCCESS, S.CRASHED, S.SUCCESS]
    assert [printed(cell) for cell in cells_of(done)[1:]] == ["here\n", "", "True\n"]
    assert "Cell 3 crashed" in str(done.error)
    assert "code 7" in str(done.error)
    assert event_log().task_runs(done.run_id)[2].state is S.CRASHED


def test_a_task_whose_process_dies_is_tried_again_as_often_as_it_says(write: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    once = (
        "%%task once --retries 1 --retry-delay 0 --executor processes\nimport os, pathlib\n"
        f"mark = pathlib.Path({str(mark)!r})\nif not mark.exists():\n    mark.touch()\n    os._exit(7)\nx = 1"
    )

    done = run_notebook(write(once, "print(x)"))

    assert states(done) == [S.SUCCESS, S.SUCCESS]
    assert printed(cells_of(done)[1]) == "1\n"


def test_a_task_whose_end_is_never_told_has_crashed(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notebook_flows.notebook.attempts.ASK_EVERY_S", 0.05)
    monkeypatch.setattr("notebook_flows.notebook.attempts.LATE_S", 0.05)
    silence = "import notebook_flows.session.served as served\nserved.publish = lambda *_: None"

    done = run_notebook(write(silence, "%%task mute\nx = 1"))

    assert states(done) == [S.SUCCESS, S.CRASHED]
    assert "the message that tells how it has ended is lost" in messages(done)[1]


def test_a_task_that_takes_long_is_asked_after_and_goes_on(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notebook_flows.notebook.attempts.ASK_EVERY_S", 0.01)
    watch = (
        "import threading\nimport notebook_flows.session.server as server\nasked = threading.Semaphore(0)\n"
        "before = server.Server.runs\n"
        "def runs(*given):\n    asked.release()\n    return before(*given)\n"
        "server.Server.runs = runs"
    )

    done = run_notebook(
        write(watch, "%%task slow --pure\nseen = [asked.acquire(timeout=30) for _ in range(3)]", "print(seen)")
    )

    assert done.is_successful, done.error
    assert printed(cells_of(done)[2]) == "[True, True, True]\n"


WAITS = {
    "for the main thread": "%%task right --pure --executor main --timeout 2\nright = type(get_ipython()).__name__",
    "to be alone": "%%task right --pure --timeout 2\nk = 2\nright = g()",
    "for pyplot": "%%task right --pure --timeout 2\nimport matplotlib.pyplot as plt\nplt.plot([1])\nright = 1",
}
ODD = "import threading\nbegun = threading.Event()\ndef f(): return k\ndef g(): return fs[0]()\nfs = [f]\nk = 1"


@pytest.mark.parametrize("right", WAITS.values(), ids=WAITS.keys())
def test_a_task_that_waits_for_others_does_not_use_up_its_time(write: Any, right: str) -> None:
    left = "%%task left --pure\nimport matplotlib.pyplot as plt\nimport time\nplt.plot([1])\ntime.sleep(3)\nleft = 1"

    done = run_notebook(write(ODD, left, right, "print(left, right)"))

    assert states(done) == [S.SUCCESS] * 4, messages(done)


def test_a_task_that_has_waited_has_its_time_and_no_more(write: Any) -> None:
    left = "%%task left --pure\nimport time\ntime.sleep(1)\nleft = 1"
    right = "%%task right --pure --executor main --timeout 1\nimport time\nget_ipython()\ntime.sleep(60)"

    done = run_notebook(write(left, right, "print(left)"))

    assert states(done) == [S.SUCCESS, S.TIMED_OUT, S.SUCCESS], messages(done)
    assert "was interrupted" in str(done.error)


def test_a_process_whose_time_is_up_is_killed(write: Any, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    slow = f"%%task slow --executor processes --timeout 2\nimport os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"

    watch = f"""%%task watch --pure
import pathlib, psutil, time
file = pathlib.Path({str(pid)!r})
while not file.exists() or not file.read_text(): time.sleep(0.02)
number = int(file.read_text())
until = time.monotonic() + 30
while psutil.pid_exists(number) and time.monotonic() < until: time.sleep(0.02)
print(psutil.pid_exists(number))"""

    done = run_notebook(write(slow + "slow = time.sleep(600)", watch))

    assert states(done) == [S.TIMED_OUT, S.SUCCESS]
    assert "had its process killed" in str(done.error)
    assert printed(cells_of(done)[1]) == "False\n"


def test_the_whole_run_has_a_timeout_that_hanging_tasks_do_not_outlast(write: Any) -> None:
    hang = "%%task {name}\nimport threading\n{name} = threading.Event().wait(600)"

    done = run_notebook(write("1", hang.format(name="a"), hang.format(name="b"), "print(a)"), timeout_s=4)

    assert (done.state, done.error) == (S.TIMED_OUT, "The flow took longer than its timeout of 4 s.")
    assert states(done) == [S.SUCCESS, S.CANCELLED, S.CANCELLED, S.NOT_RUN]


def test_papermill_with_our_engine_tells_all_failures_and_keeps_the_picture(write: Any, tmp_path: Path) -> None:
    path = write(LOAD, "%%task a\nx = 1 / 0", "%%task b\ny = 2", "%%task c\nz = {}['no']", "print(x)")

    done = subprocess.run(
        [sys.executable, "-m", "papermill", "--engine", "notebook_flows", str(path), "out.ipynb"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    notebook = nbformat.read(tmp_path / "out.ipynb", 4)
    nbformat.validate(notebook)
    assert "An Exception was encountered at '<a href=\"#papermill-error-cell\">In [2]</a>'." in notebook.cells[0].source
    assert "Cell 4 failed: KeyError: 'no'" in notebook.cells[0].source
    status = [cell.metadata.papermill.status for cell in notebook.cells if cell.cell_type == "code"]
    assert status == ["completed", "failed", "completed", "failed", "pending", "completed"]
    assert "image/svg+xml" in notebook.cells[-1].outputs[0].data
    assert notebook.metadata.papermill.exception is True
