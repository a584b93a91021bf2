"""In real kernels: `%flow show` shows the last run of the notebook though that kernel is gone, and a run that goes on elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

import nbformat
import pytest
from pages import PATIENCE_S, OpenPage

from notebook_flows.core.lifecycle import S
from notebook_flows.widget import is_built
from notebook_flows.workspace import stored_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"
)
CELLS = {
    "load-it": "%load_ext notebook_flows",
    "load": "%%task load\nrows = [1, 2, 3]\nprint('three rows')",
    "wait": (
        "%%task wait\nimport pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\nkept = rows[1:]"
    ),
    "report": "%%task report\ntotal = sum(kept)",
}


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "work.ipynb"
    cells = [nbformat.v4.new_markdown_cell("# All of it")]
    cells += [nbformat.v4.new_code_cell(source, id=name) for name, source in CELLS.items()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.delenv("NOTEBOOK_FLOWS_HISTORY", raising=False)
    return path


@pytest.fixture
def opened(notebook: Path, tmp_path: Path) -> Iterator[Callable[[], OpenPage]]:
    """Opens the notebook in a new kernel."""
    found: list[OpenPage] = []

    def new() -> OpenPage:
        found.append(OpenPage(tmp_path, place=f"at-{len(found)}"))
        return found[-1]

    yield new
    for page in found:
        page.close()


def executed(opened: Callable[[], OpenPage], folder: Path) -> OpenPage:
    """A kernel in which each cell was executed by hand; no task waits any more."""
    (folder / "go").touch()
    page = opened()
    for name, source in CELLS.items():
        page.run(name, source)
    return page


def told(page: OpenPage) -> dict[str, S]:
    """The last state of each task that the page was told."""
    names = {node["task"]: node["name"] for node in page.of("flow")[-1]["nodes"]}
    found: dict[str, S] = {}
    for one in page.told[page.widget]:
        if one["type"] == "snapshot":
            found = {}
        for node, state in zip(*(one.get("columns", {}).get(name, ()) for name in ("node", "state")), strict=True):
            found[names.get(node, "")] = S(state)
    return found


def test_a_new_kernel_shows_the_last_run_of_the_notebook_with_its_times_and_logs(
    opened: Callable[[], OpenPage], tmp_path: Path
) -> None:
    first = executed(opened, tmp_path)
    first.run("go", "%flow run --all")
    run_id = first.of("snapshot")[-1]["run"]["id"]
    first.close()

    second = looking(opened)
    load = second.ask({"type": "detail", "node": 0, "index": -1})

    assert told(second) == dict.fromkeys(("load", "wait", "report"), S.SUCCESS)
    last = second.of("snapshot")[-1]
    assert last["run"]["id"] == run_id
    assert last["run_state"] == S.SUCCESS
    assert all(last["columns"]["started_us"])
    assert all(last["columns"]["ended_us"])
    assert load["logs"] == ["three rows"]
    assert load["code"] == CELLS["load"]
    assert second.of("flow")[-1]["groups"][0]["name"] == "All of it"
    assert f"Run {run_id[:8]} of 'work'" in second.text("look")
    assert "3 tasks, 3 success" in str(second.shown["look"])


def kill_while_the_second_task_runs(page: OpenPage, folder: Path) -> None:
    """Kill a kernel, once its run has recorded that much: that it began, the first task's two events, the second's first."""
    page.wait(lambda: bool(page.of("snapshot")))
    run_id = page.of("snapshot")[-1]["run"]["id"]
    log = stored_log(folder / "history.sqlite")
    deadline_s = monotonic() + PATIENCE_S
    while not any(run.run_id == run_id and run.last_seq >= 4 for run in log.runs()):
        assert monotonic() < deadline_s, "it is not recorded"
        sleep(0.05)
    os.kill(page.pid, signal.SIGKILL)


def run_and_kill(opened: Callable[[], OpenPage], folder: Path) -> None:
    """Run the notebook in a kernel that is killed while the second task runs."""
    first = executed(opened, folder)
    (folder / "go").unlink()
    first.begin("go", "%flow run --all")
    kill_while_the_second_task_runs(first, folder)


def looking(opened: Callable[[], OpenPage]) -> OpenPage:
    """A new kernel, asked for the picture of what it has not run."""
    page = opened()
    page.run("load-it", CELLS["load-it"])
    page.run("look", "%flow show")
    return page


def test_a_run_whose_kernel_was_killed_is_crashed_where_it_was(opened: Callable[[], OpenPage], tmp_path: Path) -> None:
    run_and_kill(opened, tmp_path)

    second = looking(opened)

    assert told(second) == {"load": S.SUCCESS, "wait": S.CRASHED, "report": S.NOT_RUN}
    assert "crashed" in second.text("look")
    assert second.of("can")[-1]["can"]["retry_failed"]


@pytest.mark.parametrize("keeps", ["on", "off"])
def test_what_a_killed_kernel_has_left_is_run_by_a_click_in_the_new_one(
    keeps: str, opened: Callable[[], OpenPage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_KEEP_RESULTS", keeps)
    run_and_kill(opened, tmp_path)
    (tmp_path / "go").touch()
    second = looking(opened)

    answer = second.ask({"type": "action", "action": "retry_failed"})
    second.wait(lambda: "✓" in second.text("look") or "✗" in second.text("look") or "failed" in second.text("look"))

    assert answer["ok"]
    assert second.value("total") == "5"


def test_after_a_task_has_run_in_the_new_kernel_the_notebook_is_shown_as_it_stands(
    opened: Callable[[], OpenPage], tmp_path: Path
) -> None:
    first = executed(opened, tmp_path)
    first.run("go", "%flow run --all")
    first.close()
    second = opened()
    second.run("load-it", CELLS["load-it"])
    second.run("load", CELLS["load"])

    second.run("look", "%flow show")
    second.run("named", "%flow show latest")

    assert "Run " not in second.text("look")
    assert "There is no Flow 'latest'" in second.text("named")


def shown_while_it_runs(page: OpenPage, run: subprocess.Popen[str]) -> str:
    """Ask for the picture until the run is there; the cell below which it is shown."""
    looks = 0
    while not any(one["run_state"] == S.RUNNING for one in (page.of("snapshot") if page.told else ())):
        assert run.poll() is None, run.communicate()
        looks += 1
        page.run(f"look-{looks}", "import time; time.sleep(0.2)\n%flow show")
    page.wait(lambda: bool(page.of("snapshot")) and page.of("snapshot")[-1]["run_state"] == S.RUNNING)
    return f"look-{looks}"


@contextmanager
def run_in_a_terminal(notebook: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process runs the notebook; it is killed if the test fails before it has ended."""
    output = notebook.with_name("out.ipynb")
    command = [sys.executable, "-m", "notebook_flows", "run", str(notebook), "--output", str(output)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def test_a_run_in_a_terminal_is_followed_to_its_end(
    opened: Callable[[], OpenPage], notebook: Path, tmp_path: Path
) -> None:
    page = opened()
    page.run("load-it", CELLS["load-it"])
    with run_in_a_terminal(notebook) as run:
        look = shown_while_it_runs(page, run)
        page.wait(lambda: S.RUNNING in told(page).values())
        before = str(page.shown[look])
        (tmp_path / "go").touch()
        page.wait(lambda: page.of("snapshot")[-1]["run_state"] == S.SUCCESS)
        run.communicate(timeout=60)
    page.wait(lambda: "3 success" in str(page.shown[look]) or "4 success" in str(page.shown[look]))

    assert f"goes on in process {run.pid}" in page.text(look)
    assert "running" in before or "pending" in before
    assert {name: state for name, state in told(page).items() if name in CELLS and name != "load-it"} == dict.fromkeys(
        ("load", "wait", "report"), S.SUCCESS
    )


def test_a_run_in_a_terminal_is_cancelled_by_a_click(
    opened: Callable[[], OpenPage], notebook: Path, tmp_path: Path
) -> None:
    page = opened()
    page.run("load-it", CELLS["load-it"])
    with run_in_a_terminal(notebook) as run:
        shown_while_it_runs(page, run)
        answer = page.ask({"type": "action", "action": "cancel"})
        run.communicate(timeout=60)
    page.wait(lambda: page.of("snapshot")[-1]["run_state"] == S.CANCELLED)

    assert answer["ok"]
    assert run.returncode != 0


def test_what_failed_in_a_terminal_is_tried_again_by_a_click(
    opened: Callable[[], OpenPage], notebook: Path, tmp_path: Path
) -> None:
    page = opened()
    page.run("load-it", CELLS["load-it"])
    good, go = str(tmp_path / "good"), str(tmp_path / "go")
    read = nbformat.read(notebook, as_version=4)
    for cell, source in zip(
        read.cells[2:],
        (
            f"%%task load\nimport pathlib\nrows = [1] if pathlib.Path({good!r}).exists() else 1 / 0",
            CELLS["wait"].replace("kept = rows[1:]", "kept = []").replace("'go'", repr(go)),
            "%%task report\ntotal = rows",
        ),
        strict=True,
    ):
        cell.source = source
    nbformat.write(read, notebook)
    with run_in_a_terminal(notebook) as run:
        shown_while_it_runs(page, run)
        page.wait(lambda: told(page).get("load") is S.FAILED)
        (tmp_path / "good").touch()
        answer = page.ask({"type": "action", "action": "retry_failed"})
        page.wait(lambda: told(page).get("report") is S.SUCCESS)
        (tmp_path / "go").touch()
        run.communicate(timeout=60)

    assert answer["ok"]
    assert run.returncode == 0
