"""What a flow's own handlers make of the state in which its run ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core import signals, state as api
from notebook_flows.engine.handlers import handled
from notebook_flows.engine.timeouts import is_for_others
from notebook_flows.engine.wording import short

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from notebook_flows.core.flow import Flow


def judged_by_flow(flow: Flow, proposed: api.State, references: AbstractSet[api.State]) -> api.State:
    """The final state after the flow's handlers have seen it.

    Args:
        flow: whose handlers they are.
        proposed: how the run would end without them.
        references: the states of the reference tasks.
    """
    settled = proposed
    if flow.terminal_state_handler is not None:
        try:
            replaced = flow.terminal_state_handler(flow, settled, references)
        except signals.Signal as signal:
            replaced = signal.state
        except BaseException as error:  # as in `handled`
            if is_for_others(error):
                raise
            message = f"Exception raised while calling the terminal state handler: {short(error)}"
            replaced = api.Failed(message, result=error)
        settled = replaced if isinstance(replaced, api.State) else settled
    return handled(flow, api.Running(), settled)
