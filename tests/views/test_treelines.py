"""A run that goes on, as lines of a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from write_golden import read

from notebook_flows import Flow, Parameter, task
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.testing import InlineExecutor
from notebook_flows.views.livetree import LiveTree
from notebook_flows.views.runview import RunView
from notebook_flows.views.styled import painted, plain, width_of
from notebook_flows.views.treelines import Inside, TreeLines, _bar_of, bar, heading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from notebook_flows.core.events import Event

LOGS = sorted((Path(__file__).parents[1] / "golden").glob("*.jsonl"))


def step_by_step(events: Sequence[Event], tree: LiveTree) -> Iterator[Event]:
    assert events[0].data is not None
    run = Run(plan_from_first_event(events[0].data))
    for event in events:
        run.apply(event)
        tree(run, [event])
        tree.view.catch_up()
        yield event


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("columns", "rows"), [(100, 30), (40, 6), (20, 3), (12, 1)])
def test_no_frame_of_any_run_is_larger_than_asked(path: Path, columns: int, rows: int) -> None:
    tree = LiveTree(0, "a run with quite a long title", medians={0: 3.0, 1: 5.0})

    for event in step_by_step(read(path), tree):
        frame = tree.frame(columns, rows, event.at_us + 1_500_000)

        assert 0 < len(frame) <= rows
        assert all(width_of(line) <= columns for line in frame)


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_the_end_of_any_run_tells_the_state_of_each_task(path: Path) -> None:
    events = read(path)
    tree = LiveTree(0, "f")
    for _ in step_by_step(events, tree):
        pass
    run = tree.view.run
    assert run is not None

    lines = tree._lines.lines(100, 100, events[-1].at_us)

    assert len(lines) == len(run.plan.names)
    assert sum(tree.view.counts().values()) >= sum(IS_FINAL[state] for state in run.state[: len(run.plan.names)])
    assert [one for one in map(plain, lines) if " running" in one] == []  # nothing runs any more


def view_of(flow: Flow, **options: object) -> RunView:
    hidden = {number for number, one in enumerate(flow._into) if isinstance(one, Parameter)}
    view = RunView(hidden)
    flow.run(executor=InlineExecutor(), observers=[view.tell], history=False, **options)
    view.catch_up()
    return view


@task
def fine(x: int) -> int:
    if x == 3:
        raise ValueError("three is\ntoo much")
    return x


def test_parameters_are_neither_shown_nor_counted_unless_they_fail() -> None:
    with Flow("f") as flow:
        fine(Parameter("n", default=1))

    view = view_of(flow)

    assert [plain(line).split()[:3] for line in TreeLines(view, {}).lines(80, 20, 0)] == [["✓", "fine", "success"]]
    assert view.counts() == {S.SUCCESS: 1}


def test_children_are_one_line_with_the_first_reason() -> None:
    with Flow("f") as flow:
        fine.map(list(range(5)))

    [line] = [line for line in TreeLines(view_of(flow), {}).lines(100, 20, 0) if "fine" in plain(line)]

    assert "✗ fine" in plain(line)
    assert plain(line).endswith("1 of 5 failed  ValueError: three is")


def test_a_frame_that_is_too_low_shows_what_failed_and_counts_the_rest() -> None:
    with Flow("f") as flow:
        for number in range(8):
            fine(number)
    view = view_of(flow)

    lines = [plain(line) for line in TreeLines(view, {}).lines(80, 3, 0)]
    end = [plain(line) for line in TreeLines(view, {}).lines(80, 3, 0, is_end=True)]

    assert lines[0].startswith("✗ fine")
    assert lines[1].startswith("✓ fine")
    assert lines[2] == "… and 6 more tasks: 6 success"
    assert end == [lines[0], "… and 7 more tasks: 7 success"]


def test_of_a_large_flow_that_went_well_nothing_stays() -> None:
    with Flow("f") as flow:
        for number in range(4, 110):
            fine(number)

    assert TreeLines(view_of(flow), {}).lines(80, 30, 0, is_end=True) == []


def test_columns_only_grow_wider() -> None:
    with Flow("f") as flow:
        fine(1)
    lines = TreeLines(view_of(flow), {})
    before = plain(lines.lines(80, 9, 0)[0]).index("success")

    lines._head_width = 30
    after = plain(lines.lines(80, 9, 0)[0]).index("success")

    assert before < after
    assert plain(lines.lines(80, 9, 0)[0]).index("success") == after


def test_where_glyphs_cannot_go_letters_stand_for_them() -> None:
    with Flow("f") as flow:
        fine.map([1, 3])

    tree = TreeLines(view_of(flow), {}, "ascii")
    lines, counted = tree.lines(80, 20, 0), tree.lines(80, 1, 0)

    assert "x fine" in plain(lines[-1])
    assert all(plain(line).isascii() for line in [*lines, *counted])


def test_what_goes_on_inside_has_a_bar_until_it_ends() -> None:
    with Flow("f") as flow:
        fine(1)
        fine(3)

    lines = TreeLines(view_of(flow), {0: Inside(3, 3, "cells"), 1: Inside(2, 4, "cells")}).lines(80, 20, 0)

    assert "cells" not in plain(lines[0])
    assert "━━━━━───── 2 of 4 cells  ValueError: three is" in plain(lines[1])


@pytest.mark.parametrize(
    ("children", "told"),
    [
        ({S.SUCCESS: 4, S.CANCELLED: 5, S.NOT_RUN: 3}, "5 of 12 cancelled, 3 not run"),
        ({S.SUCCESS: 9, S.FAILED: 1, S.TIMED_OUT: 1, S.CANCELLED: 1}, "2 of 12 failed, 1 cancelled"),
        ({S.SUCCESS: 6, S.CANCELLED: 1, S.RUNNING: 5}, "━━━━━━━━━━ 7 of 12, 1 cancelled"),
        ({S.SUCCESS: 12}, "━━━━━━━━━━ 12 of 12"),
    ],
)
def test_of_children_only_those_that_failed_are_told_to_have_failed(children: dict[S, int], told: str) -> None:
    line = plain(_bar_of(children))

    assert line.replace("─", "━") == told


def test_a_single_failure_among_many_is_seen() -> None:
    assert bar(9_999, 1, 10_000, 10) == [("━" * 9, "green"), ("━", "red"), ("", "dim")]


def test_a_narrow_heading_leaves_out_what_matters_least() -> None:
    facts = ["12 of 40 tasks, 0:42, about 1 min left", "12 of 40, about 1 min left", "12 of 40"]

    told = [plain(heading("a long title", facts, columns)) for columns in (60, 40, 20)]

    assert told == [
        "a long title          12 of 40 tasks, 0:42, about 1 min left",
        "a long title  12 of 40, about 1 min left",
        "a long ti…  12 of 40",
    ]


def test_colours_are_codes_around_the_text() -> None:
    assert painted([("x", "bold red")], with_colours=True) == "\x1b[1;31mx\x1b[0m"
