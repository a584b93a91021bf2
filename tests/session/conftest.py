"""One kernel for all tests of a file that have no other, with a history of its own; each of them has a notebook without cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opened import OpenNotebook
from talking import kernels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from talking import Kernel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTEBOOK_FLOWS_HISTORY", "on")
        patch.setenv("NOTEBOOK_FLOWS_STORE", str(folder / "history.sqlite"))
        yield from kernels(folder)


@pytest.fixture
def notebook(kernel: Kernel) -> OpenNotebook:
    found = OpenNotebook(kernel)
    found.anew()
    return found
