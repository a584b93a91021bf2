"""Notebooks in other languages than Python, on the command line."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from cli_notebooks import printed

from notebook_flows import workspace
from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Command = Callable[..., Result]
    Start = Callable[..., Started]
    WriteNotebook = Callable[..., Path]


def test_a_notebook_in_another_language_is_shown_in_its_order(nf: Command, write_notebook: WriteNotebook) -> None:
    path = write_notebook("r.ipynb", "x <- 1", "print(x)", kernel="ir", language="R")

    shown, explained = nf("show", path), nf("explain", path)

    assert "└─ 2 print(x)" in shown.stdout
    assert explained.exit_code == 2
    assert "is not in Python" in explained.stderr


@pytest.fixture
def bash_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "jupyter" / "kernels" / "our_bash"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
        "display_name": "B",
        "language": "bash",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


@pytest.mark.usefixtures("bash_spec")
def test_a_notebook_in_another_language_runs_as_a_plain_one(start: Start, write_notebook: WriteNotebook) -> None:
    cells = (("region=x", ["parameters"]), "echo region $region; export OTHER=1", ("echo $OTHER", ["task:last"]))
    path = write_notebook("shell.ipynb", *cells, kernel="our_bash", language="bash")

    code, said = start("run", path, "-p", "region=north").end()

    assert code == 0, said
    assert printed(path.with_name("shell-output.ipynb")) == "region north\n1\n"
    [row] = workspace.event_log().runs()
    assert (row.state, row.counts, row.executor) == (S.SUCCESS, {S.SUCCESS: 4}, "kernel(our_bash)")


@pytest.mark.usefixtures("bash_spec")
def test_a_cell_that_fails_in_another_language_fails_the_run(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook(
        "shell.ipynb", "echo on", "cat /no/such/file", "echo never", kernel="our_bash", language="bash"
    )

    code, said = start("run", path).end()

    assert code == 1
    assert "2 cat /no/such/file" in said
    assert [row.state for row in workspace.event_log().task_runs(workspace.event_log().runs()[0].run_id)] == [
        S.SUCCESS,
        S.FAILED,
        S.NOT_RUN,
    ]


@pytest.mark.usefixtures("bash_spec")
def test_what_only_python_has_is_refused_in_another_language(nf: Command, write_notebook: WriteNotebook) -> None:
    path = write_notebook("shell.ipynb", ("a=1", ["parameters"]), kernel="our_bash", language="bash")
    path.with_name("token").write_text("hunter2")

    chosen, secret = nf("run", path, "--only", "1"), nf("run", path, "-p", "a=@file:token")

    assert (chosen.exit_code, secret.exit_code) == (2, 2)
    assert "is not in Python" in chosen.stderr
    assert "'a' is a secret; only Python's notebooks take them." in secret.stderr
