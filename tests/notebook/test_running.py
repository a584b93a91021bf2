"""Notebooks in real kernels: each way to end has its true state, a clear sentence, and an honest file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from ast import literal_eval
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook import streams
from notebook_flows.notebook.errors import CellError, NotebookError, OutputError, UnknownKernel
from notebook_flows.running import NotebookRun, run_notebook
from notebook_flows.workspace import event_log

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    ("n: int = 1  # how many\nname = 'x'", ["parameters"]),
    "from IPython.display import clear_output, display\nhandle = display('before', display_id=True)",
    "handle.update('after')\nprint('gone')\nclear_output()\nprint('first'); print('second')\nname * n",
    ("1 / 0", ["raises-exception"]),
    ("raise SystemExit('never')", ["skip-execution"]),
    "",
    "import sys, warnings, os\nsys.stdout.write('10 %\\r'); sys.stdout.flush(); print('100 %'); print('oh', file=sys.stderr)",
    "get_ipython().kernel.parent.transport, os.getcwd()",
    "await __import__('asyncio').sleep(0)\nfor number in range(3000): print(number, flush=True)",
)


def cells_of(path: Path) -> list[Any]:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def statuses(path: Path) -> list[str]:
    return [cell.metadata["papermill"]["status"] for cell in cells_of(path)]


def texts(cell: Any) -> dict[str, str]:
    return {one.name: one.text for one in cell.outputs if one.output_type == "stream"}


def states(done: NotebookRun) -> list[S]:
    return [cell.state for cell in done.cells]


def recorded(done: NotebookRun) -> tuple[S, list[S]]:
    log = event_log()
    return log.run(done.run_id).state, [row.state for row in log.task_runs(done.run_id)]


def test_a_notebook_runs_and_everything_about_it_is_told(write: Any, tmp_path: Path) -> None:
    path = write(*GOOD)
    before = path.read_bytes()
    heard: list[tuple[int, str, str]] = []

    done = run_notebook(path, parameters={"n": "2"}, on_output=lambda *told: heard.append(told))

    assert done.is_successful
    assert (done.error, done.parameters, path.read_bytes()) == (None, {"n": 2}, before)
    assert states(done) == [S.SUCCESS] * 5 + [S.SKIPPED] + [S.SUCCESS] * 3
    assert recorded(done)[0] is S.SUCCESS
    cells = cells_of(tmp_path / "work-output.ipynb")
    assert [cell.source for cell in cells[:2]] == [GOOD[0][0], "# Parameters\nn = 2"]
    assert cells[2].outputs[0].data["text/plain"] == "'after'"
    assert [texts(cells[3]), cells[3].outputs[-1].data["text/plain"]] == [{"stdout": "first\nsecond\n"}, "'xx'"]
    assert cells[4].outputs[0].ename == "ZeroDivisionError"
    assert texts(cells[7]) == {"stdout": "100 %\n", "stderr": "oh\n"}
    assert literal_eval(cells[8].outputs[0].data["text/plain"]) == ("ipc", str(tmp_path))
    assert texts(cells[9])["stdout"] == "".join(f"{number}\n" for number in range(3000))
    assert [cell.metadata["papermill"]["status"] for cell in cells] == ["completed"] * 5 + ["pending"] + [
        "completed"
    ] * 4
    assert set(cells[2].metadata["execution"]) == {
        "iopub.execute_input", "iopub.status.busy", "iopub.status.idle", "shell.execute_reply",
    }  # fmt: skip
    lines = event_log().log_lines(done.run_id, task="cell-7")
    assert [(line.logger, line.message) for line in lines] == [("stdout", "100 %"), ("stderr", "oh")]
    assert ("result", "'xx'") in [(kind, text) for _, kind, text in heard]
    assert (9, "stdout") in {(number, kind) for number, kind, _ in heard}
    assert not list(tmp_path.glob(".*saving"))


def test_an_exception_ends_the_run_there(write: Any, tmp_path: Path) -> None:
    done = run_notebook(write("x = 1", "def deep():\n    return x / 0\ndeep()", "x"))

    assert (done.state, done.error) == (S.FAILED, "Cell 2 failed: ZeroDivisionError: division by zero")
    assert states(done) == [S.SUCCESS, S.FAILED, S.NOT_RUN]
    assert recorded(done) == (S.FAILED, [S.SUCCESS, S.FAILED, S.NOT_RUN])
    assert isinstance(done.exception, CellError)
    assert "return x / 0" in done.exception.traceback
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed", "pending"]
    notebook = nbformat.read(tmp_path / "work-output.ipynb", 4)
    assert "An Exception was encountered at '<a href=\"#papermill-error-cell\">In [2]</a>'." in notebook.cells[0].source
    assert notebook.metadata["papermill"]["exception"] is True
    assert any("ZeroDivisionError" in line.message for line in event_log().log_lines(done.run_id, task="cell-2"))


def test_an_output_runs_again_without_its_markers(write: Any, tmp_path: Path) -> None:
    run_notebook(write(("n = 0", ["parameters"]), "1 / n"))

    done = run_notebook("work-output.ipynb", parameters={"n": 1}, output="again.ipynb")

    assert done.is_successful
    cells = nbformat.read(tmp_path / "again.ipynb", 4).cells
    assert [cell.source for cell in cells] == ["# A title", "n = 0", "# Parameters\nn = 1", "1 / n"]


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os; os._exit(7)", "its process ended with exit code 7."),
        (
            "import os; print('last', flush=True); os.kill(os.getpid(), 9)",
            "its process was killed by signal 9 (SIGKILL), perhaps because the machine ran out of memory.",
        ),
    ],
)
def test_a_kernel_that_dies_is_told_with_how(write: Any, tmp_path: Path, source: str, how: str) -> None:
    done = run_notebook(write("1", source, "3"))

    assert (done.state, done.error) == (S.CRASHED, f"The kernel died in cell 2: {how}")
    assert recorded(done) == (S.CRASHED, [S.SUCCESS, S.CRASHED, S.NOT_RUN])
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed", "pending"]
    assert how in nbformat.read(tmp_path / "work-output.ipynb", 4).cells[0].source


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("while True: pass", "was interrupted."),
        ("import asyncio\nawait asyncio.sleep(600)", "was interrupted."),
        ("import time\ntry: time.sleep(600)\nfinally: time.sleep(2)", "was interrupted."),
        (
            "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)",
            "ignored the interrupt, so its kernel was killed.",
        ),
    ],
)
def test_a_cell_that_hangs_is_interrupted_and_else_its_kernel_killed(
    write: Any, tmp_path: Path, source: str, how: str
) -> None:
    done = run_notebook(write("1", source, "3"), cell_timeout_s=0.7)

    assert (done.state, done.error) == (S.TIMED_OUT, f"Cell 2 took longer than its timeout of 0.7 s and {how}")
    assert states(done) == [S.SUCCESS, S.TIMED_OUT, S.NOT_RUN]
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed", "pending"]


def test_a_kernel_that_cannot_tell_its_exception_ends_as_a_failure(write: Any, tmp_path: Path) -> None:
    group = "import asyncio\nasync def bad(): raise ValueError('deep')\nasync with asyncio.TaskGroup() as g: g.create_task(bad())"

    done = run_notebook(write(group, "2"))

    assert done.state is S.FAILED
    assert done.error is not None
    assert done.error.startswith("Cell 1 failed: ")
    assert statuses(tmp_path / "work-output.ipynb") == ["failed", "pending"]


@pytest.mark.parametrize("source", ["import sys; sys.exit(0)", "exit()"])
def test_a_notebook_may_end_itself(write: Any, tmp_path: Path, source: str) -> None:
    done = run_notebook(write("1", source, "3", "4"))

    assert (done.state, states(done)) == (S.SUCCESS, [S.SUCCESS, S.SUCCESS, S.SKIPPED, S.SKIPPED])
    assert done.cells[3].message == "The notebook ended itself in cell 2."
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "completed", "pending", "pending"]


def test_an_exit_with_a_code_is_a_failure(write: Any) -> None:
    done = run_notebook(write("import sys; sys.exit(3)", "2"))

    assert (done.state, done.error) == (S.FAILED, "Cell 1 failed: sys.exit(3)")


def test_a_flood_is_bounded_in_the_notebook_and_whole_beside_it(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "TEXT_LIMIT", 1_000_000)
    (tmp_path / "work-output.cell-9.log").touch()

    done = run_notebook(write("for number in range(5): print(('x' * 99 + '\\n') * 10_000, end='')"))

    assert done.is_successful
    printed = texts(cells_of(tmp_path / "work-output.ipynb")[0])["stdout"]
    assert "4.0 MB more were printed; all of it is in work-output.cell-1.log" in printed
    assert [one.name for one in tmp_path.glob("*.log")] == ["work-output.cell-1.log"]
    assert (tmp_path / "work-output.cell-1.log").stat().st_size == 5_000_000
    assert sum(len(line.message) for line in event_log().log_lines(done.run_id)) < 1_100_000


def test_the_whole_run_has_a_timeout_too_and_keeps_it(write: Any, tmp_path: Path) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: time.sleep(1)"

    done = run_notebook(write("1", deaf), timeout_s=3)

    assert (done.state, done.error) == (S.TIMED_OUT, "The flow took longer than its timeout of 3 s.")
    assert states(done) == [S.SUCCESS, S.CANCELLED]
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed"]


def test_another_process_can_cancel_it(write: Any, tmp_path: Path) -> None:
    run_id = "c" * 32
    path = write("1", "print('ready', flush=True)\nimport time\nwhile True: time.sleep(1)", "3")

    def cancel(number: int, kind: str, text: str) -> None:
        event_log().request(run_id, "cancel", {"reason": "Enough."})

    done = run_notebook(path, flow_run_id=run_id, on_output=cancel)

    assert (done.state, done.error) == (S.CANCELLED, "Enough.")
    assert states(done) == [S.SUCCESS, S.CANCELLED, S.NOT_RUN]
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed", "pending"]


def test_a_full_disk_at_the_end_fails_the_run(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows.notebook import saving

    real = saving.write_whole

    def full(path: Path, pieces: Any) -> None:
        made = b"".join(pieces)
        if b"filled" in made:
            raise OutputError(path, "cannot be written: No space left on device.")
        real(path, [made])

    monkeypatch.setattr(saving, "write_whole", full)

    done = run_notebook(write("print('fill' + 'ed')"))

    assert (done.state, states(done)) == (S.FAILED, [S.SUCCESS])
    assert (
        done.error == f"The output notebook '{tmp_path}/work-output.ipynb' cannot be written: No space left on device."
    )
    assert recorded(done)[0] is S.FAILED


def test_a_notebook_without_kernelspec_and_without_code_runs(write: Any) -> None:
    done = run_notebook(write(kernelspec=False), history=False)

    assert (done.state, states(done)) == (S.SUCCESS, [])


def test_an_unknown_kernel_is_told_with_those_there_are(write: Any, tmp_path: Path) -> None:
    with pytest.raises(
        UnknownKernel, match=r"wants the kernel 'pyton3', which is not installed. Did you mean 'python3'\?"
    ):
        run_notebook(write("1"), kernel="pyton3")

    assert not (tmp_path / "work-output.ipynb").exists()


def test_a_kernel_that_does_not_start_is_tried_twice_and_told(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "kernels" / "broken"
    spec.mkdir(parents=True)
    code = "import sys; open('starts', 'a').write('x'); sys.exit('no module named that')"
    argv = [sys.executable, "-c", code, "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    done = run_notebook(write("1", "2"), kernel="broken")

    assert done.state is S.CRASHED
    assert done.error == (
        "The kernel 'broken' did not start: its process ended with exit code 1. Its last words: no module named that"
    )
    assert (tmp_path / "starts").read_text() == "xx"
    assert statuses(tmp_path / "work-output.ipynb") == ["failed", "pending"]


def test_a_working_folder_that_is_not_there_is_told(write: Any) -> None:
    with pytest.raises(NotebookError, match="there is no such folder"):
        run_notebook(write("1"), cwd="nowhere")


# -- from outside ------------------------------------------------------------------------------------------------------

RUNNER = """
from notebook_flows.running import run_notebook
print(run_notebook("work.ipynb", flow_run_id="d" * 32).error)
"""
SLEEPER = "import os, time\nopen('ready', 'w').write(str(os.getpid()))\nwhile True: time.sleep(0.1)"


def started(tmp_path: Path, *command: str) -> tuple[subprocess.Popen[str], int]:
    """A process that runs the notebook, and its kernel's id, once its sleeping cell has begun."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    ready = tmp_path / "ready"
    for _ in range(600):
        if ready.exists() and ready.read_text():
            return process, int(ready.read_text())
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def has_ended_within(pid: int, seconds: float) -> bool:
    try:
        psutil.Process(pid).wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_ctrl_c_ends_it_at_once_and_all_is_told(write: Any, tmp_path: Path) -> None:
    write("1", SLEEPER, "3")
    process, kernel = started(tmp_path, "-c", RUNNER)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == -signal.SIGINT
    assert errors.strip().endswith("KeyboardInterrupt: Interrupted (Ctrl-C).")
    assert has_ended_within(kernel, 1)
    run = event_log().run("d" * 32)
    assert (run.state, run.message) == (S.CANCELLED, "Interrupted (Ctrl-C).")
    assert statuses(tmp_path / "work-output.ipynb") == ["completed", "failed", "pending"]


