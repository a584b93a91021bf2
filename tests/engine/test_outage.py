"""The history refuses: nothing new starts, what runs is heard, and one clear sentence ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import Flow, task
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.nolog import NoRunLog
from notebook_flows.errors import StaleOwnerError, StoreError, StoreUnavailable
from notebook_flows.testing import InlineExecutor, assert_states, run_flow_for_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.engine.ports import RunInfo


class Log(NoRunLog):
    """A history that can be told when to refuse.

    Attributes:
        refusals: how many questions whether something may start are answered with no, from the ``refuses_from``-th on.
        error: raised by `append` once the refusals are over, and by `close`.
    """

    def __init__(self, *, refuses_from: int = 0, refusals: int = 0, error: StoreError | None = None) -> None:
        self.events: list[Event] = []
        self.asked = 0
        self.is_closed = False
        self._refuses = range(refuses_from, refuses_from + refusals)
        self._error = error

    def begin(self, info: RunInfo) -> Log:
        return self

    def may_start(self) -> bool:
        self.asked += 1
        return self.asked - 1 not in self._refuses

    @property
    def has_given_up(self) -> bool:
        return self._error is not None and self.asked > self._refuses.stop

    def append(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        if self.has_given_up:
            assert self._error is not None
            raise self._error

    def close(self, patience_s: float | None = None) -> None:
        self.is_closed = True
        if self.has_given_up:
            assert self._error is not None
            raise self._error


def three_in_a_row() -> tuple[Flow, list[int]]:
    ran: list[int] = []

    @task
    def step(x: int) -> int:
        ran.append(x)
        return x + 1

    with Flow("row") as flow:
        step(step(step(0)))
    return flow, ran


def test_while_the_history_refuses_nothing_new_starts_and_then_it_goes_on() -> None:
    log = Log(refuses_from=2, refusals=5)
    flow, ran = three_in_a_row()

    state = run_flow_for_test(flow, event_log=log)

    assert state.is_successful()
    assert ran == [0, 1, 2]
    assert log.asked >= 5 + 3
    assert log.is_closed


def test_what_runs_while_the_history_refuses_is_recorded() -> None:
    log = Log(refuses_from=1, refusals=3)
    with Flow("two") as flow:
        task(lambda: 1, name="one")()
        task(lambda: 2, name="two")()

    run_flow_for_test(flow, event_log=log, executor=InlineExecutor(2, seed=3))

    assert [event.state for event in log.events if event.kind is Kind.TASK].count(S.SUCCESS) == 2


@pytest.mark.parametrize(
    "error", [StoreUnavailable("The disk is full. What ran is in FILE."), StaleOwnerError("Gone.")]
)
def test_a_history_that_gives_up_ends_the_run_with_its_own_sentence(error: StoreError) -> None:
    log = Log(refuses_from=1, refusals=0, error=error)
    flow, ran = three_in_a_row()

    with pytest.raises(type(error)) as raised:
        run_flow_for_test(flow, event_log=log)

    assert raised.value is error
    assert ran in ([], [0])
    assert log.is_closed


def test_outcomes_that_arrived_before_it_gave_up_were_handed_to_the_log() -> None:
    """The log spools what it is given, so it has to be given everything up to the moment at which it gives up."""
    log = Log(refuses_from=3, refusals=0, error=StoreUnavailable("The disk is full."))
    flow, ran = three_in_a_row()

    with pytest.raises(StoreUnavailable):
        run_flow_for_test(flow, event_log=log)

    told = [(event.node, event.state) for event in log.events if event.kind is Kind.TASK]
    assert [node for node, state in told if state is S.SUCCESS] == [*range(len(ran))][: len(told) // 2]


def test_a_log_that_fails_only_at_the_end_is_told_too() -> None:
    class Late(Log):
        has_given_up = False  # type: ignore[assignment]

        def close(self, patience_s: float | None = None) -> None:
            raise StoreUnavailable("Not the last one.")

    flow, ran = three_in_a_row()

    with pytest.raises(StoreUnavailable, match="Not the last one"):
        run_flow_for_test(flow, event_log=Late())

    assert ran == [0, 1, 2]


def test_without_a_history_everything_runs() -> None:
    flow, _ = three_in_a_row()

    state: Any = flow.run(history=False)

    assert_states(state, {"step": "success"})
