"""One kernel for the tests of a file, made new for each of them as far as that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import OpenPage, pages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenPage]:
    yield from pages(tmp_path_factory.mktemp("kernel"))


@pytest.fixture
def page(kernel: OpenPage) -> OpenPage:
    kernel.run("clean", "%reset -f\n%unload_ext notebook_flows")
    kernel.run("clean", "get_ipython().history_manager.input_hist_raw[:] = [''] * get_ipython().execution_count")
    kernel.run("clean", "vars(get_ipython()).pop('_notebook_flows_session', None)")
    kernel.clear()
    kernel.run("load", "%load_ext notebook_flows\nimport threading, time\nmay_end = threading.Event()")
    return kernel
