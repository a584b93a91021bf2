"""What goes wrong in real kernels, in ordinary cells and in task cells: true states, nothing lost, clear sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from notebook_flows.core.lifecycle import S
from notebook_flows.running import NotebookRun, run_notebook

if TYPE_CHECKING:
    from pathlib import Path

KINDS = pytest.mark.parametrize("kind", ["", "%%task\n"], ids=["ordinary", "task"])
MEGABYTES = 200


def states(done: NotebookRun) -> list[S]:
    return [cell.state for cell in done.cells]


def cells_of(done: NotebookRun) -> list[Any]:
    assert done.output_path is not None
    return [cell for cell in nbformat.read(done.output_path, 4).cells if cell.cell_type == "code"]


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@KINDS
def test_twenty_thousand_flushed_prints_are_all_kept_in_one_output(write: Any, kind: str) -> None:
    done = run_notebook(write(kind + "for number in range(20_000): print(number, flush=True)"))

    assert done.is_successful, done.error
    (output,) = cells_of(done)[0].outputs
    assert output.text == "".join(f"{number}\n" for number in range(20_000))


@KINDS
def test_a_flood_is_cut_in_the_notebook_and_whole_beside_it_and_takes_no_memory(
    write: Any, tmp_path: Path, kind: str
) -> None:
    source = f"for number in range({MEGABYTES}): print(('x' * 99 + '\\n') * 10_000, end='')\nprint('the end')"
    before = psutil.Process().memory_info().rss

    done = run_notebook(write(kind + source))

    assert done.is_successful, done.error
    text = printed(cells_of(done)[0])
    assert (
        "[notebook_flows: 190.0 MB more were printed; all of it is in work-output.cell-1.log. The end of it:]" in text
    )
    assert text.endswith("the end\n")
    assert len(text) < 11_000_000
    assert (tmp_path / "work-output.cell-1.log").stat().st_size == MEGABYTES * 1_000_000 + len("the end\n")
    assert psutil.Process().memory_info().rss - before < 300_000_000


@pytest.mark.parametrize(("kind", "place"), [("", 2), ("%%task\n", 1)], ids=["ordinary", "task"])
def test_what_a_thread_prints_after_its_cell_is_not_lost(write: Any, kind: str, place: int) -> None:
    """Of an ordinary cell it stands where ipykernel says it belongs; of a task, below the task."""
    late = "import threading\ngo = threading.Event()\ndef speak():\n    go.wait(20)\n    print('late')\n"
    late += "speaker = threading.Thread(target=speak)\nspeaker.start()"

    done = run_notebook(write("print('first')", kind + late, "go.set()\nspeaker.join()", "1"))

    assert done.is_successful, done.error
    expected = ["first\n", "", "", ""]
    expected[place] = "late\n"
    assert [printed(cell) for cell in cells_of(done)[:4]] == expected


def test_what_an_asyncio_task_prints_after_its_cell_is_not_lost(write: Any) -> None:
    late = "import asyncio\nasync def speak():\n    await asyncio.sleep(0.2)\n    print('late')\nspeaking = asyncio.create_task(speak())"

    done = run_notebook(write(late, "await speaking", "1"))

    assert done.is_successful, done.error
    assert [printed(cell) for cell in cells_of(done)] == ["late\n", "", ""]


@KINDS
def test_a_question_to_nobody_is_a_failure_with_a_clear_sentence(write: Any, kind: str) -> None:
    done = run_notebook(write(kind + "name = input('Who are you? ')"))

    assert done.state is S.FAILED
    assert "StdinNotImplementedError" in str(done.error)


def test_a_question_of_a_task_in_a_process_is_one_too(write: Any) -> None:
    done = run_notebook(write("%%task --executor processes\nname = input('Who are you? ')"))

    assert done.state is S.FAILED
    assert "StdinNotImplementedError: Nobody can answer" in str(done.error)


@KINDS
@pytest.mark.parametrize("leave", ["sys.exit()", "sys.exit(0)"])
def test_a_cell_may_end_the_notebook(write: Any, kind: str, leave: str) -> None:
    done = run_notebook(write(f"{kind}import sys\nx = 1\n{leave}", "print(x)", "print(2)"))

    assert done.is_successful, done.error
    assert states(done) == [S.SUCCESS, S.SKIPPED, S.SKIPPED]


@KINDS
def test_an_exit_with_a_code_is_a_failure(write: Any, kind: str) -> None:
    done = run_notebook(write(f"{kind}import sys\nx = 1\nsys.exit(3)", "print(x)"))

    assert (done.state, done.error) == (S.FAILED, "Cell 1 failed: sys.exit(3)")
    assert states(done) == [S.FAILED, S.NOT_RUN]


@KINDS
def test_an_exception_group_that_nobody_catches_is_a_failure(write: Any, kind: str) -> None:
    group = "import asyncio\nasync def bad(): raise ValueError('deep')\nasync with asyncio.TaskGroup() as g: g.create_task(bad())"

    done = run_notebook(write(kind + group, "1"))

    assert done.state is S.FAILED
    assert "ExceptionGroup" in str(done.error)


@KINDS
@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os; os._exit(7)", "its process ended with exit code 7."),
        ("import os; os.kill(os.getpid(), 9)", "its process was killed by signal 9 (SIGKILL)"),
    ],
)
def test_a_kernel_that_dies_is_told(write: Any, kind: str, source: str, how: str) -> None:
    done = run_notebook(write("1", kind + source, "2"))

    assert done.state is S.CRASHED
    assert str(done.error).startswith(f"The kernel died in cell 2: {how}")
