"""Cells and runs in a subshell, as JupyterLab has for consoles and widgets, while the main shell is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipykernel
import pytest
from opened import OpenNotebook
from talking import PATIENCE_S, Kernel, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel has subshells since 7")


class Subshell(OpenNotebook):
    """The same kernel, by another shell of it."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        client = kernel.client
        client.control_channel.send(client.session.msg("create_subshell_request", {}))
        self.identity = client.get_control_msg(timeout=PATIENCE_S)["content"]["subshell_id"]

    def run(self, cell: str, source: str, **more: Any) -> Any:
        """Run a cell there."""
        session, usual = self.kernel.client.session, self.kernel.client.session.msg

        def message(kind: str, content: Any = None, **options: Any) -> Any:
            made = usual(kind, content, **options)
            made["header"]["subshell_id"] = self.identity
            return made

        session.msg = message
        try:
            return super().run(cell, source, **more)
        finally:
            session.msg = usual


@pytest.fixture
def main(kernel: Kernel) -> OpenNotebook:
    notebook = OpenNotebook(kernel)
    notebook.run("load", "%load_ext notebook_flows")
    notebook.run("first", "%%task first\nx = 1\nprint('first says', x)")
    return notebook


@pytest.fixture
def subshell(main: OpenNotebook) -> Subshell:
    return Subshell(main.kernel)


@pytest.fixture
def busy(main: OpenNotebook, tmp_path: Path) -> Callable[[str], Callable[[], None]]:
    """Keep the main shell busy with a cell that waits for what is given back to be called, and ends with a line."""

    def begun(line: str) -> Callable[[], None]:
        waits = "import pathlib, time\nprint('begun', flush=True)\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\n"
        client = main.kernel.client
        request = client.execute(waits + line)
        while client.get_iopub_msg(timeout=PATIENCE_S)["content"].get("text") != "begun\n":
            pass

        def ended() -> None:
            (tmp_path / "go").touch()
            wait_for_end(main, request)

        return ended

    return begun


def wait_for_end(notebook: OpenNotebook, request: str) -> None:
    """Until the kernel has ended what was asked for; it went well."""
    while True:
        one = Message(notebook.kernel.client.get_iopub_msg(timeout=PATIENCE_S))
        if one.parent == request and one.content.get("execution_state") == "idle":
            break
    assert notebook.kernel.reply_to(request)["status"] == "ok"


def test_a_task_cell_and_a_run_of_all_go_on_while_the_main_shell_is_busy(
    main: OpenNotebook, subshell: Subshell, busy: Callable[[str], Callable[[], None]]
) -> None:
    end = busy("b = 1")

    by_hand = subshell.run("second", "%%task second\ny = x + 1\nprint('second says', y)")
    run = subshell.run("run", "%flow run --all")
    end()

    assert by_hand.said == "second says 2\n"
    assert "✓ 2 cells" in run.said
    assert subshell.shown("second") == [("stdout", "second says 2\n")]
    assert main.value("(x, y, b)") == "(1, 2, 1)"


def test_a_cell_that_fails_in_a_subshell_is_an_error_there_and_nowhere_else(
    main: OpenNotebook, subshell: Subshell, busy: Callable[[str], Callable[[], None]]
) -> None:
    end = busy("b = 1")

    failed = subshell.run("bad", "%%task bad\n1 / 0")
    end()

    assert failed.ename == "ZeroDivisionError"
    assert "bad" in main.run("ask", "%flow status").said
    assert main.run("after", "print('alive')").said == "alive\n"


def test_a_second_run_beside_one_that_goes_on_is_refused(
    main: OpenNotebook, subshell: Subshell, tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    main.run(
        "held", "%%task held\nimport pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\nz = 1"
    )
    (tmp_path / "go").unlink()
    client = main.kernel.client
    request = client.execute("%flow run --all", allow_stdin=False)
    while "1 running" not in str(client.get_iopub_msg(timeout=PATIENCE_S)["content"].get("data", "")):
        pass

    second = subshell.run("again", "%flow run --all")
    (tmp_path / "go").touch()

    assert "A run goes on in another cell" in second.said
    wait_for_end(main, request)
    assert main.run("more", "%flow run --all").status == "ok"