def test_a_killed_runner_leaves_a_whole_notebook_and_no_kernel(write: Any, tmp_path: Path) -> None:
    write("1", SLEEPER, "3")
    process, kernel = started(tmp_path, "-c", RUNNER)

    process.kill()
    process.communicate(timeout=30)

    assert has_ended_within(kernel, 10)
    assert statuses(tmp_path / "work-output.ipynb")[2] == "pending"
    assert event_log().sweep() == ["d" * 32]
    assert event_log().run("d" * 32).state is S.CRASHED


def papermill(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "papermill",
        "--engine",
        "notebook_flows",
        "work.ipynb",
        "out.ipynb",
    ]
    return subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)


def test_papermill_runs_with_our_engine(write: Any, tmp_path: Path) -> None:
    write(("n = 1", ["parameters"]), "print('n is', n)", "import sys; sys.exit(0)", "4")

    done = papermill(tmp_path, "-p", "n", "5", "--log-output")

    assert done.returncode == 0, done.stderr
    assert "n is 5" in done.stderr
    assert statuses(tmp_path / "out.ipynb") == ["completed"] * 4 + ["pending"]
    run = event_log().runs()[0]
    assert (run.flow, run.state, run.parameters) == ("work", S.SUCCESS, {"n": 5})


def test_papermill_keeps_its_exit_codes_and_we_the_truth(write: Any, tmp_path: Path) -> None:
    write("1", "import os; os._exit(7)", "3", "4")

    done = papermill(tmp_path)

    assert done.returncode == 138
    assert statuses(tmp_path / "out.ipynb") == ["completed", "failed", "pending", "pending"]
    notebook = nbformat.read(tmp_path / "out.ipynb", 4)
    assert notebook.metadata["papermill"]["exception"] is True
    assert "its process ended with exit code 7" in notebook.cells[0].source
    assert event_log().runs()[0].state is S.CRASHED


