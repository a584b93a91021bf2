"""A copy of the examples, with a history of its own."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from example_folder import EXAMPLES, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    pytest.importorskip("pandas", reason="the examples need: pip install notebook-flows[examples]")
    pytest.importorskip("matplotlib", reason="the examples need: pip install notebook-flows[examples]")
    place = tmp_path_factory.mktemp("examples")
    for file in (*EXAMPLES.glob("*.ipynb"), *EXAMPLES.glob("*.py")):
        shutil.copy(file, place)
    settings = {
        "NOTEBOOK_FLOWS_HISTORY": "on",
        "NOTEBOOK_FLOWS_STORE": str(place / "history.sqlite"),
        "NOTEBOOK_FLOWS_RESULTS": str(place / "results"),
        "IPYTHONDIR": str(place / "ipython"),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    yield Folder(place)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
