"""By hand: `%flow resume` goes on with runs of this kernel and of others, with their parameters, and makes nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cached_cells import UNCACHED, WRITES, broken_meanwhile, failed_by_hand, ran_by_hand, with_flows, write
from counted import counted

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opened import OpenNotebook

MEASURED = {
    "ext": "%load_ext notebook_flows",
    "setup": "import os\nfrom counting import count, is_broken\nn = int(os.environ['MEASURED'])\ndef scaled(x): return x * n",
    "first": "%%task first\ncount('first')\ny = n * 2",
    "second": "%%task second\ncount('second')\nz = y + scaled(3)",
    "awaits": "%%task awaits\nimport asyncio\nawait asyncio.sleep(0)\ncount('awaits')\nu = n + 1",
    "report": "%%task report\ncount('report')\nassert not is_broken(), 'it is broken'",
}


@pytest.mark.parametrize(("measured", "ran"), [("1", {}), ("5", {"first": 1, "second": 1, "awaits": 1})])
def test_what_ran_headlessly_runs_again_only_if_ordinary_cells_have_made_something_else(
    folder: Path, start: Callable[[], OpenNotebook], monkeypatch: pytest.MonkeyPatch, measured: str, ran: dict[str, int]
) -> None:
    path = write(folder, MEASURED)
    monkeypatch.setenv("MEASURED", "1")
    run_notebook(path)
    counted()
    monkeypatch.setenv("MEASURED", measured)
    notebook = with_flows(start)
    notebook.run("setup", MEASURED["setup"])

    answer = notebook.run("run", "%flow run")

    n = int(measured)
    expected = (2 * n, 5 * n, n + 1)
    assert answer.status == "ok", answer.said
    assert counted() == ran
    assert notebook.value("y, z, u") == str(expected)


def test_a_headless_run_with_parameters_is_gone_on_with_by_hand(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    path = write(folder, UNCACHED)
    with broken_meanwhile(folder):
        failed = run_notebook(path, parameters={"n": 5})
    notebook = with_flows(start)

    ran = notebook.run("resume", f"%flow resume {failed.run_id[:8]}")

    assert ran.status == "ok"
    assert f"With the parameters of run {failed.run_id[:8]}: n = 5.\n" in ran.said
    assert counted() == {"plain": 1, "report": 1}
    assert notebook.value("twice") == "[0, 2, 4, 6, 8]"


def test_a_run_of_this_kernel_is_gone_on_with_its_parameters(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    notebook = failed_by_hand(folder, start, UNCACHED, "%flow run -p n=5")

    ran = notebook.run("resume", "%flow resume")

    assert ran.status == "ok"
    assert ": n = 5.\n" in ran.said
    assert counted()["report"] == 1
    assert "load" not in counted()
    assert notebook.value("n, twice") == "(5, [0, 2, 4, 6, 8])"


def test_in_the_same_kernel_too_a_task_runs_again_if_a_file_that_it_wrote_is_gone(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    notebook = failed_by_hand(folder, start, WRITES)
    (folder / "out.txt").unlink()

    ran = notebook.run("resume", "%flow resume")

    assert ran.status == "ok"
    assert "'write' runs again, for 'out.txt', which it wrote, is gone.\n" in ran.said
    assert counted() == {"write": 1, "other": 1, "report": 1}
    assert (folder / "out.txt").exists()


def test_a_run_that_ended_well_is_gone_on_with_if_a_file_is_gone(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    notebook = ran_by_hand(folder, start, WRITES)

    nothing = notebook.run("nothing", "%flow resume")
    (folder / "out.txt").unlink()
    ran = notebook.run("resume", "%flow resume")

    assert "The last run ended well: nothing is left of it." in nothing.said
    assert ran.status == "ok"
    assert counted() == {"write": 1, "other": 1}


def test_a_parameter_of_the_run_is_given_anew(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    notebook = failed_by_hand(folder, start, UNCACHED, "%flow run -p n=5")

    ran = notebook.run("resume", "%flow resume -p n=4")

    assert ran.status == "ok"
    assert "With the parameters" not in ran.said
    assert notebook.value("n, twice, largest") == "(4, [0, 2, 4, 6], 6)"
    assert counted() == {"load": 1, "double": 1, "plain": 1, "report": 1}


def test_a_parameter_that_was_set_by_hand_since_is_set_again(folder: Path, start: Callable[[], OpenNotebook]) -> None:
    notebook = failed_by_hand(folder, start, UNCACHED, "%flow run -p n=5")
    notebook.run("params", UNCACHED["params"])

    ran = notebook.run("resume", "%flow resume")

    assert ran.status == "ok"
    assert ": n = 5.\n" in ran.said
    assert notebook.value("n, twice, largest") == "(5, [0, 2, 4, 6, 8], 8)"


def test_a_resumed_run_is_gone_on_with_headlessly_with_the_same_parameters(
    folder: Path, start: Callable[[], OpenNotebook]
) -> None:
    notebook = failed_by_hand(folder, start, UNCACHED, "%flow run -p n=5")
    with broken_meanwhile(folder):
        notebook.run("resume", "%flow resume")

    run = run_notebook(folder / "work.ipynb", resume="latest")

    assert run.state is S.SUCCESS
    assert dict(run.parameters) == {"n": 5}
