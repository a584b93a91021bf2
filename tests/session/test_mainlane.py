"""The main thread, lent to a run: what is posted runs there, and only what is somebody's is interrupted for him."""

from __future__ import annotations

import asyncio
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from notebook_flows.session.mainlane import MainLane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def hears_interrupts() -> Iterator[None]:
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
    """What a job of 'left' sees that is interrupted by another thread for somebody."""
    seen: list[str] = []
    begun, sent = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        try:
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


def test_what_runs_is_interrupted_for_the_one_whose_it_is() -> None:
    assert interrupted(MainLane(None), "left") == ["interrupted"]


def test_what_runs_is_left_alone_when_another_is_meant() -> None:
    assert interrupted(MainLane(None), "right") == ["ended"]


def test_an_interrupt_that_is_heard_only_after_its_end_hits_nobody() -> None:
    lane = MainLane(None)
    seen: list[str] = []

    def job() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        lane.interrupt("left")
        seen.append("ended")

    class Unblocking(threading.Condition):
        def __enter__(self) -> bool:  # the lane's last step in a job
            if seen:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            return super().__enter__()

    lane._changed = Unblocking()
    lane.post(job, who="left")
    lane.post(lambda: seen.append("next"))
    lane.run_waiting()

    assert seen == ["ended", "next"]


def test_ctrl_c_of_a_person_goes_on_to_whoever_serves() -> None:
    lane = MainLane(None)
    lane.post(lambda: signal.raise_signal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        lane.run_waiting()


def test_a_closed_lane_takes_nothing() -> None:
    lane = MainLane(None)

    lane.close()

    assert not lane.post(lambda: None)
    assert not lane.post_coroutine(lambda: asyncio.sleep(0))
