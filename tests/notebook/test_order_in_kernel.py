"""In which order the cells of a notebook with tasks run in one kernel, and who is let in when."""

from __future__ import annotations

import asyncio

import pytest

from notebook_flows.analysis import Cell, analyse, connect
from notebook_flows.notebook.taskflow import order_of
from notebook_flows.notebook.turns import Lane, Turns


def order(*sources: str, asking: tuple[str, ...] = ()) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Cells are named a, b, c...; those that begin with ``T:`` are tasks."""
    cells = [
        Cell(key=key, facts=analyse(source.removeprefix("T:")), is_task=source.startswith("T:"), name=key)
        for key, source in zip("abcdefgh", sources, strict=False)
    ]
    found = order_of(connect(cells), asking)
    return dict(found.needs), dict(found.follows)


def test_ordinary_cells_go_in_document_order() -> None:
    needs, follows = order("1", "2", "3")

    assert needs == {"a": set(), "b": {"a"}, "c": {"b"}}
    assert follows == {"a": set(), "b": set(), "c": set()}


def test_tasks_gather_until_an_ordinary_cell_needs_one_of_them_and_all_run_then() -> None:
    needs, follows = order("1", "T:x = 1", "T:y = 2", "2", "print(x)", "T:z = 3")

    assert needs["e"] == {"b", "d"}
    assert follows == {"a": set(), "b": {"d"}, "c": {"d"}, "d": set(), "e": {"c"}, "f": {"e"}}


def test_a_task_waits_for_the_end_of_an_ordinary_cell_but_needs_only_what_it_reads() -> None:
    needs, follows = order("k = 1", "1", "T:x = k")

    assert (needs["c"], follows["c"]) == ({"a"}, {"b"})


def test_a_cell_that_runs_the_flow_needs_all_tasks_above_it() -> None:
    needs, follows = order("T:x = 1", "T:y = 2", "0", asking=("c",))

    assert (needs["c"], follows["c"]) == ({"a", "b"}, set())


def test_a_name_that_is_bound_anew_is_no_need() -> None:
    needs, follows = order("x = 1", "T:y = x", "x = 2")

    assert needs["b"] == {"a"}
    assert (needs["c"], follows["c"]) == ({"a"}, {"b"})


def test_a_cell_that_changes_what_another_only_reads_does_not_need_it() -> None:
    needs, follows = order("items = [1]", "T:n = len(items)", "T:items.append(2)")

    assert "b" not in needs["c"]
    assert "b" in follows["c"]


@pytest.mark.parametrize(
    ("inside", "asks", "is_let_in"),
    [
        ([], Lane.ALONE, True),
        ([Lane.ALONE], Lane.ALONE, False),
        ([Lane.ALONE], Lane.THREADS, False),
        ([Lane.THREADS], Lane.ALONE, False),
        ([Lane.THREADS], Lane.PROCESSES, True),
        ([Lane.THREADS, Lane.PROCESSES], Lane.THREADS, False),
        ([Lane.THREADS], Lane.MAIN, True),
        ([Lane.MAIN], Lane.THREADS, False),
        ([Lane.MAIN], Lane.MAIN, False),
    ],
)
def test_who_is_let_in(inside: list[Lane], asks: Lane, is_let_in: bool) -> None:
    async def scene() -> bool:
        turns = Turns(2)
        leave = asyncio.Event()
        entered = asyncio.Event()

        async def stay(lane: Lane) -> None:
            async with turns.turn(lane):
                await leave.wait()

        async def come() -> None:
            async with turns.turn(asks):
                entered.set()

        staying = [asyncio.create_task(stay(lane)) for lane in inside]
        await asyncio.sleep(0.05)
        coming = asyncio.create_task(come())
        await asyncio.sleep(0.05)
        was_let_in = entered.is_set()
        leave.set()
        await asyncio.gather(coming, *staying)
        return was_let_in

    assert asyncio.run(scene()) is is_let_in


def test_who_needs_the_main_thread_lets_those_in_first_who_do_not() -> None:
    async def scene() -> list[str]:
        turns = Turns(2)
        order: list[str] = []

        async def come(name: str, lane: Lane) -> None:
            async with turns.turn(lane):
                order.append(name)

        await asyncio.gather(come("main", Lane.MAIN), come("thread", Lane.THREADS), come("thread", Lane.THREADS))
        return order

    assert asyncio.run(scene()) == ["thread", "thread", "main"]


def test_who_is_cancelled_while_waiting_leaves_no_gap() -> None:
    async def scene() -> bool:
        turns = Turns(1)

        async def come(lane: Lane) -> bool:
            async with turns.turn(lane):
                return True

        async with turns.turn(Lane.ALONE):
            waiting = asyncio.create_task(come(Lane.THREADS))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        return await come(Lane.ALONE)

    assert asyncio.run(scene())
