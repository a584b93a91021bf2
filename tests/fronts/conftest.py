"""A real kernel whose runs leave no history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from talking import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    kernel = Kernel(tmp_path)
    try:
        yield kernel
    finally:
        kernel.close()
