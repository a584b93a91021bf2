"""A user's file: which flow is meant, and whose fault it is if there is none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from notebook_flows.cli.loading import FileError, flow_in, target_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TWO = 'from notebook_flows import Flow\nnightly = Flow("night")\nweekly = Flow("week")\n'


def test_the_only_flow_is_meant_and_the_main_part_does_not_run(write: Callable[..., Path]) -> None:
    assert flow_in(target_of(str(write("etl.py")))).name == "etl"


@pytest.mark.parametrize("name", ["nightly", "night"])
def test_a_flow_is_named_by_its_variable_or_its_name(write: Callable[..., Path], name: str) -> None:
    assert flow_in(target_of(f"{write('two.py', TWO)}:{name}")).name == "night"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("two.py", "two.py has 2 flows. Name one:\n  two.py:nightly\n  two.py:weekly"),
        ("two.py:nightlt", "two.py has no flow 'nightlt'. Did you mean 'nightly'? Its flows: nightly, weekly."),
        ("too.py", "There is no file too.py. Did you mean 'two.py'?"),
        ("nowhere/two.py", "There is no file nowhere/two.py. Nor is there a folder nowhere."),
        ("none.py", "none.py has no flow: none of its variables is a Flow."),
        ("notes.txt", "notes.txt is neither a Python file (.py) nor a notebook (.ipynb)."),
        ("lost.ipynb", "lost.ipynb is a link to nowhere.ipynb, which does not exist."),
        ("pipe.ipynb", "pipe.ipynb is no ordinary file."),
        ("folder", "folder is a folder. Name a file in it."),
        ("n.ipynb:x", "n.ipynb is a notebook, which is one flow: leave out ':x'."),
    ],
)
def test_a_slip_is_told_with_what_was_likely_meant(
    write: Callable[..., Path], tmp_path: Path, text: str, sentence: str
) -> None:
    write("two.py", TWO)
    write("none.py", "x = 1\n")
    write("notes.txt", "")
    write("n.ipynb", "")
    (tmp_path / "folder").mkdir()
    (tmp_path / "lost.ipynb").symlink_to("nowhere.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")

    with pytest.raises(FileError) as raised:
        flow_in(target_of(text))

    assert str(raised.value) == sentence


def test_an_error_of_the_file_shows_the_users_own_frames_and_none_of_ours(write: Callable[..., Path]) -> None:
    write("helper_of_bad.py", "def f():\n    return 1 / 0\n")
    path = write("bad.py", "import helper_of_bad\nhelper_of_bad.f()\n")

    with pytest.raises(FileError) as raised:
        flow_in(target_of(str(path)))

    lines = str(raised.value).splitlines()
    assert lines[0] == "bad.py cannot be loaded:"
    assert f'  File "{path}", line 2, in <module>' in lines
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "notebook_flows" not in str(raised.value).replace(str(path.parent), "")
    assert "importlib" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", "It ends the interpreter: sys.exit(3)."),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_file_that_fails_says_how(write: Callable[..., Path], source: str, words: str) -> None:
    with pytest.raises(FileError, match="cannot be loaded") as raised:
        flow_in(target_of(str(write("bad.py", source))))

    assert str(raised.value).endswith(words)
    assert "exec_module" not in str(raised.value)


def test_a_file_of_a_package_may_import_its_neighbours(write: Callable[..., Path]) -> None:
    write("parcel/__init__.py", "")
    write("parcel/names.py", 'NAME = "in a package"\n')
    path = write("parcel/flows.py", "from notebook_flows import Flow\nfrom .names import NAME\nflow = Flow(NAME)\n")

    assert flow_in(target_of(str(path))).name == "in a package"


def test_a_file_named_like_a_module_does_not_take_its_place(write: Callable[..., Path]) -> None:
    import json

    assert flow_in(target_of(str(write("json.py")))).name == "etl"
    assert sys.modules["json"] is json


@pytest.mark.parametrize("name", ["my-flow.py", "click.py"])
def test_what_no_worker_can_import_travels_by_value(
    nf: Callable[..., object], write: Callable[..., Path], name: str
) -> None:
    result = nf("run", write(name), "-x", "processes:1", "-q")

    assert result.exit_code == 0, result.stderr


def test_a_file_that_reads_its_arguments_does_not_read_ours(write: Callable[..., Path]) -> None:
    path = write("args.py", "import sys\nfrom notebook_flows import Flow\nflow = Flow(str(len(sys.argv)))\n")

    assert flow_in(target_of(str(path))).name == "1"
