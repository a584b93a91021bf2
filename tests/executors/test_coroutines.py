"""The lane of async tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from test_promises import enter, fifo_in, wait_until_inside

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import WorkerDied
from notebook_flows.executors import ThreadExecutor


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
    from executor_bench import Lane

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


def test_an_exit_in_what_a_coroutine_has_begun_does_not_end_the_loop_that_others_need(lane):
    exited = threading.Event()

    async def leave():
        exited.set()
        raise SystemExit(3)

    async def begin_it():
        left = asyncio.create_task(leave())
        await asyncio.wait([left])
        return type(left.exception()).__name__

    lane.submit(begin_it)
    beginner = lane.outcome()

    lane.submit(double, x=1)

    assert exited.wait(10)
    assert beginner.value == "SystemExit"
    assert lane.outcome().value == 2


def test_a_coroutine_that_stops_the_loop_does_not_end_it(lane):
    async def stop_it():
        asyncio.get_running_loop().stop()

    lane.submit(stop_it)
    lane.outcome()

    lane.submit(double, x=1)

    assert lane.outcome().value == 2


def test_whatever_is_open_when_the_loop_ends_has_crashed(lane):
    async def end_the_loop():
        lane.executor._loop._has_ended = True
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    running = lane.submit(end_the_loop)
    first = lane.outcome()
    later = lane.submit(double, x=1)

    second = lane.outcome()

    assert [(one.ref, one.state) for one in (first, second)] == [(running, S.CRASHED), (later, S.CRASHED)]
    assert isinstance(first.value, WorkerDied)


def test_a_coroutine_that_blocks_the_loop_is_told_its_timeout_and_others_get_a_new_loop(lane):
    entered, let_go = threading.Event(), threading.Event()

    async def block():
        entered.set()
        let_go.wait(20)

    blocking = lane.submit(block, name="blocks", timeout=0.02)
    assert entered.wait(10)
    other = lane.submit(double, x=1)

    outcomes = lane.outcomes(2)

    still_running = lane.stop()
    let_go.set()
    assert (outcomes[blocking].state, outcomes[other].value) == (S.TIMED_OUT, 2)
    assert still_running == ["blocks"]


def test_stopping_the_lane_can_begin_before_anybody_waits_for_it(lane):
    begun, told = threading.Event(), threading.Event()

    async def wait_for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    lane.submit(wait_for_ever)
    assert begun.wait(10)

    lane.executor.begin_stop(cancel_running=True)

    assert told.wait(10)
    assert lane.outcome().state is S.CANCELLED
    assert lane.stop() == ()


def test_a_blocked_lane_and_blocked_threads_stop_within_two_seconds_together(lane, bench_of, tmp_path):
    threads, gate = bench_of(ThreadExecutor(1)), fifo_in(tmp_path)
    entered, let_go = threading.Event(), threading.Event()

    async def block():
        entered.set()
        let_go.wait(20)

    lane.submit(block, name="async")
    threads.submit(enter, gate=gate, name="thread")
    wait_until_inside(gate)
    assert entered.wait(10)

    begun = time.monotonic()
    still_running = [*lane.stop(), *threads.stop()]
    took_s = time.monotonic() - begun

    let_go.set()
    assert still_running == ["async", "thread"]
    assert took_s < 1.7


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
