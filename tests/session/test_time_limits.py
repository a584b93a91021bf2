"""`--timeout` of a task cell in `%flow run`: wherever the cell runs, it ends in time, says so below itself and leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opened import COLOURS, OpenNotebook
from talking import kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from talking import Kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
        yield from kernels(tmp_path_factory.mktemp("kernel"))


@pytest.fixture
def notebook(kernel: Kernel) -> OpenNotebook:
    found = OpenNotebook(kernel)
    found.anew()
    return found


BLOCKS_IN_A_GROUP = """import asyncio, time
async def block():
    if late: time.sleep(60)
async with asyncio.TaskGroup() as group:
    _ = group.create_task(block())"""
AWAITS_NUMBERS = """import asyncio
async def numbers():
    while late:
        yield await asyncio.sleep(0.01)
async for number in numbers(): pass"""
LATE = {
    "in a thread": ("", "if late:\n    late[0].wait(60)"),
    "in a command": ("", "if late:\n    !sleep 60"),
    "in a process": ("--executor processes", "import time\nif late:\n    time.sleep(60)"),
    "on the main thread": ("--executor main", "import time\nif late:\n    time.sleep(60)"),
    "with a magic": ("", "%config InlineBackend.close_figures = True\nimport time\nif late:\n    time.sleep(60)"),
    "that awaits": ("", "import asyncio\nif late:\n    await asyncio.sleep(60)"),
    "that blocks between awaits": ("", "import asyncio, time\nawait asyncio.sleep(0)\nif late:\n    time.sleep(60)"),
    "that blocks in an asyncio task": ("", BLOCKS_IN_A_GROUP),
    "that awaits a thread": ("", "import asyncio\nif late:\n    await asyncio.to_thread(late[0].wait, 60)"),
    "that awaits what others make": ("", AWAITS_NUMBERS),
}


@pytest.mark.parametrize(("options", "body"), LATE.values(), ids=LATE.keys())
def test_a_task_that_takes_too_long_is_told_below_its_cell_and_leaves_nothing(
    notebook: OpenNotebook, options: str, body: str
) -> None:
    notebook.run("late", "import threading\nlate = []")
    notebook.run("slow", f"%%task slow --timeout 0.7 {options}\n{body}\nmade = len(late)\nprint('made')")
    notebook.run("after", "%%task after\nafter = made + 1")
    notebook.run("now", "late.append(threading.Event())" if "late[0]" in body else "late.append(1)")

    answer = notebook.run("run", "%flow run slow after")
    notebook.run("let go", "late[0].set()" if "late[0]" in body else "")

    assert answer.ename == "FlowRunFailed"
    assert "◷ slow: timed out: TimeoutError: Timed out after 0.7 s." in answer.said
    assert "after: not run: after slow" in answer.said
    assert notebook.shown("slow") == [("error", "TimeoutError")]
    assert notebook.value("made, after") == "(0, 1)"
    assert "slow   stale: timed out last time\n" in notebook.run("status", "%flow status").said


def test_two_tasks_that_hold_up_the_loop_one_after_the_other_both_end(notebook: OpenNotebook) -> None:
    notebook.run("late", "import asyncio, time\nlate = []")
    for name in ("left", "right"):
        notebook.run(name, f"%%task {name} --timeout 0.5\nawait asyncio.sleep(0)\nif late: time.sleep(60)")
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run left right")

    assert "2 timed out in" in answer.said
    assert notebook.run("alive", "print('alive')").said == "alive\n"


def test_only_a_thread_is_said_to_go_on_and_not_one_that_waits_for_a_command(notebook: OpenNotebook) -> None:
    notebook.run("hold", "import threading\nhold, late = threading.Event(), []")
    notebook.run("deaf", "%%task deaf --timeout 0.5\nif late:\n    hold.wait(60)\n    print('too late')")
    notebook.run("command", "%%task command --timeout 0.5\nif late:\n    !sleep 60")
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run deaf command")
    notebook.run(
        "let go", "hold.set()\nfor one in threading.enumerate():\n    'notebook-flows-' in one.name and one.join(30)"
    )

    assert "'deaf': Python cannot stop a thread" in answer.said
    assert "'command'" not in answer.said
    assert notebook.shown("deaf") == [("error", "TimeoutError")]
    assert "too late" not in notebook.run("result", "%flow result deaf").said


def test_the_traceback_of_a_task_whose_time_is_up_ends_in_the_cell(notebook: OpenNotebook) -> None:
    notebook.run("late", "late = []")
    notebook.run("slow", "%%task slow --timeout 0.5 --executor main\nimport time\nif late:\n    time.sleep(60)")
    notebook.run("now", "late.append(1)")
    notebook.run("run", "%flow run slow")

    said = COLOURS.sub("", notebook.run("result", "%flow result slow").said)

    assert "----> 4     time.sleep(60)" in said
    assert "notebook_flows" not in said


@pytest.mark.parametrize("body", ["!sleep 60", "import asyncio\n    await asyncio.sleep(60)", "hold.wait(60)"])
def test_each_try_has_the_whole_time(notebook: OpenNotebook, body: str) -> None:
    notebook.run("hold", "import threading\nhold, late = threading.Event(), []")
    notebook.run(
        "slow", f"%%task slow --timeout 0.7 --retries 1\nif late and late.pop():\n    {body}\nmade = 'made'\nmade"
    )
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run slow")
    notebook.run("let go", "hold.set()")

    assert "✓ 1 cell in" in answer.said
    assert notebook.shown("slow") == [("execute_result", "'made'")]


@pytest.mark.parametrize("body", ["import asyncio\n    await asyncio.sleep(60)", "!sleep 60"], ids=["await", "command"])
def test_a_task_that_is_cancelled_in_the_background_says_so_below_its_cell(notebook: OpenNotebook, body: str) -> None:
    notebook.run("late", "late = []\nended = []")
    notebook.run("slow", f"%%task slow\ntry:\n  if late:\n    {body}\nfinally:\n    ended.append(1)")
    notebook.run("now", "late.append(1)\nended.clear()")
    notebook.run("run", "%flow run slow --background")
    notebook.wait(lambda: "1 running" in notebook.shown("run")[0][1])

    notebook.run("cancel", "%flow cancel")
    notebook.wait(lambda: "■ Stopped after" in notebook.text("run"))

    assert notebook.shown("slow")[-1] == ("error", "Cancelled")
    assert notebook.value("ended") == "[1]"


ODD = "import threading\ndef f(): return k\ndef g(): return fs[0]()\nfs = [f]\nk = 1\nlate = []"
PLOT = "%%task {0}\nimport matplotlib.pyplot as plt\nimport time\nplt.plot([1])\n"


def test_a_task_that_waits_for_its_turn_with_pyplot_does_not_use_up_its_time(notebook: OpenNotebook) -> None:
    notebook.run("late", "late = []")
    for name in ("left", "right"):
        notebook.run(name, PLOT.format(f"{name} --timeout 3") + f"if late:\n    time.sleep(2)\n{name} = 1")
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run left right")

    assert "✓ 2 cells in" in answer.said


def test_a_task_that_has_to_be_alone_has_its_whole_time_then_and_no_more(notebook: OpenNotebook) -> None:
    notebook.run("odd", ODD)
    notebook.run("left", "%%task left --pure\nimport time\nif late:\n    time.sleep(1.5)")
    notebook.run("alone", "%%task alone --pure --timeout 1\nk = 2\nimport time\nif late:\n    time.sleep(0.3)\nx = g()")
    notebook.run("slow", "%%task slow --pure --timeout 1\nk = 3\nimport time\nif late:\n    time.sleep(60)\ny = g()")
    notebook.run("now", "late.append(1)")

    answer = notebook.run("run", "%flow run left alone slow")

    assert "✗ 1 timed out, 2 success" in answer.said
    assert "Python cannot stop" not in answer.said
    assert notebook.value("x") == "2"
    assert notebook.shown("slow") == [("error", "TimeoutError")]
    assert notebook.run("alive", "print('alive')").said == "alive\n"
