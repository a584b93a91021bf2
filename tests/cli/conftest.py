"""Commands in this process, or as processes of their own; nothing touches the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cloudpickle
import nbformat
import pytest
from cli_processes import ROOT, Started, heed_ctrl_c
from click.testing import CliRunner

from notebook_flows import workspace
from notebook_flows.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

FLOWS = """
from notebook_flows import Flow, Parameter, task, unmapped

@task
def extract(count):
    print("extracting")
    return list(range(count))

@task
def clean(row, limit):
    if row >= limit:
        raise ValueError(f"row {row} is too large")
    return row

@task
def load(rows, context):
    context.logger.info("loads %d rows", len(rows))
    return len(rows)

with Flow("etl") as flow:
    count = Parameter("count", default=3)
    limit = Parameter("limit", default=10)
    load(clean.map(extract(count), limit=unmapped(limit)))

if __name__ == "__main__":
    raise SystemExit("the main part has run")
"""


@pytest.fixture(autouse=True)
def own_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    store = tmp_path / "data" / "history.sqlite"
    monkeypatch.setenv("NOTEBOOK_FLOWS_STORE", str(store))
    monkeypatch.setenv("NOTEBOOK_FLOWS_RESULTS", str(tmp_path / "data" / "results"))
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    path, modules = sys.path[:], set(sys.modules)
    by_value = set(cloudpickle.list_registry_pickle_by_value())
    yield store
    if store.exists():
        workspace.event_log().close()
    sys.path[:] = path
    for name in cloudpickle.list_registry_pickle_by_value() - by_value:
        cloudpickle.unregister_pickle_by_value(sys.modules[name])
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def nf() -> Callable[..., Result]:
    """Run a command in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="notebook-flows")

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file beside the history."""

    def write(name: str, text: str = FLOWS) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook beside the history: a cell is its source, or its source and its tags."""

    def write(
        name: str, *cells: str | tuple[str, list[str]], kernel: str = "python3", language: str = "python"
    ) -> Path:
        made = []
        for one in cells:
            source, tags = (one, []) if isinstance(one, str) else one
            cell = nbformat.v4.new_code_cell(source)
            cell.metadata["tags"] = tags
            made.append(cell)
        spec = {"name": kernel, "display_name": kernel, "language": language}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": spec}), path)
        return path

    return write


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start a command as a process of its own."""
    begun: list[Started] = []

    def start(*arguments: object, **options: Any) -> Started:
        pipe = tmp_path / f"ready-{len(begun)}"
        os.mkfifo(pipe)
        process = subprocess.Popen(
            [sys.executable, "-m", "notebook_flows", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            preexec_fn=options.pop("preexec_fn", heed_ctrl_c),
            env={**os.environ, "READY": str(pipe), "PYTHONPATH": str(ROOT), **options.pop("env", {})},
            **options,
        )
        begun.append(Started(process, os.open(pipe, os.O_RDWR)))
        return begun[-1]

    yield start
    for one in begun:
        os.close(one.ready)
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()
