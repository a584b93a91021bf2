"""The lane of async tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from notebook_flows.core.lifecycle import S


async def double(x):
    await asyncio.sleep(0)
    return 2 * x


def test_ten_thousand_coroutines_have_one_outcome_each(lane):
    numbers = [lane.submit(double, x=x) for x in range(10_000)]

    outcomes = lane.outcomes(10_000)

    assert {number: outcome.value for number, outcome in outcomes.items()} == dict(
        zip(numbers, range(0, 20_000, 2), strict=True)
    )


def test_coroutines_run_side_by_side(lane):
    everybody = []

    async def meet():
        everybody.append(None)
        while len(everybody) < 100:  # noqa: ASYNC110 - no event could be bound to the lane's loop from here
            await asyncio.sleep(0.001)

    for _ in range(100):
        lane.submit(meet)

    assert {outcome.state for outcome in lane.outcomes(100).values()} == {S.SUCCESS}


def test_it_works_under_a_running_loop(bench_of):
    from conftest import Lane

    async def in_a_kernel():
        bench = bench_of(Lane())
        bench.submit(double, x=1)
        return bench.outcome().value

    assert asyncio.run(in_a_kernel()) == 2


def test_a_cancelled_coroutine_hears_of_it_and_others_go_on(lane):
    begun, told = threading.Event(), threading.Event()

    async def wait_for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    number = lane.submit(wait_for_ever)
    assert begun.wait(10)

    can_be = lane.executor.cancel(number, 1)

    outcome = lane.outcome()
    lane.submit(double, x=1)
    assert can_be
    assert (outcome.ref, outcome.state) == (number, S.CANCELLED)
    assert lane.outcome().value == 2
    assert told.wait(10)


def test_a_coroutine_that_passes_its_timeout_is_told_so(lane):
    async def wait_for_ever():
        await asyncio.Event().wait()

    lane.submit(wait_for_ever, timeout=0.02)

    assert lane.outcome().state is S.TIMED_OUT


def test_a_coroutine_that_shields_itself_from_its_timeout_is_told_so_all_the_same(lane):
    async def stubborn():
        for _ in range(1000):
            with suppress(BaseException):
                await asyncio.sleep(0.05)

    lane.submit(stubborn, name="stubborn", timeout=0.02)

    assert lane.outcome().state is S.TIMED_OUT
    assert lane.stop() == ["stubborn"]


def test_a_failure_and_an_interrupt_end_their_own_tasks_only(lane):
    async def fail():
        raise ValueError("no")

    async def interrupt():
        raise KeyboardInterrupt

    failing, interrupting, right = lane.submit(fail), lane.submit(interrupt), lane.submit(double, x=1)

    outcomes = lane.outcomes(3)

    assert [outcomes[n].state for n in (failing, interrupting, right)] == [S.FAILED, S.CANCELLED, S.SUCCESS]


def test_a_blocked_loop_does_not_hold_up_stop(lane):
    entered, let_go = threading.Event(), threading.Event()

    async def block():
        entered.set()
        let_go.wait(20)

    lane.submit(block, name="blocks")
    assert entered.wait(10)

    still_running = lane.stop()

    let_go.set()
    assert still_running == ["blocks"]
    assert lane.outcome().state is S.CANCELLED


def test_stop_waits_for_coroutines_that_clean_up(lane):
    begun, clean = threading.Event(), []

    async def tidy():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            clean.append(time.monotonic())

    lane.submit(tidy)
    assert begun.wait(10)

    assert lane.stop() == ()
    assert len(clean) == 1
