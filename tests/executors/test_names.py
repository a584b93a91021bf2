"""The names by which people ask for an executor."""

from __future__ import annotations

import subprocess
import sys

import pytest

from notebook_flows.errors import FlowError, UnknownExecutor
from notebook_flows.executors import LocalExecutor, ProcessExecutor, ThreadExecutor, from_name


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("local", LocalExecutor, "local"),
        ("threads:8", ThreadExecutor, "threads(8)"),
        ("processes:3", ProcessExecutor, "processes(3)"),
        (" threads:1 ", ThreadExecutor, "threads(1)"),
    ],
)
def test_a_name_makes_its_executor(name, kind, shown):
    made = from_name(name)

    assert (type(made), made.name) == (kind, shown)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("thread", "Did you mean 'threads'?"),
        ("celery", "There are local, threads, processes."),
        ("threads:0", "1 or more"),
        ("threads:", "1 or more"),
        ("processes:many", "1 or more"),
        ("local:2", "threads:2"),
    ],
)
def test_a_wrong_name_says_what_is_right(name, said):
    with pytest.raises(UnknownExecutor) as caught:
        from_name(name)

    assert said in str(caught.value)
    assert isinstance(caught.value, (FlowError, ValueError))


@pytest.mark.parametrize("kind", [ThreadExecutor, ProcessExecutor])
def test_no_workers_are_too_few(kind):
    with pytest.raises(ValueError, match="1 worker or more"):
        kind(0)


def test_executors_are_imported_when_they_are_asked_for():
    asked = "import sys, notebook_flows.executors as e; e.LocalExecutor; print('notebook_flows.executors.processes' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
