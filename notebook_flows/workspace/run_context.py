"""What `notebook_flows.context` shows in every task of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.engine.ports import WaitingClock


def run_context(
    flow: Flow,
    given: Mapping[str, Any],
    run_id: str,
    name: str,
    clock: WaitingClock,
    scheduled: datetime | None,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The keys that are the same for all tasks: names, parameters, dates; ``more`` wins."""
    parameters = {p.name: p.default for p in flow.parameters() if not p.required}
    parameters.update(given)
    moment = scheduled or datetime.fromtimestamp(clock.now_us() / 1e6, UTC)
    day = timedelta(days=1)
    days = {
        "today": f"{moment:%Y-%m-%d}",
        "yesterday": f"{moment - day:%Y-%m-%d}",
        "tomorrow": f"{moment + day:%Y-%m-%d}",
    }
    return {
        "flow_name": flow.name,
        "flow_run_id": run_id,
        "run_id": run_id,
        "flow_run_name": name,
        "run_name": name,
        "parameters": parameters,
        "scheduled_start_time": moment,
        "date": moment,
        **days,
        **{f"{key}_nodash": value.replace("-", "") for key, value in days.items()},
        **more,
    }