def test_ctrl_c_under_papermill_is_told_as_it_was(write: Any, tmp_path: Path) -> None:
    write("1", SLEEPER, "3")
    command = ["-W", "ignore", "-m", "papermill", "--engine", "notebook_flows", "work.ipynb", "out.ipynb"]
    process, kernel = started(tmp_path, *command)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 1
    assert has_ended_within(kernel, 1)
    assert statuses(tmp_path / "out.ipynb") == ["completed", "failed", "pending"]
    assert "Interrupted (Ctrl-C)." in nbformat.read(tmp_path / "out.ipynb", 4).cells[0].source


@pytest.mark.parametrize("first", ["papermill", "notebook_flows.papermill_engine", "papermill.engines"])
def test_papermill_finds_the_engine_whichever_is_imported_first(first: str) -> None:
    code = (
        f"import sys, {first}\n"
        "light = not {'nbclient', 'sqlite3', 'notebook_flows.running'} & set(sys.modules) or 'papermill' in sys.modules\n"
        "from notebook_flows.papermill_engine import FlowsEngine\n"
        "import papermill.engines\n"
        "assert papermill.engines.papermill_engines.get_engine('notebook_flows') is FlowsEngine\n"
        "assert light and 'notebook_flows.running' not in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_eight_notebooks_run_side_by_side(write: Any, tmp_path: Path) -> None:
    paths = [write(f"x = {number}", "x", name=f"n{number}.ipynb") for number in range(3)]
    ends: list[NotebookRun] = []
    threads = [threading.Thread(target=lambda one=path: ends.append(run_notebook(one))) for path in paths]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [end.state for end in ends] == [S.SUCCESS] * 3
    assert len(event_log().runs()) == 3


def test_nothing_of_ours_is_left_behind(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_flows.notebook import kernel

    folders: list[Path] = []
    real = kernel._socket_folder
    monkeypatch.setattr(kernel, "_socket_folder", lambda: folders.append(real()) or folders[-1])

    before = set(psutil.Process().children(recursive=True))

    run_notebook(write("1 / 0"), history=False)

    assert [folder.exists() for folder in folders] == [False]
    commands = [" ".join(child.cmdline()) for child in {*psutil.Process().children(recursive=True)} - before]
    assert not [command for command in commands if "ipykernel" in command]
