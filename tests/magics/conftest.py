"""IPython as in a terminal, with `%flow`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from notebook_flows import load_ipython_extension, unload_ipython_extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLOURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """IPython as in a terminal, without a history file."""
    monkeypatch.setenv("NOTEBOOK_FLOWS_HISTORY", "off")
    monkeypatch.setenv("COLUMNS", "100")
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    load_ipython_extension(shell)
    yield shell
    unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


@pytest.fixture
def say(shell: Any, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a cell; gives all that a person sees of it."""

    def run(source: str) -> str:
        capsys.readouterr()
        shell.run_cell(source, store_history=True)
        seen = capsys.readouterr()
        return COLOURS.sub("", seen.out + seen.err)

    return run
