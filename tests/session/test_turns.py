"""Who runs beside whom in a run in the notebook, and who is alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from notebook_flows.session.turns import RunIsOver, Turns

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 20


class MainThread:
    """A main lane that makes what is posted at once."""

    def post(self, function: Callable[[], None], *, who: object = None) -> bool:
        function()
        return True


def turns_of() -> Turns:
    return Turns(MainThread())  # type: ignore[arg-type] # all that is asked of it


def started(function: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that calls it; what it returns or raises comes into the list."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def waits_to_be_alone(turns: Turns, who: str) -> None:
    """Return when it stands in the queue."""
    with turns._changed:
        assert turns._changed.wait_for(lambda: who in turns._alone, PATIENCE_S)


def test_a_cell_that_begins_again_does_not_wait_for_one_that_waits_for_it() -> None:
    turns = turns_of()
    _in_thread(lambda: turns.begin("a"))
    other, made = started(lambda: turns.alone("b", lambda: "made"))
    waits_to_be_alone(turns, "b")

    again, _ = started(lambda: turns.begin("a"))
    again.join(PATIENCE_S)
    assert not again.is_alive()
    turns.end("a")

    other.join(PATIENCE_S)
    assert made == ["made"]


def test_two_cells_that_want_to_be_alone_have_their_turns_one_after_the_other_though_both_have_begun() -> None:
    turns = turns_of()
    _in_thread(lambda: turns.begin("a"))
    first, made = started(lambda: turns.alone("b", lambda: "first"))
    waits_to_be_alone(turns, "b")

    second, made_next = started(lambda: turns.alone("a", lambda: "second"))

    first.join(PATIENCE_S)
    second.join(PATIENCE_S)
    assert made + made_next == ["first", "second"]


def test_whoever_waits_to_be_alone_is_told_that_the_run_is_over() -> None:
    turns = turns_of()
    _in_thread(lambda: turns.begin("a"))
    waiting, found = started(lambda: turns.alone("b", lambda: pytest.fail("it is over")))
    waits_to_be_alone(turns, "b")

    turns.close()

    waiting.join(PATIENCE_S)
    assert isinstance(found[0], RunIsOver)


def _in_thread(function: Callable[[], object]) -> None:
    thread, _ = started(function)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
