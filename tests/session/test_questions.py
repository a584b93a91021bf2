"""`input()` in a task: an error that says what to do, in whatever moment it asks."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from IPython.core.error import StdinNotImplementedError

from notebook_flows.session.outputs import RecordingSink
from notebook_flows.session.routing import install, routed, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Ada\nGrace\n"))
    install(None)
    yield
    uninstall(None)


@pytest.mark.parametrize("ask", [input, lambda: sys.stdin.readline(), lambda: sys.stdin.read(), lambda: [*sys.stdin]])
def test_a_task_that_asks_is_told_that_nobody_answers(ask: Callable[[], object]) -> None:
    with routed(RecordingSink()), pytest.raises(StdinNotImplementedError, match="Make what it asks for a parameter"):
        ask()


def test_who_is_no_task_reads_on() -> None:
    with routed(RecordingSink()), pytest.raises(StdinNotImplementedError):
        input()

    assert (input(), sys.stdin.read(), sys.stdin.closed) == ("Ada", "Grace\n", False)


def test_afterwards_the_standard_input_is_what_it_was() -> None:
    during = sys.stdin
    uninstall(None)

    assert sys.stdin is not during
    assert isinstance(sys.stdin, io.StringIO)
