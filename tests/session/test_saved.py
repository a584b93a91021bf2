"""Which file the notebook is, and what stands in it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows.session.saved import SavedNotebook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "work.ipynb", "a = 1")


def write(path: Path, *sources: str) -> Path:
    cells = [{"cell_type": "code", "id": f"c{n}", "source": source, "metadata": {}} for n, source in enumerate(sources)]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.parametrize("name", ["__vsc_ipynb_file__", "__session__"])
def test_front_ends_leave_the_path_in_the_namespace(path: Path, name: str) -> None:
    saved = SavedNotebook({name: str(path)}, {})

    assert (saved.path, saved.name) == (path, "work")


def test_the_server_leaves_the_path_in_the_environment(path: Path) -> None:
    saved = SavedNotebook({}, {"JPY_SESSION_NAME": str(path)})

    assert saved.path == path


@pytest.mark.parametrize("text", ["", "work.ipynb", "/nowhere/work.ipynb", "/etc/passwd", "9f3c2e", 7])
def test_what_is_no_file_of_ours_is_no_path(text: Any) -> None:
    saved = SavedNotebook({"__session__": text}, {})

    assert (saved.path, saved.name, saved.read()) == (None, "notebook", None)


def test_a_file_is_read_again_when_it_has_changed(path: Path) -> None:
    saved = SavedNotebook({"__session__": str(path)}, {})
    first = saved.read()

    write(path, "a = 1", "b = 2")
    second, third = saved.read(), saved.read()

    assert first is not None
    assert second is not None
    assert [len(first.cells), len(second.cells)] == [1, 2]
    assert third is second


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_file_that_is_being_written_tells_nothing_and_then_again(path: Path, content: bytes) -> None:
    saved = SavedNotebook({"__session__": str(path)}, {})
    path.write_bytes(content)
    assert saved.read() is None

    write(path, "a = 1")
    os.utime(path)
    found = saved.read()

    assert found is not None
    assert [cell.source for cell in found.cells] == ["a = 1"]
