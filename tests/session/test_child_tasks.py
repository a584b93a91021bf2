"""SystemExit and KeyboardInterrupt in asyncio tasks that a task cell begins: they end the cell, and never the kernel's loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import nbformat
import pytest
from opened import OpenNotebook
from talking import kernels

from notebook_flows.core.lifecycle import S
from notebook_flows.running import run_notebook
from notebook_flows.session.childtasks import children_heard, unwatch, watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from talking import Kernel

SETUP = "import asyncio\nasync def ends():\n    raise SystemExit(3)\nasync def stops():\n    raise KeyboardInterrupt"
EXITS = {
    "awaited": "t = asyncio.create_task(ends())\nawait t",
    "forgotten": "t = asyncio.create_task(ends())\nawait asyncio.sleep(600)",
    "grouped": "async with asyncio.TaskGroup() as g:\n    g.create_task(ends())\n    g.create_task(asyncio.sleep(600))",
    "gathered": "await asyncio.gather(asyncio.sleep(600), ends())",
    "called": "import sys\nasyncio.get_running_loop().call_later(0, sys.exit, 3)\nawait asyncio.sleep(600)",
    "alone": "global marked\nmarked = 1\nt = asyncio.create_task(ends())\nawait asyncio.sleep(600)",
}


@pytest.fixture(scope="module")
def one_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    yield from kernels(tmp_path_factory.mktemp("kernel"))


@pytest.fixture
def notebook(one_kernel: Kernel) -> OpenNotebook:
    notebook = OpenNotebook(one_kernel)
    notebook.anew()
    notebook.run("set up", "%flow mode lazy\n" + SETUP)
    return notebook


@pytest.mark.parametrize("how", EXITS)
def test_by_flow_run_an_exit_fails_its_cell_and_nothing_else(notebook: OpenNotebook, how: str) -> None:
    notebook.run("bad", f"%%task bad\n{EXITS[how]}")
    notebook.run("good", f"%%task good\ny = {how!r}")

    said = notebook.run("run", "%flow run").said

    assert "1 failed, 1 success" in said
    assert "bad: failed: SystemExit: 3" in said
    assert "never retrieved" not in said
    assert notebook.value("y") == repr(how)
    assert "childtasks" not in notebook.text("bad")


def test_by_flow_run_keyboardinterrupt_stops_the_run(notebook: OpenNotebook) -> None:
    notebook.run("bad", "%%task bad\nt = asyncio.create_task(stops())\nawait asyncio.sleep(600)")

    said = notebook.run("run", "%flow run").said

    assert "Stopped after" in said
    assert notebook.value("1 + 1") == "2"


def test_what_a_cell_has_left_behind_ends_no_kernel(notebook: OpenNotebook) -> None:
    later = "gate = asyncio.Event()\nasync def left():\n    await gate.wait()\n    raise SystemExit(3)"
    notebook.run("leaves", f"%%task leaves\n{later}\nt = asyncio.create_task(left())\nawait asyncio.sleep(0)")
    notebook.run("run", "%flow run")

    notebook.run("open", "gate.set()\nawait asyncio.wait([t])")

    assert notebook.value("type(t.exception()).__name__") == "'SystemExit'"


def test_headless_an_exit_fails_its_cell_and_nothing_else(tmp_path: Path) -> None:
    tasks = {how: f"%%task {how}\n{source}" for how, source in EXITS.items()} | {"good": "%%task good\ny = 1"}
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in ("%load_ext notebook_flows", SETUP, *tasks.values())]
    )
    nbformat.write(made, tmp_path / "exits.ipynb")

    done = run_notebook(tmp_path / "exits.ipynb", output=tmp_path / "out.ipynb", history=False)

    states = {one.name: one.state for one in done.cells if one.name in tasks}
    assert states == dict.fromkeys(EXITS, S.FAILED) | {"good": S.SUCCESS}


def test_outside_of_cells_a_loop_is_as_before() -> None:
    async def ends() -> None:
        raise SystemExit(3)

    async def runs() -> None:
        watch(asyncio.get_running_loop())
        await asyncio.create_task(ends())

    with pytest.raises(SystemExit):
        asyncio.run(runs())


def test_a_loop_is_given_back_as_it_was() -> None:
    async def ways() -> set[str]:
        loop = asyncio.get_running_loop()
        before = set(vars(loop))
        with children_heard():
            await asyncio.sleep(0)
        unwatch()
        return set(vars(loop)) ^ before

    assert asyncio.run(ways()) == set()
