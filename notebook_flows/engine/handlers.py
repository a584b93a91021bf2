"""State handlers: told of a change, they may put another state in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.engine import forks
from notebook_flows.engine.timeouts import is_for_others
from notebook_flows.engine.wording import short

if TYPE_CHECKING:
    from notebook_flows.engine.call import Call


def handled(task: Any, old: api.State, new: api.State) -> api.State:
    """The state after these handlers have seen the change; one that raises makes it a failure."""
    forks_before = forks.count
    for handler in task.state_handlers:
        try:
            replaced = handler(task, old, new)
        except signals.Signal as signal_:
            return signal_.state
        except BaseException as error:  # SystemExit too: a handler ends no run
            if forks_before != forks.count or is_for_others(error):
                raise
            return api.Failed(f"Exception raised while calling state handlers: {short(error)}", result=error)
        if isinstance(replaced, api.State):
            new = replaced
    return new


def announced(call: Call) -> api.State | None:
    """Tell the handlers that it begins; the state that they put in place of Running, if any."""
    if not call.task.state_handlers:
        return None
    before: api.State = api.Retrying(run_count=call.attempt - 1) if call.attempt > 1 else api.Pending()
    now = handled(call.task, before, api.Running(message="Starting task run."))
    return None if now.is_running() else now
