"""One run of a flow for a test: no files, no real waiting, the same every time."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.cache import RECENT
from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.store.results import LocalResult
from notebook_flows.testing.clock import FakeClock
from notebook_flows.testing.executor import InlineExecutor
from notebook_flows.workspace import run_flow, surroundings

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.engine.ports import EventLog, Executor, WaitingClock


def run_flow_for_test(
    flow: Flow,
    *,
    clock: WaitingClock | None = None,
    executor: Executor | str | None = None,
    event_log: EventLog | None = None,
    results: Any = None,
    run_on_schedule: bool = False,
    **keywords: Any,
) -> State:
    """Run a flow once; the home folder is not touched, and rests between retries take no time.

    Args:
        flow: the flow.
        clock: a `FakeClock` of its own unless given.
        executor: one task after the other in this thread unless given; then as for `Flow.run`.
        event_log: where its history goes; into the void unless given. Give a `MemoryEventLog` to read it afterwards.
        results: where tasks with a ``target`` write; a folder that is gone after the run unless given.
        run_on_schedule: run at each time of the flow's schedule.
        **keywords: parameters and other options of `Flow.run`.

    Returns:
        The flow's State.

    >>> from notebook_flows import Flow, task
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> run_flow_for_test(flow).result[one].result
    1
    """
    time = clock if clock is not None else FakeClock()
    place = executor if executor is not None else InlineExecutor(clock=time)
    log = event_log if event_log is not None else MemoryEventLog()
    with TemporaryDirectory(prefix="notebook-flows-test-") as folder:
        kept = results if results is not None else LocalResult(folder)
        with surroundings(log, kept):
            return run_flow(flow, clock=time, executor=place, run_on_schedule=run_on_schedule, **keywords)


def forget_cached_results() -> None:
    """Forget what ``cache_for`` keeps in this process, so that no test finds the results of another."""
    RECENT.clear()
