"""What has failed is tried again while its run goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from notebook_flows import (
    Flow,
    LocalExecutor,
    ProcessExecutor,
    ThreadExecutor,
    context,
    resource_manager,
    task,
    triggers,
)
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.engine.stopping import retry_run
from notebook_flows.store.sqlite import SqliteEventLog
from notebook_flows.testing import FakeClock, InlineExecutor, MemoryEventLog, assert_states, run_flow_for_test

if TYPE_CHECKING:
    from pathlib import Path

RUN = "7" * 32
PATIENCE_S = 30.0


class Luck:
    """Fails as long as nobody has asked for another try."""

    def __init__(self) -> None:
        self.tries = 0
        self.has_failed = threading.Event()
        self.is_good = threading.Event()

    def __call__(self) -> str:
        self.tries += 1
        if not self.is_good.is_set():
            self.has_failed.set()
            raise ValueError("bad luck")
        return "lucky"


def run(flow: Flow, executor: Any, log: MemoryEventLog | None = None) -> Any:
    return run_flow_for_test(flow, event_log=log or MemoryEventLog(), flow_run_id=RUN, executor=executor)


def waits_and_asks(luck: Luck) -> Any:
    """A task that has another one tried again, once that has failed."""

    @task(name="asks")
    def asks() -> None:
        assert luck.has_failed.wait(PATIENCE_S)
        luck.is_good.set()
        assert retry_run(context.flow_run_id)

    return asks


def test_a_task_that_failed_and_what_waits_for_it_run_after_all() -> None:
    luck, log = Luck(), MemoryEventLog()
    with Flow("lucky") as flow:
        bad = task(luck, name="bad")()
        after = task(lambda x: f"after {x}", name="after")(bad)
        waits_and_asks(luck)()

    state = run(flow, ThreadExecutor(2), log)

    assert state.is_successful()
    assert_states(state, {bad: "Success", after: "Success"})
    assert state.result[after].result == "after lucky"
    assert luck.tries == 2
    attempts = [(row.attempt, row.state) for row in log.task_runs(RUN) if row.node == 0]
    assert attempts == [(1, S.FAILED), (2, S.SUCCESS)]


def test_with_the_local_executor_it_is_tried_again_when_the_task_that_runs_has_ended() -> None:
    luck = Luck()
    with Flow("local") as flow:
        bad = task(luck, name="bad")()
        after = task(lambda x: x, name="after")(bad)
        waits_and_asks(luck)()

    state = run(flow, LocalExecutor())

    assert_states(state, {bad: "Success", after: "Success"})


def test_a_request_in_the_history_does_the_same() -> None:
    clock = FakeClock()
    luck, log = Luck(), MemoryEventLog(clock=clock)
    with Flow("asked") as flow:
        bad = task(luck, name="bad")()

        @task
        def asks() -> None:
            luck.is_good.set()
            log.request(RUN, "retry")
            clock.advance(1)

        asks()

    state = run_flow_for_test(flow, clock=clock, executor=InlineExecutor(clock=clock), event_log=log, flow_run_id=RUN)

    assert_states(state, {bad: "Success"})


def test_children_of_a_mapped_task_are_tried_again_alone() -> None:
    luck = Luck()
    numbers: list[int] = []

    def one(number: int) -> int:
        numbers.append(number)
        if number == 1:
            luck()
        return number

    with Flow("mapped") as flow:
        children = task(one, name="one").map([0, 1, 2])
        total = task(lambda found: sum(found), name="total")(children)
        waits_and_asks(luck)()

    state = run(flow, LocalExecutor())

    assert state.result[total].result == 3
    assert sorted(numbers) == [0, 1, 1, 2]


def test_what_has_run_because_of_the_failure_stays_as_it_is() -> None:
    luck = Luck()
    alarms: list[str] = []
    with Flow("alarm") as flow:
        bad = task(luck, name="bad")()
        alarm = task(lambda _: alarms.append("alarm"), name="alarm", trigger=triggers.any_failed)(bad)
        waits_and_asks(luck)(upstream_tasks=[alarm])

    state = run(flow, LocalExecutor())

    assert alarms == ["alarm"]
    assert_states(state, {bad: "Success", alarm: "Success"})


def test_what_fails_again_is_failed_and_its_retries_are_not_counted_anew() -> None:
    luck = Luck()
    with Flow("unlucky") as flow:
        bad = task(luck, name="bad", max_retries=2, retry_delay=0)()
        after = task(lambda x: x, name="after")(bad)

        @task(trigger=triggers.all_finished)
        def asks(_: Any) -> None:
            retry_run(RUN)

        asks(after)

    state = run(flow, LocalExecutor())

    assert luck.tries == 4
    assert_states(state, {bad: "Failed", after: "TriggerFailed"})


def test_a_run_that_is_being_stopped_tries_nothing_again() -> None:
    luck = Luck()
    with Flow("stopped") as flow:
        bad = task(luck, name="bad")()

        @task
        def asks(_: Any) -> None:
            retry_run(RUN)
            raise KeyboardInterrupt

        asks.trigger = triggers.all_finished
        asks(bad)

    with pytest.raises(KeyboardInterrupt):
        run(flow, LocalExecutor())

    assert luck.tries == 1


def fails_once(folder: str) -> str:
    from pathlib import Path

    marker = Path(folder) / "tried"
    if not marker.exists():
        marker.touch()
        raise ValueError("bad luck")
    return "lucky"


def test_in_processes_it_is_tried_again_too(tmp_path: Any) -> None:
    @task
    def asks(marker: str) -> None:
        from pathlib import Path
        from time import sleep

        while not Path(marker).exists():
            sleep(0.01)

    log = MemoryEventLog()
    seen = threading.Event()

    def observe(now: Run, events: Any) -> None:
        del now
        if any(event.state is S.FAILED and event.kind is Kind.TASK for event in events) and not seen.is_set():
            seen.set()
            retry_run(RUN)
            (tmp_path / "go").touch()

    with Flow("processes") as flow:
        bad = task(fails_once)(str(tmp_path))
        after = task(lambda text: text.upper(), name="after")(bad)
        asks(str(tmp_path / "go"))

    state = run_flow_for_test(flow, event_log=log, flow_run_id=RUN, executor=ProcessExecutor(2), observers=[observe])

    assert state.result[after].result == "LUCKY"


def test_the_history_folds_to_the_same_end() -> None:
    luck, log = Luck(), MemoryEventLog()
    with Flow("folded") as flow:
        bad = task(luck, name="bad")()
        task(lambda x: x, name="after")(bad)
        waits_and_asks(luck)()
    run(flow, LocalExecutor(), log)

    events = log.read(RUN)
    folded = Run(plan_from_first_event(events[0].data or {}))
    for event in events:
        folded.apply(event)

    assert folded.state == [S.SUCCESS, S.SUCCESS, S.SUCCESS]
    assert [event.node for event in events if event.kind is Kind.REOPENED] == [0, 1]


def test_a_request_that_comes_right_before_the_end_is_heard(tmp_path: Path) -> None:
    luck, log = Luck(), SqliteEventLog(tmp_path / "history.db")
    with Flow("late") as flow:
        bad = task(luck, name="bad")()

        @task
        def asks() -> None:
            assert luck.has_failed.wait(PATIENCE_S)
            luck.is_good.set()
            log.request(RUN, "retry")  # the engine has looked when it began, and looks twice a second

        asks()

    state = run_flow_for_test(flow, event_log=log, flow_run_id=RUN, executor=ThreadExecutor(2))

    assert luck.tries == 2
    assert_states(state, {bad: "Success"})
    assert log.check() == []


def test_whoever_asks_when_the_run_is_about_to_end_is_told_that_it_is_too_late() -> None:
    luck, answers = Luck(), []
    with Flow("too late", state_handlers=[lambda _flow, _old, new: answers.append(retry_run(RUN)) or new]) as flow:
        task(luck, name="bad")()

    state = run(flow, LocalExecutor())

    assert answers[-1] is False
    assert state.is_failed()
    assert luck.tries == 1


def test_a_request_that_two_read_in_the_history_is_one() -> None:
    luck = Luck()
    with Flow("read twice") as flow:
        task(luck, name="bad")()

        @task
        def asks(request: int) -> None:
            assert luck.has_failed.wait(PATIENCE_S)
            assert retry_run(RUN, request)

        asks(5, upstream_tasks=[asks(5)])

    state = run(flow, LocalExecutor())

    assert state.is_failed()
    assert luck.tries == 2


def test_who_uses_a_resource_that_has_been_cleaned_up_is_not_tried_again() -> None:
    luck, done = Luck(), []

    @resource_manager
    class Cluster:
        def setup(self) -> str:
            done.append("set up")
            return "cluster"

        def cleanup(self, cluster: str) -> None:
            del cluster
            done.append("cleaned up")

    with Flow("cluster") as flow:
        with Cluster() as cluster:
            bad = task(lambda cluster: done.append(f"on {cluster}") or luck(), name="bad")(cluster)
            inside = task(lambda x: x, name="inside")(bad)
        after = task(lambda x: x, name="after")(inside)
        other = task(Luck(), name="other")()
        waits_and_asks(luck)(upstream_tasks=[flow.get_tasks(name="Cluster.cleanup")[0]])

    with pytest.warns(UserWarning, match="the resource that they use has been cleaned up: bad, inside"):
        state = run(flow, LocalExecutor())

    assert done == ["set up", "on cluster", "cleaned up"]
    assert_states(state, {bad: "Failed", inside: "TriggerFailed", after: "TriggerFailed", other: "Failed"})


def test_nobody_has_a_run_tried_again_that_is_not_here() -> None:
    assert not retry_run("0" * 32)
