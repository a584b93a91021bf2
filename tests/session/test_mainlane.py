"""The main thread, lent to a run: what is posted runs there, and only what is somebody's is interrupted for him."""

from __future__ import annotations

import asyncio
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from notebook_flows.session.hearing import hears_interrupts
from notebook_flows.session.mainlane import MainLane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def with_pythons_handler() -> Iterator[None]:
    """Also where these tests were started in the background of a shell, which has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


async def served(do: Callable[[MainLane], Awaitable[None]]) -> None:
    """Serve a lane until this is done."""
    lane, ended = MainLane(asyncio.get_running_loop()), asyncio.Event()
    serving = asyncio.create_task(lane.serve(ended))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await do(lane)
    finally:
        ended.set()
        await serving


def test_what_other_threads_post_runs_on_the_main_thread_in_its_order() -> None:
    seen: list[tuple[int, bool]] = []

    async def do(lane: MainLane) -> None:
        def look(number: int) -> None:
            seen.append((number, threading.current_thread() is threading.main_thread()))

        def post() -> None:
            for number in range(3):
                lane.post(partial(look, number))

        await asyncio.to_thread(post)

    asyncio.run(served(do))

    assert seen == [(0, True), (1, True), (2, True)]


def test_only_the_coroutine_of_the_one_who_is_meant_is_cancelled() -> None:
    ends: dict[str, str] = {}

    async def do(lane: MainLane) -> None:
        begun, go, left_ends, right_ends = asyncio.Barrier(3), asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def sleeps(name: str) -> None:
            await begun.wait()
            try:
                await go.wait()
                ends[name] = "ended"
            except asyncio.CancelledError:
                ends[name] = "cancelled"
                raise
            finally:
                (left_ends if name == "left" else right_ends).set()

        for name in ("left", "right"):
            assert lane.post_coroutine(lambda name=name: sleeps(name), who=name)  # type: ignore[misc]
        await begun.wait()

        lane.interrupt("left")
        await left_ends.wait()
        go.set()
        await right_ends.wait()

    asyncio.run(served(do))

    assert ends == {"left": "cancelled", "right": "ended"}


def interrupted(lane: MainLane, who: str) -> list[str]:
    """What a cell of 'left' sees that is interrupted by another thread for somebody."""
    seen: list[str] = []
    begun, sent = threading.Event(), threading.Event()

    def job() -> None:
        try:
            with hears_interrupts("left"):
                begun.set()
                sent.wait(PATIENCE_S)
            seen.append("ended")
        except KeyboardInterrupt:
            seen.append("interrupted")

    def interrupt() -> None:
        begun.wait(PATIENCE_S)
        lane.interrupt(who)
        sent.set()

    lane.post(job, who="left")
    thread = threading.Thread(target=interrupt)
    thread.start()
    lane.run_waiting()
    thread.join(PATIENCE_S)
    return seen


def test_the_cell_that_runs_is_interrupted_when_it_is_meant() -> None:
    assert interrupted(MainLane(None), "left") == ["interrupted"]


def test_the_cell_that_runs_is_left_alone_when_another_is_meant() -> None:
    assert interrupted(MainLane(None), "right") == ["ended"]


def test_an_interrupt_that_comes_before_the_cells_code_is_raised_where_that_begins() -> None:
    lane = MainLane(None)
    seen: list[str] = []

    def job() -> None:
        lane.interrupt("left")
        seen.append("made ready")
        try:
            with hears_interrupts("left"):
                seen.append("ran")
        except KeyboardInterrupt:
            seen.append("interrupted")

    lane.post(job, who="left")
    lane.run_waiting()

    assert seen == ["made ready", "interrupted"]


def test_an_interrupt_that_is_heard_only_after_the_cells_end_hits_nobody() -> None:
    lane = MainLane(None)
    seen: list[str] = []

    def job() -> None:
        with hears_interrupts("left"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            lane.interrupt("left")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        with hears_interrupts("left"):  # its next attempt
            seen.append("next attempt")
        seen.append("ended")

    lane.post(job, who="left")
    lane.post(lambda: seen.append("next"))
    lane.run_waiting()

    assert seen == ["next attempt", "ended", "next"]


def test_what_others_have_sent_has_arrived_before_the_kernel_gets_its_handler_back() -> None:
    lane = MainLane(None)
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    threads = []

    def job() -> None:
        threads.append(threading.Thread(target=lane.interrupt, args=("left",)))
        threads[0].start()
        threads[0].join(PATIENCE_S)

    lane.post(job, who="left")
    lane.run_waiting()
    handler = signal.getsignal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)

    assert heard == [signal.SIGINT]
    assert getattr(handler, "__name__", "") == "<lambda>"


class Press:
    """Ctrl-C, pressed at a certain point of our own code."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def job(self) -> None:
        self.seen.append("before")
        signal.raise_signal(signal.SIGINT)
        self.seen.append("after")


