"""One Jupyter server for all browser tests, one Chromium for each file, one page for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from browsing import Gate, Lab, Notebook7, Server, chromium_path, launched, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

_MISSING = "Chromium is not installed: `apt-get install chromium`, or what your system has for it"


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="module")  # not longer: no other test of this process could start an event loop
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    with launched(path) as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    try:
        yield context.new_page()
    finally:
        context.close()


@pytest.fixture
def lab(page: Page, jupyter_server: Server) -> Lab:
    """JupyterLab; `lab.open(name)` opens a notebook that `lab.server.write(...)` has written."""
    return Lab(page, jupyter_server)


@pytest.fixture
def notebook7(page: Page, jupyter_server: Server) -> Notebook7:
    """Notebook 7, with the same actions."""
    return Notebook7(page, jupyter_server)


@pytest.fixture(params=["lab", "notebook7"])
def front(request: pytest.FixtureRequest) -> Lab:
    """JupyterLab, then Notebook 7."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Where a cell waits until the test lets it through."""
    return Gate(tmp_path / "passed", tmp_path / "opened")
