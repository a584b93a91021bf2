"""What other processes ask of a run that a cell has begun."""

from __future__ import annotations

import threading

from notebook_flows import Flow, ThreadExecutor, task
from notebook_flows.engine.ports import Request
from notebook_flows.session.outside import _obey
from notebook_flows.testing import MemoryEventLog, run_flow_for_test

RUN = "5" * 32
PATIENCE_S = 30.0


def test_a_wish_that_the_run_has_read_in_its_history_too_is_fulfilled_once() -> None:
    log = MemoryEventLog()
    tried = [threading.Event(), threading.Event(), threading.Event()]
    left = iter(tried)
    with Flow("wished") as flow:

        @task
        def bad() -> None:
            next(left).set()
            raise ValueError("bad luck")

        @task
        def asks() -> None:
            assert tried[0].wait(PATIENCE_S)
            number = log.request(RUN, "retry")
            assert tried[1].wait(PATIENCE_S)  # the engine has read it
            _obey(RUN, [Request(number, "retry", {})])

        bad()
        asks()

    run_flow_for_test(flow, event_log=log, flow_run_id=RUN, executor=ThreadExecutor(2))

    assert not tried[2].is_set()
