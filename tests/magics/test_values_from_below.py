"""Names that a cell below has bound to something else: each task of a run takes the values from above, and all take the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

UP_TO_DATE = "✓ load  up to date\n✓ plot  up to date\n"


def with_tasks(say: Callable[[str], str], above: str) -> None:
    say(above)
    say("%%task load\nloaded = n")
    say("%%task plot\nplotted = loaded, n")


def test_what_a_cell_that_is_set_up_again_makes_stale_runs_in_the_same_run(
    say: Callable[[str], str], shell: Any
) -> None:
    say("counter = iter(range(100))")
    with_tasks(say, "n = next(counter)")
    say("n = 'below'")
    say("%flow clear plot")

    seen = say("%flow run")

    assert "✓ 3 cells in" in seen
    assert shell.user_ns["plotted"] == (1, 1)
    assert UP_TO_DATE in say("%flow status")


def test_what_is_above_of_what_was_asked_for_runs_with_the_value_that_was_set_up_again(
    say: Callable[[str], str], shell: Any
) -> None:
    say("counter = iter(range(100))")
    with_tasks(say, "n = next(counter)")
    say("n = 'below'")

    say("%flow run plot")

    assert shell.user_ns["plotted"] == (1, 1)


def test_a_parameter_that_was_given_stays_though_a_cell_below_binds_its_name(
    say: Callable[[str], str], shell: Any
) -> None:
    with_tasks(say, "# parameters\nn: int = 1")
    say("%flow run -p n=5")
    say("n = 9")
    say("%flow clear plot")

    seen = say("%flow run")

    assert "✓ 1 cell in" in seen
    assert shell.user_ns["plotted"] == (5, 5)
    assert UP_TO_DATE in say("%flow status")


def test_a_parameter_that_was_given_goes_when_its_cell_is_executed(say: Callable[[str], str], shell: Any) -> None:
    with_tasks(say, "# parameters\nn: int = 1")
    say("%flow run -p n=5")
    say("# parameters\nn: int = 1")
    say("n = 9")

    say("%flow run")

    assert shell.user_ns["plotted"] == (1, 1)
    assert UP_TO_DATE in say("%flow status")


def test_another_parameter_makes_nothing_stale_that_does_not_take_it(say: Callable[[str], str], shell: Any) -> None:
    say("# parameters\nn: int = 1\nm: int = 1")
    say("%%task load\nloaded = n")
    say("%%task plot\nplotted = m")

    seen = say("%flow run -p m=5")

    assert "✓ 2 cells in" in seen
    assert (shell.user_ns["loaded"], shell.user_ns["plotted"]) == (1, 5)
    assert UP_TO_DATE in say("%flow status")


def test_a_task_that_took_a_value_from_below_by_hand_is_stale(say: Callable[[str], str], shell: Any) -> None:
    with_tasks(say, "n = 1")
    say("n = 9")
    say("%%task plot\nplotted = loaded, n")

    seen = say("%flow status")

    assert (
        "✓ load  up to date\n· plot  stale: took n from '4 n = 9' when it was run by hand, not from '1 n = 1'\n" in seen
    )
    say("%flow run")
    assert shell.user_ns["plotted"] == (1, 1)
    assert UP_TO_DATE in say("%flow status")


@pytest.mark.parametrize("below", ["import os as n", "import os as n\nother = 1"])
def test_the_same_import_below_makes_nothing_stale(say: Callable[[str], str], below: str) -> None:
    with_tasks(say, "import os as n\nmore = 1")
    say(below)
    say("%%task plot\nplotted = loaded, n")

    assert UP_TO_DATE in say("%flow status")
