"""`%flow run` in a real kernel: how it is stopped, and how it goes on in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from opened import OpenNotebook, Result

PROMPT_S = 2.0

# -- Ctrl-C ------------------------------------------------------------------------------------------------------------

SLOW = {
    "in a thread": "%%task slow\nimport time\nif go:\n    begun()\n    time.sleep(20)",
    "on the main thread": "%%task slow --executor main\nimport time\nif go:\n    begun()\n    time.sleep(20)",
    "that awaits": "%%task slow\nimport asyncio\nif go:\n    begun()\n    await asyncio.sleep(20)",
    "that awaits and blocks": "%%task slow\nimport asyncio, time\nawait asyncio.sleep(0)\nif go:\n    begun()\n    time.sleep(20)",
    "in a process": "%%task slow --executor processes\nimport time\nif go:\n    begun()\n    time.sleep(20)",
    "in a command": "%%task slow\nif go:\n    begun()\n    !sleep 20",
}


@pytest.mark.parametrize("source", SLOW.values(), ids=SLOW.keys())
def test_ctrl_c_gives_the_prompt_back_and_the_kernel_lives_on(
    notebook: OpenNotebook, folder: Path, source: str
) -> None:
    flag = folder / "begun"
    flag.unlink(missing_ok=True)
    notebook.run("begun", f"from pathlib import Path\ndef begun():\n    Path({str(flag)!r}).touch()")
    notebook.run("quick", "%%task quick\nmade = 1")
    notebook.run("go", "go = False")
    notebook.run("slow", source)
    notebook.run("go", "go = True")

    answer = notebook.run("run", "%flow run --all", interrupt_when=flag.exists)

    assert answer.ename == "RunStopped"
    assert "■ Stopped after" in answer.said
    assert answer.waited_s < PROMPT_S
    assert "slow     cancelled" in answer.picture
    assert notebook.run("alive", "print('alive')").said == "alive\n"
    assert "slow   stale: was cancelled last time\n" in notebook.run("status", "%flow status").said
    assert "cancelled" in notebook.run("status", "%flow runs --limit 1").said


def test_ctrl_c_stops_the_run_also_in_a_task_that_has_left_its_thread_to_be_alone(
    notebook: OpenNotebook, folder: Path
) -> None:
    flag = folder / "alone"
    odd = "import threading, time\ndef f(): return k\ndef g(): return fs[0]()\nfs = [f]\nk, go = 1, "
    notebook.run("odd", f"{odd} False")
    body = f"k = 2\nif go:\n    open({str(flag)!r}, 'w').close()\n    time.sleep(20)\ny = g()\n"
    notebook.run("alone", f"%%task alone --pure\n{body}place = threading.current_thread().name")
    notebook.run("odd", f"{odd} True")

    answer = notebook.run("run", "%flow run alone", interrupt_when=flag.exists)

    assert answer.ename == "RunStopped"
    assert answer.waited_s < PROMPT_S
    assert "alone    cancelled" in answer.picture
    assert notebook.run("alive", "print('alive')").said == "alive\n"


def run_where_it_raises(notebook: OpenNotebook, body: str, options: str = "") -> Result:
    """Run all cells once more, with a task that does something bad then."""
    notebook.run("quick", "%%task quick\nmade = 1")
    notebook.run("bad", "bad = False")
    notebook.run("slow", f"%%task slow {options}\nimport asyncio\n{body}")
    notebook.run("bad", "bad = True")
    return notebook.run("run", "%flow run --all")


RAISING = {
    "in a thread": ("", ""),
    "on the main thread": ("--executor main", ""),
    "after an await": ("", "await asyncio.sleep(0)\n"),
    "after an await, in its time": ("--timeout 60", "await asyncio.sleep(0)\n"),
}


@pytest.mark.parametrize(("options", "first"), RAISING.values(), ids=RAISING.keys())
def test_a_task_that_raises_keyboardinterrupt_stops_the_run_wherever_it_runs(
    notebook: OpenNotebook, options: str, first: str
) -> None:
    answer = run_where_it_raises(notebook, f"{first}if bad: raise KeyboardInterrupt", options)

    assert answer.ename == "RunStopped"
    assert "slow     cancelled" in answer.picture
    assert notebook.run("alive", "print('alive')").said == "alive\n"


@pytest.mark.parametrize(("options", "first"), RAISING.values(), ids=RAISING.keys())
def test_a_task_that_raises_systemexit_fails_wherever_it_runs(notebook: OpenNotebook, options: str, first: str) -> None:
    answer = run_where_it_raises(notebook, f"{first}if bad: raise SystemExit(3)", options)

    assert answer.ename == "FlowRunFailed"
    assert "✗ slow: failed: SystemExit: 3" in answer.said
    assert notebook.run("alive", "print('alive')").said == "alive\n"


ON_THE_LOOP = """%%task begins
import asyncio
async def speaks():
    print("late")
    return "made late"
{0}
print("begun")"""


@pytest.mark.parametrize("begin", ["promise = asyncio.create_task(speaks())", "promise = begin(speaks())"])
def test_a_task_that_begins_asyncio_tasks_and_awaits_nothing_runs_on_the_loop(
    notebook: OpenNotebook, begin: str
) -> None:
    notebook.run("begin", "import asyncio\ndef begin(it):\n    return asyncio.get_running_loop().create_task(it)")
    notebook.run("begins", ON_THE_LOOP.format(begin))
    notebook.run("wait", "%%task wait\nprint(await promise)")

    answer = notebook.run("run", "%flow run --all")

    assert answer.status == "ok"
    assert notebook.text("begins") == "begun\nlate\n"
    assert notebook.text("wait") == "made late\n"


def test_a_task_that_awaits_what_it_has_cancelled_has_failed_and_says_where(notebook: OpenNotebook) -> None:
    body = "waiting = asyncio.ensure_future(asyncio.sleep(60))\nif bad: waiting.cancel()\nelse: waiting = None\nif waiting: await waiting"

    answer = run_where_it_raises(notebook, body)

    assert answer.ename == "FlowRunFailed"
    assert "✗ slow: failed: CancelledError" in answer.said
    assert notebook.shown("slow")[-1] == ("error", "CancelledError")


def test_a_task_that_ends_in_the_moment_of_the_stop_is_cancelled_for_all_who_look(notebook: OpenNotebook) -> None:
    notebook.run("late", "%%task late\nmade = 'before'")
    notebook.run(
        "stop at the end",
        "from notebook_flows.session.toldfirst import ToldFirst\n"
        "from time import sleep\n"
        "flow, usual = get_ipython()._notebook_flows_session.flow, ToldFirst.put\n"
        "before = flow.last\n"
        "def put(self, outcome):\n"
        "    ToldFirst.put = usual\n"
        "    seen = self._seen(outcome)\n"
        "    self.interrupt()\n"
        "    while flow.last is before:\n"
        "        sleep(0.01)\n"
        "    self._inbox.put(seen)\n"
        "ToldFirst.put = put",
    )
    notebook.run("mine", "made = 'mine'")

    answer = notebook.run("run", "%flow run --all")

    assert answer.ename == "RunStopped"
    assert "0 of 1 cell ended well" in answer.said
    assert "late    cancelled" in answer.picture
    assert notebook.value("made") == "'mine'"
    assert "late  stale: was cancelled last time\n" in notebook.run("status", "%flow status").said


# -- in the background -------------------------------------------------------------------------------------------------


def with_a_slow_task(notebook: OpenNotebook) -> None:
    notebook.run("gate", "import threading\ngate, begun = threading.Event(), threading.Event()\ngate.set()\nx = 0")
    notebook.run("slow", "%%task slow\nbegun.set()\ngate.wait(30)\nx = 'of the task'\ny = 'of the task'\nprint('slow')")
    notebook.run("gate 2", "gate.clear()\nbegun.clear()")


@pytest.mark.parametrize(
    ("options", "first"), [("--executor main", ""), ("", "await asyncio.sleep(0)\n")], ids=["alone", "that awaits"]
)
def test_ctrl_c_stops_a_run_in_the_background_that_holds_up_the_kernel(
    notebook: OpenNotebook, folder: Path, options: str, first: str
) -> None:
    flag = folder / "holds up"
    flag.unlink(missing_ok=True)
    notebook.run("go", "import asyncio, time\ngo = False")
    body = f"if go:\n    open({str(flag)!r}, 'w').close()\n    time.sleep(60)\n"
    notebook.run("slow", f"%%task slow {options}\n{first}{body}made = go")
    notebook.run("go", "import asyncio, time\ngo = True")
    notebook.run("run", "%flow run slow --background")

    def is_stopped() -> bool:
        if flag.exists():
            flag.unlink()
            notebook.kernel.interrupt()
        return "Stopped after" in notebook.text("run")

    notebook.wait(is_stopped, look_s=0.05)

    assert notebook.value("made") == "False"
    assert notebook.run("alive", "print('alive')").said == "alive\n"


def test_a_run_in_the_background_gives_the_prompt_back_and_lands_between_two_cells(notebook: OpenNotebook) -> None:
    with_a_slow_task(notebook)

    answer = notebook.run("run", "%flow run --all --background")
    busy = notebook.run("status", "%flow status")
    again = notebook.run("again", "%flow run --all")
    notebook.run("gate 3", "gate.set()")
    notebook.wait(lambda: "✓ 1 cell in" in notebook.text("run"))

    assert "Begun in the background: 1 cell. Until it has ended, `%flow cancel` stops it." in answer.said
    assert "A run goes on in the background." in busy.said
    assert "A run goes on in the background: wait for it" in again.said
    assert notebook.shown("slow") == [("stdout", "slow\n")]
    assert notebook.value("x, y") == "('of the task', 'of the task')"


def test_what_the_user_binds_meanwhile_stays(notebook: OpenNotebook) -> None:
    with_a_slow_task(notebook)
    notebook.run("run", "%flow run --all --background")

    notebook.run("mine", "x = 'mine'\ngate.set()")
    notebook.wait(lambda: "✓ 1 cell in" in notebook.text("run"))

    assert notebook.value("x, y") == "('mine', 'of the task')"
    assert "x: you have bound it since the run began, so your value stays." in notebook.text("run")


def test_nothing_lands_in_the_midst_of_a_cell_that_awaits(notebook: OpenNotebook) -> None:
    with_a_slow_task(notebook)
    notebook.run("run", "%flow run --all --background")

    notebook.run(
        "mine",
        "import asyncio\nbefore = y\ngate.set()\n"
        "while not get_ipython()._notebook_flows_session.flow.background.run.has_ended:\n"
        "    await asyncio.sleep(0.01)\nawait asyncio.sleep(0.05)\nsame = y is before",
    )
    notebook.wait(lambda: "✓ 1 cell in" in notebook.text("run"))

    assert notebook.value("same, y is before") == "(True, False)"


def test_a_run_in_the_background_can_be_cancelled(notebook: OpenNotebook) -> None:
    with_a_slow_task(notebook)
    notebook.run("run", "%flow run --all --background")
    notebook.run("begun", "begun.wait(30);")

    answer = notebook.run("cancel", "%flow cancel")
    notebook.wait(lambda: "■ Stopped after" in notebook.text("run"))

    assert answer.said == "The run in the background is being stopped.\n"
    assert notebook.run("cancel", "%flow cancel").said == "No run goes on in the background.\n"
    assert "Python cannot stop a thread" in notebook.text("run")
    notebook.run("gate 3", "gate.set()")
    assert notebook.run("run", "%flow run").status == "ok"
