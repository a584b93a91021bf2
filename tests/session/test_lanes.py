"""The lanes of a run: each call ends once, also one that waits for its turn, or whose values nobody can take."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from bench import FACTS, Inbox

from notebook_flows.core.lifecycle import S
from notebook_flows.core.task import Task
from notebook_flows.engine.call import Call
from notebook_flows.errors import ShellCommandFailed
from notebook_flows.session.lanes import LOOP_IS_TAKEN, Lane, LanesExecutor
from notebook_flows.session.mainlane import MainLane
from notebook_flows.session.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.call import Outcome

PATIENCE_S = 30


class FakeCell(Task):
    """A cell, as far as lanes look at it."""

    mini_shell = None
    has_main_thread = False

    def __init__(self, name: str, lane: Lane, do: Callable[[], Any] = lambda: None) -> None:
        super().__init__(name=name)
        self.key, self.lane, self._do = name, lane, do
        self.is_alone = lane is Lane.MAIN
        self.was_given_up = False

    def give_up(self) -> None:
        self.was_given_up = True

    def run(self) -> Any:
        return self._do()


class Lanes:
    """The executor, its main lane, and what it tells."""

    def __init__(self, on_end: Callable[[Task, Outcome], Outcome] = lambda _task, outcome: outcome) -> None:
        self.main = MainLane(None)
        self.turns = Turns(self.main)
        self.inbox: Any = Inbox()
        self.executor = LanesExecutor(self.main, self.turns, on_end=on_end)
        self.executor.start(self.inbox, FACTS)  # type: ignore[arg-type] # nobody interrupts it

    def submit(self, number: int, cell: FakeCell) -> None:
        self.executor.submit(Call(ref=number, task_key=number, task=cell, arguments={}, facts=FACTS))

    def outcome(self) -> Outcome:
        found: Outcome = self.inbox.queue.get(timeout=PATIENCE_S)
        return found

    def end(self) -> None:
        self.turns.close()
        self.executor.stop(cancel_running=True)


def test_a_cell_that_is_alone_is_made_by_the_main_thread_once_the_others_have_ended() -> None:
    lanes, made = Lanes(), threading.Event()
    lanes.turns.begin("main")  # as a cell that has begun, and has to be waited for
    lanes.turns.begin("other")
    lanes.submit(1, FakeCell("alone", Lane.MAIN, made.set))

    lanes.main.run_waiting()
    was_early = made.is_set()
    lanes.turns.end("main")
    lanes.turns.end("other")
    lanes.main.serve_blocking(lambda: not lanes.inbox.queue.empty())

    assert not was_early
    assert lanes.outcome().state is S.SUCCESS
    lanes.end()


def test_a_cell_that_waits_for_its_turn_is_cancelled_at_once_and_never_made() -> None:
    lanes, made = Lanes(), threading.Event()
    lanes.turns.begin("other")
    lanes.submit(1, FakeCell("alone", Lane.MAIN, made.set))

    assert lanes.executor.cancel(1, 1)
    outcome = lanes.outcome()
    lanes.turns.end("other")
    lanes.main.run_waiting()
    lanes.end()

    assert outcome.state is S.CANCELLED
    assert not made.is_set()


def test_a_process_waits_for_its_turn_without_holding_up_who_submits_it_and_ends_with_the_run() -> None:
    lanes = Lanes()
    lanes.turns.begin("other")
    lanes.submit(1, FakeCell("alone", Lane.MAIN))
    while lanes.turns.begins_at_once("looker"):
        lanes.turns.end("looker")

    lanes.submit(2, FakeCell("away", Lane.PROCESSES))
    lanes.end()

    assert {lanes.outcome().ref, lanes.outcome().ref} == {1, 2}
    assert lanes.inbox.queue.empty()


def test_values_that_nobody_can_take_fail_their_cell() -> None:
    def cannot(task: Task, outcome: Outcome) -> Outcome:
        raise ValueError(f"{task.name} is broken, {outcome.ref}")

    lanes = Lanes(cannot)
    lanes.submit(1, FakeCell("made", Lane.THREADS))

    outcome = lanes.outcome()
    lanes.end()

    assert outcome.state is S.FAILED
    assert outcome.message == "Its values cannot be taken: made is broken, 1"


def test_a_cell_whose_command_was_stopped_is_cancelled_also_if_it_ends_before_it_is_given_up() -> None:
    lanes, is_stopped = Lanes(), threading.Event()

    class Commanding(FakeCell):
        def give_up(self) -> None:  # the first step of stopping it, which the thread overtakes here
            is_stopped.set()
            ended.append(lanes.outcome())

    def command() -> None:
        assert is_stopped.wait(PATIENCE_S)
        raise ShellCommandFailed("sleep 60", -2, was_stopped=True)

    ended: list[Outcome] = []
    lanes.submit(1, Commanding("commands", Lane.THREADS, command))

    lanes.end()

    assert [one.state for one in ended] == [S.CANCELLED]


def test_a_cell_that_awaits_says_that_the_loop_is_taken() -> None:
    lanes = Lanes()
    lanes.submit(1, FakeCell("awaits", Lane.LOOP))

    outcome = lanes.outcome()
    lanes.end()

    assert (outcome.state, outcome.message) == (S.FAILED, LOOP_IS_TAKEN)