def test_ctrl_c_in_our_own_code_waits_until_that_is_done_and_goes_on_to_whoever_serves() -> None:
    lane, press = MainLane(None), Press()
    lane.post(press.job)
    lane.post(lambda: press.seen.append("next"))

    with pytest.raises(KeyboardInterrupt):
        lane.run_waiting()
    first = list(press.seen)
    lane.run_waiting()

    assert first == ["before", "after"]
    assert press.seen == ["before", "after", "next"]


def test_ctrl_c_that_a_cell_survives_stops_the_run_all_the_same() -> None:
    lane, seen = MainLane(None), list[str]()

    def job() -> None:
        with hears_interrupts("left"):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                seen.append("survived")

    lane.post(job, who="left")

    with pytest.raises(KeyboardInterrupt):
        lane.run_waiting()
    assert seen == ["survived"]


def test_ctrl_c_between_two_looks_is_heard_as_ever_and_nothing_is_lost() -> None:
    lane, seen = MainLane(None), list[str]()
    lane.post(lambda: seen.append("made"))

    class Pressing(threading.Condition):
        def __enter__(self) -> bool:  # the first thing that the lane does to take something
            self.__class__ = threading.Condition  # type: ignore[assignment] # once
            signal.raise_signal(signal.SIGINT)
            return super().__enter__()

    lane._changed = Pressing()

    with pytest.raises(KeyboardInterrupt):
        lane.run_waiting()
    lane.run_waiting()

    assert seen == ["made"]


# -- cells that await --------------------------------------------------------------------------------------------------


async def stuck(do: Callable[[], None], ends: list[str]) -> None:
    """The code of a cell that awaits, and does this in the midst of a step; in an asyncio task that it begins."""

    async def inside() -> None:
        do()
        ends.append("went on")

    try:
        with hears_interrupts("left"):
            await asyncio.create_task(inside())
    except asyncio.CancelledError:
        ends.append("cancelled")


async def serving(lane: MainLane, do: Callable[[], None]) -> list[str]:
    """What becomes of a cell that is interrupted in the midst of a step, and of who serves."""
    ends: list[str] = []
    ended = asyncio.Event()

    async def cell() -> None:
        try:
            await stuck(do, ends)
        finally:
            ended.set()

    lane.post_coroutine(cell, who="left")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await lane.serve(ended)
        ends.append("served")
    except KeyboardInterrupt:
        ends.append("stopped")
    return ends


def test_ctrl_c_in_the_midst_of_a_step_is_heard_there_and_stops_the_run() -> None:
    async def do() -> list[str]:
        heard: list[int] = []
        signal.signal(signal.SIGINT, lambda number, _: heard.append(number))  # as a kernel's, which only takes notice
        found = await serving(MainLane(asyncio.get_running_loop()), lambda: signal.raise_signal(signal.SIGINT))
        return [*found, f"told {len(heard)} time"]

    assert asyncio.run(do()) == ["cancelled", "stopped", "told 1 time"]


@pytest.mark.parametrize(("who", "ends"), [("left", ["cancelled", "served"]), ("right", ["went on", "served"])])
def test_a_step_that_does_not_end_is_interrupted_for_the_one_whose_it_is(who: str, ends: list[str]) -> None:
    async def do() -> list[str]:
        lane = MainLane(asyncio.get_running_loop())

        def block() -> None:
            sending = threading.Thread(target=lane.interrupt, args=(who,))
            sending.start()
            sending.join(PATIENCE_S)

        return await serving(lane, block)

    assert asyncio.run(do()) == ends


def test_after_a_run_the_handler_of_before_stands_again() -> None:
    async def do() -> bool:
        before = signal.getsignal(signal.SIGINT)
        await serving(MainLane(asyncio.get_running_loop()), lambda: None)
        await asyncio.sleep(0)
        return signal.getsignal(signal.SIGINT) is before

    assert asyncio.run(do())


def test_a_closed_lane_takes_nothing() -> None:
    lane = MainLane(None)

    lane.close()

    assert not lane.post(lambda: None)
    assert not lane.post_coroutine(lambda: asyncio.sleep(0))
