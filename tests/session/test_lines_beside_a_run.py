"""Lines of `%flow` and cells that are executed while a run goes on in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opened import OpenNotebook
from talking import kernels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOES_ON = "A run goes on in the background: wait for it, or stop it with `%flow cancel`."


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenNotebook]:
    """A task waits for a file, in the background."""
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(tmp_path / "history.sqlite"))
    for kernel in kernels(tmp_path):
        found = OpenNotebook(kernel)
        found.run("ext", "%load_ext notebook_flows\n%flow mode lazy\nfrom pathlib import Path\nfrom time import sleep")
        found.run("waits", "%%task waits\nprint('waiting')\nwhile not Path('go').exists():\n    sleep(0.02)\nx = 1")
        found.run("late", "%%task late\ny = 2")
        found.run("run", "%flow run waits --background")
        found.wait(lambda: "waiting" in found.text("waits"))  # noqa: B023 - there is one kernel
        yield found
        (tmp_path / "go").touch()


@pytest.mark.parametrize(
    "line", ["%flow run late", "%flow run --all -b", "%flow resume", "%flow clear", "%flow clear late"]
)
def test_what_cannot_be_done_meanwhile_says_so_in_a_sentence(notebook: OpenNotebook, line: str) -> None:
    said = notebook.run("line", line).said

    assert said.endswith(GOES_ON)
    assert "Traceback" not in said


def test_a_cell_that_needs_a_task_says_that_it_has_not_run_and_runs_later(
    notebook: OpenNotebook, tmp_path: Path
) -> None:
    early = notebook.run("cell", "z = y + 1").said
    (tmp_path / "go").touch()
    notebook.wait(lambda: "✓ 1 cell in" in notebook.text("run"))

    later = notebook.run("cell", "z = y + 1")

    assert early == (
        "This cell needs 'late', and has not run, for a run goes on: execute it again when that has ended, or after "
        "`%flow cancel`."
    )
    assert later.status == "ok"
    assert notebook.value("z") == "3"


def test_its_logs_are_those_of_the_last_run(notebook: OpenNotebook) -> None:
    said = notebook.run("logs", "%flow logs waits").said

    assert ": goes on.\n" in said
