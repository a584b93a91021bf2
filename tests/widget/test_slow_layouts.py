"""Graphviz takes its time: neither a run nor a cell waits for it, and the picture comes when it is there."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from pages import OpenPage, pages

from notebook_flows.widget import is_built

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not is_built(), reason="the browser's half was not built (NOTEBOOK_FLOWS_SKIP_LABEXTENSION)"),
    pytest.mark.skipif(os.name != "posix" or shutil.which("dot") is not None, reason="another `dot` is put on PATH"),
]
DEFINE = "from notebook_flows import Flow, task\n@task\ndef one(): return 1\nwith Flow('alone') as flow: one()"
LOAD = "%load_ext notebook_flows"


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """The file for which Graphviz waits."""
    return tmp_path / "opened"


@pytest.fixture
def page(tmp_path: Path, opened: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPage]:
    folder = tmp_path / "bin"
    folder.mkdir()
    dot = folder / "dot"  # it fails at last, and the libraries inside pygraphviz take over
    dot.write_text(f"#!/bin/sh\nwhile [ ! -e '{opened}' ]; do sleep 0.05; done\nexit 1\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    yield from pages(tmp_path)


def still(page: OpenPage, cell: str) -> str:
    """What stands below the page."""
    return str(page.shown[cell][-1]["data"])


@pytest.mark.parametrize(
    ("define", "go"), [(DEFINE, "state = flow.run()"), ("%%task one\nx = 1", "%flow run --all")], ids=["flow", "cells"]
)
def test_a_run_ends_before_its_flow_is_laid_out(page: OpenPage, opened: Path, define: str, go: str) -> None:
    page.run("load", LOAD)
    page.run("define", define)

    page.run("go", go)
    page.wait(lambda: bool(page.of("flow")))
    first, below = page.of("flow")[-1], page.shown["go"][1]["data"]
    opened.touch()
    page.wait(lambda: "image/svg+xml" in page.shown["go"][1]["data"])

    assert first["svg"] is None
    assert "being laid out" in first["picture_message"]
    assert "1 success" in below["text/plain"]
    assert "image/svg+xml" not in below
    assert page.of("flow")[-1]["svg"].startswith("<svg")
    assert "success" in page.shown["go"][1]["data"]["image/svg+xml"]


@pytest.mark.parametrize("look", ["flow.visualize()", "%flow show alone"])
def test_a_cell_that_shows_a_flow_ends_before_that_is_laid_out(page: OpenPage, opened: Path, look: str) -> None:
    page.run("load", LOAD)
    page.run("define", DEFINE)

    page.run("look", look)
    first, below = page.of("flow")[-1], still(page, "look")
    opened.touch()
    page.wait(lambda: "image/svg+xml" in still(page, "look"))

    assert first["svg"] is None
    assert "being laid out" in first["picture_message"]
    assert "image/svg+xml" not in below
    assert page.of("flow")[-1]["svg"].startswith("<svg")
