"""Secrets, variables and shell lines of notebooks that `notebook-flows run` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_notebooks import printed
from cli_processes import at_terminal

from notebook_flows import workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_processes import Started
    from click.testing import Result

    Command = Callable[..., Result]
    Start = Callable[..., Started]
    WriteNotebook = Callable[..., Path]

SECRETS = (
    ("from notebook_flows import Secret\ntoken: Secret", ["parameters"]),
    "print('got', token.get())\nassert token.get()[:7] == 'hunter' + '2'",
    "raise ValueError(token.get())",
)


def test_a_secret_is_in_no_file_and_in_no_message(start: Start, write_notebook: WriteNotebook, tmp_path: Path) -> None:
    path = write_notebook("secret.ipynb", *SECRETS)
    hidden = {"TOKEN": "hunter2-and-more"}

    run = start("run", path, "-p", "token=@env:TOKEN", "--html", "page.html", env=hidden)
    code, said = run.end()

    assert code == 1
    assert "ValueError: ***" in said
    assert "hunter2" not in said
    workspace.event_log().close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"hunter2" not in file.read_bytes(), file
    assert printed(tmp_path / "secret-output.ipynb") == "got ***\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give it as token=@env:VARIABLE or @file:FILE"),
        (["-p", "token=@env:NO_SUCH_VARIABLE"], "there is no environment variable 'NO_SUCH_VARIABLE'"),
        (["-p", "token=@file:nowhere"], "the file nowhere cannot be read"),
        (["-p", "token=@prompt"], "nobody sits at a terminal"),
        (["-p", "token=@file:secret.ipynb", "-o", "{token}.ipynb"], "which is a secret"),
    ],
)
def test_a_secret_that_is_not_there_is_told(
    nf: Command, write_notebook: WriteNotebook, options: list[str], words: str
) -> None:
    path = write_notebook("secret.ipynb", *SECRETS)

    result = nf("run", path, *options)

    assert result.exit_code == 2
    assert words in result.stderr


def test_a_secret_that_is_required_is_typed_unseen(write_notebook: WriteNotebook) -> None:
    path = write_notebook("secret.ipynb", *SECRETS[:2])

    code, shown = at_terminal("run", path, answers={b"Secret token: ": b"hunter2-typed\n"})

    assert code == 0
    assert b"hunter2" not in shown
    assert printed(path.with_name("secret-output.ipynb")) == "got ***\n"


def test_a_secret_for_a_parameter_of_a_flow_has_to_be_declared(nf: Command, write: Callable[..., Path]) -> None:
    source = """
from notebook_flows import Flow, Parameter, Secret, task

@task
def use(token): print(type(token).__name__, len(token.get()))

with Flow("f") as flow: use(Parameter("token", default=Secret("")))
"""
    (write("token.txt", "hunter2\n"), write("f.py", source))

    assert nf("run", "f.py", "-p", "token=@file:token.txt").stdout == "Secret 7\n"
    refused = nf("run", write("etl.py"), "-p", "count=@file:token.txt")
    assert refused.exit_code == 2
    assert "Parameter 'count' is no secret" in refused.stderr


def test_variables_come_from_a_file_where_they_are_not_set(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook("env.ipynb", "import os\nprint(os.environ['ONE'], os.environ['TWO'])")
    path.with_name("my.env").write_text("# both\nexport ONE='a b'\nTWO=file\n")

    code, said = start("run", path, "--env-file", "my.env", env={"TWO": "set"}).end()

    assert code == 0, said
    assert printed(path.with_name("env-output.ipynb")) == "a b set\n"


def test_a_failing_command_fails_the_run_if_wanted(start: Start, write_notebook: WriteNotebook) -> None:
    path = write_notebook("shell.ipynb", "!false")

    assert start("run", path, "-q").end() == (0, "")
    code, said = start("run", path, "--strict-shell").end()

    assert code == 1
    assert "!false failed with exit code 1." in said
