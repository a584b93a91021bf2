"""Errors in words, whatever code of the user's own makes these words."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from notebook_flows import Flow, task
from notebook_flows.engine.interrupts import CancelAsked, Interrupts
from notebook_flows.engine.wording import NoText, named, said, short, text_of, traceback_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Hostile(Exception):
    """Raises whatever it holds when it is asked for its text."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__()
        self.raised = raised

    def __str__(self) -> str:
        raise self.raised

    __repr__ = __str__


class OddText(str):
    """A text that is not what it seems."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise KeyboardInterrupt

    def startswith(self, *_: object) -> bool:  # type: ignore[override] # hostile
        raise SystemExit


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit"),
        (ValueError("no"), "ValueError: no"),
        (Hostile(KeyboardInterrupt()), "Hostile"),
    ],
)
def test_an_error_without_a_text_is_told_by_its_type_and_why(raised: BaseException, why: str) -> None:
    error = Hostile(raised)

    sentence = f"Hostile (its text could not be made: {why})"
    assert named(error) == short(error) == sentence
    assert said(error) == f"(its text could not be made: {why})"
    assert traceback_of(error).endswith(f"{sentence}\n")


def test_an_error_is_named_as_python_does() -> None:
    assert named(ValueError("no")) == "ValueError: no"
    assert named(ValueError()) == "ValueError"


def test_a_text_of_a_kind_of_its_own_becomes_a_plain_one() -> None:
    assert type(text_of(lambda: OddText("x"))) is str


def test_what_is_no_text_is_told() -> None:
    with pytest.raises(NoText, match="could not be made: TypeError"):
        text_of(lambda: 3)  # type: ignore[arg-type, return-value] # what users do


def test_ctrl_c_while_a_text_is_made_is_ctrl_c() -> None:
    def slow() -> str:
        signal.raise_signal(signal.SIGINT)
        return "done"

    with pytest.raises(KeyboardInterrupt):
        text_of(slow)


def test_the_cancel_of_the_run_while_a_text_is_made_is_no_fault_of_the_text() -> None:
    with Interrupts(lambda: None) as interrupts:

        def slow() -> str:
            threading.Thread(target=interrupts.cancel, args=("Enough.",)).start()
            time.sleep(30)
            return "told"

        with pytest.raises(CancelAsked, match="Enough"), interrupts.user_code():
            text_of(slow)


@pytest.mark.parametrize("made", [KeyboardInterrupt, lambda: SystemExit(3)])
def test_a_run_goes_on_where_the_text_of_an_error_raises(made: Callable[[], BaseException]) -> None:
    @task
    def bad() -> None:
        raise Hostile(made())

    @task
    def good() -> int:
        return 1

    with Flow("texts") as flow:
        failed, fine = bad(), good()

    state = flow.run()

    assert state.is_failed()
    assert state.result[fine].is_successful()
    assert "Hostile (its text could not be made: " in (state.result[failed].message or "")
