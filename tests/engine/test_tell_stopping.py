"""What runs inside of a task is told when the run around it stops before its time."""

from __future__ import annotations

import threading

from notebook_flows import Flow, context, task
from notebook_flows.engine.stopping import tell_stopping, when_stopping


def test_whoever_is_inside_is_told_once_and_others_are_not() -> None:
    heard: list[str] = []

    with when_stopping("one", heard.append), when_stopping("two", lambda _: heard.append("wrong")):
        tell_stopping("one", "Enough.")
    tell_stopping("one", "Too late.")
    with when_stopping(None, heard.append):
        tell_stopping("three", "Nobody is there.")

    assert heard == ["Enough."]


def test_a_task_hears_of_the_timeout_of_its_flow() -> None:
    heard: list[str] = []
    has_heard = threading.Event()

    def hear(reason: str) -> None:
        heard.append(reason)
        has_heard.set()

    @task
    def waits() -> None:
        with when_stopping(context.flow_run_id, hear):
            has_heard.wait(20)

    with Flow("f", timeout=0.1) as flow:
        waits()
    flow.run(executor="threads", history=False)

    assert heard == ["The flow took longer than its timeout of 0.1 s."]
