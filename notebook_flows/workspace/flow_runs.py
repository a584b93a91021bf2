"""The runs that `flow.run()` makes: one, or one at each time of the flow's schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.clock import SystemClock
from notebook_flows.engine.parameters import RunOptionError, checked_observers, completed, shown, told_apart
from notebook_flows.errors import FlowError
from notebook_flows.workspace.one_run import run_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core import state as api
    from notebook_flows.core.flow import Flow
    from notebook_flows.engine.ports import Observer, WaitingClock

LONGEST_NAP_S = 30.0
"""How long a scheduled run sleeps at most before it looks at the clock again, which may have been set."""


def run_flow(
    flow: Flow,
    *,
    parameters: Mapping[str, Any] | None = None,
    run_on_schedule: bool | None = None,
    runner_cls: Any = None,
    clock: WaitingClock | None = None,
    observers: Sequence[Observer] = (),
    **keywords: Any,
) -> api.State:
    """Run a flow once, or at each time of its schedule; see `Flow.run`."""
    if runner_cls is not None:
        raise FlowError("`runner_cls` is Prefect 1's; notebook_flows has one engine. Leave it out, or give `executor`.")
    now = clock or SystemClock()
    if not hasattr(now, "now_us"):
        raise RunOptionError(f"flow.run(): `clock` has to be a clock, such as SystemClock(), not {shown(clock)}.")
    given, options = told_apart(flow, parameters, keywords)
    options["observers"] = checked_observers(observers)
    wanted = options.pop("resume", None)
    if wanted is not None:
        from notebook_flows.workspace.histories import log_for
        from notebook_flows.workspace.resuming import parameters_of, source_of

        source = source_of(log_for(options.get("history")), flow, wanted)
        given = parameters_of(source, flow, given)
        return run_once(flow, completed(flow, given), now, resumes=source, **options)
    if flow.schedule is None or run_on_schedule is False:
        return run_once(flow, completed(flow, given), now, **options)
    return _run_on_schedule(flow, given, now, **options)


def _run_on_schedule(flow: Flow, given: dict[str, Any], clock: WaitingClock, **options: Any) -> api.State:
    """Wait for each time of the schedule, and run then, until there is none left."""
    assert flow.schedule is not None
    after = datetime.fromtimestamp(clock.now_us() / 1e6, UTC)
    state: api.State | None = None
    while True:
        events: Any = flow.schedule.next(1, after=after, **_with_events(flow.schedule))
        if not events:
            if state is None:
                raise FlowError(f"Flow {flow.name!r} has no more scheduled runs.")
            return state
        event = events[0]
        due = getattr(event, "start_time", event)
        parameters = completed(flow, given, getattr(event, "parameter_defaults", None))
        while (left_s := due.timestamp() - clock.now_us() / 1e6) > 0:
            clock.sleep_s(min(left_s, LONGEST_NAP_S))
        state = run_once(flow, parameters, clock, scheduled_start_time=due, **options)
        after = due


def _with_events(schedule: Any) -> dict[str, bool]:
    return {"return_events": True} if hasattr(schedule, "clocks") else {}
