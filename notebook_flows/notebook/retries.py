"""Whether a cell that has failed is tried again, and when: as the engine decides it for any task."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.endings import retry_details

if TYPE_CHECKING:
    from notebook_flows.engine.call import Call
    from notebook_flows.notebook.endings import Ending


def retried(call: Call, ending: Ending) -> Ending:
    """The ending of a failed attempt: it rests until it is tried again, if a try is left."""
    delay = call.task.retry_policy.delay_after(call.attempt, luck=random.random())  # noqa: S311 - spreads retries, guards nothing
    if delay is None:
        return ending
    resting = api.Retrying(message=ending.message, result=ending.error, run_count=call.attempt, start_time=delay)
    return replace(ending, state=S.RETRYING, details={**ending.details, **retry_details(resting)})
