"""For tests of your own flows: a clock turned by hand, an executor without threads, a history that stays in memory.

    from notebook_flows.testing import FakeClock, assert_states, run_flow_for_test

    def test_a_failed_load_is_tried_again_an_hour_later():
        clock = FakeClock()

        state = run_flow_for_test(flow, clock=clock)

        assert_states(state, {"load": "success", "report": "success"})
        assert clock.elapsed_s >= 3600

Nothing here waits for real time, and nothing touches the home folder.
"""

from __future__ import annotations

from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.testing.clock import FakeClock
from notebook_flows.testing.executor import InlineExecutor
from notebook_flows.testing.running import forget_cached_results, run_flow_for_test
from notebook_flows.testing.states import assert_states

__all__ = [
    "FakeClock",
    "InlineExecutor",
    "MemoryEventLog",
    "assert_states",
    "forget_cached_results",
    "run_flow_for_test",
]
