"""Whatever the flow and wherever it runs: the same states and values as a plain evaluation, and a history that says so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from engine_flows import Node, built, ends_in, evaluated, laws, random_nodes, same
from hypothesis import example, given, strategies as st

from notebook_flows import LocalExecutor, ProcessExecutor, ThreadExecutor
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.testing import InlineExecutor, MemoryEventLog, run_flow_for_test

if TYPE_CHECKING:
    from notebook_flows.core.events import Event

pytestmark = pytest.mark.filterwarnings("ignore:.*lists of unequal lengths:UserWarning")

FLATTENED_IN_A_CHAIN = (Node(), Node(edges=((0, False, True),)), Node(edges=((1, False, False),)))
FAILED_IN_A_CHAIN = (Node(lucks=((0, "Failed"),)), Node(edges=((0, False, False),)), Node(edges=((1, False, False),)))


def run_and_check(nodes: tuple[Node, ...], executor: Any) -> list[Event]:
    """Run, compare with the plain evaluation, check the history; the events."""
    flow, tasks = built(nodes)
    log = MemoryEventLog()

    state = run_flow_for_test(flow, executor=executor, event_log=log, flow_run_id="1" * 32)

    found, expected = ends_in(state, tasks), evaluated(nodes)
    assert same(found, expected), f"{found}\n{expected}"
    events = log.read("1" * 32)
    check_history(events)
    return events


def check_history(events: list[Event]) -> None:
    """What holds for the events of any run that went to its end."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[0].data is not None
    run = Run(plan_from_first_event(events[0].data))
    for event in events:
        if event.kind is Kind.TASK and event.state is S.RUNNING:
            for one in run.plan.graph.inputs[event.node]:
                children = run.children.get(one.upstream)
                is_lane = children is not None and one.is_mapped and not one.is_flattened
                before = children.first + event.index if children is not None and is_lane else one.upstream
                assert IS_FINAL[run.state[before]], f"{event} before its upstream {one.upstream} has ended"
        run.apply(event)
    finals = Counter((e.node, e.index) for e in events if e.kind is Kind.TASK and IS_FINAL[e.state])
    assert set(finals.values()) <= {1}
    assert all(IS_FINAL[state] for state in run.state)
    assert IS_FINAL[run.run_state]


@laws(150)
@given(random_nodes())
@example(FLATTENED_IN_A_CHAIN)
def test_in_this_thread(nodes: tuple[Node, ...]) -> None:
    run_and_check(nodes, LocalExecutor())


@laws(150)
@given(random_nodes(), st.integers(1, 4), st.integers(0, 1000))
def test_in_any_order(nodes: tuple[Node, ...], workers: int, seed: int) -> None:
    run_and_check(nodes, InlineExecutor(workers, seed=seed))


@laws(100)
@given(random_nodes(), st.integers(1, 4))
@example(FLATTENED_IN_A_CHAIN, 2)
@example(FAILED_IN_A_CHAIN, 2)
def test_in_threads(nodes: tuple[Node, ...], workers: int) -> None:
    run_and_check(nodes, ThreadExecutor(workers))


@laws(6)
@given(random_nodes())
@example(FLATTENED_IN_A_CHAIN)
@example(FAILED_IN_A_CHAIN)
def test_in_processes(nodes: tuple[Node, ...]) -> None:
    run_and_check(nodes, ProcessExecutor(2))


@laws(30)
@given(random_nodes(), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_history(nodes: tuple[Node, ...], seed: int) -> None:
    first, second = (
        [
            (event.kind, event.node, event.index, event.attempt, event.state)
            for event in run_and_check(nodes, InlineExecutor(3, seed=seed))
        ]
        for _ in range(2)
    )

    assert first == second


@pytest.mark.parametrize("executor", [LocalExecutor, lambda: ThreadExecutor(2), InlineExecutor])
def test_a_plain_task_records_two_events(executor: Any) -> None:
    nodes = (Node(), Node(edges=((0, False, False),)), Node())

    events = run_and_check(nodes, executor())

    assert Counter(event.node for event in events if event.kind is Kind.TASK) == {0: 2, 1: 2, 2: 2}
    assert len(events) == 8
