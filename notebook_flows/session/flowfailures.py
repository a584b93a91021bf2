"""What has failed in a `flow.run()`, in a few lines below its picture: its state says only that something has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.engine.results import TaskStates
from notebook_flows.engine.wording import named
from notebook_flows.views.runview import OWN_FAILURES
from notebook_flows.views.text import child_name, counted, first_line, printable

if TYPE_CHECKING:
    from notebook_flows.core.state import State
    from notebook_flows.engine.results import Ledger

MOST_TOLD = 20


def failures_told(state: State) -> str:
    """A line for each task run that has failed itself; not for those that did not run because of them.

    Args:
        state: how the run has ended.
    Returns:
        The lines; empty if it has not failed, or if nobody knows of its tasks.
    """
    if not state.is_failed() or not isinstance(state.result, TaskStates):
        return ""
    ledger = state.result._ledger
    run = ledger.run
    failed = [number for number, now in enumerate(run.state) if now in OWN_FAILURES and number not in run.children]
    lines = [_line(ledger, number) for number in failed[:MOST_TOLD]]
    if len(failed) > MOST_TOLD:
        lines.append(f"... and {counted(len(failed) - MOST_TOLD, 'more')}")
    return "".join(f"{line}\n" for line in lines)


def _line(ledger: Ledger, number: int) -> str:
    run = ledger.run
    facts = facts_of(S(run.state[number]))
    node, index = run.place_of(number)
    name = child_name(run.plan.names[node], index)
    error = ledger.value(number)
    said = first_line(named(error) if isinstance(error, BaseException) else ledger.messages.get(number, ""))
    why = f": {said}" if said else ""
    return f"{facts.glyph} {printable(name)}: {facts.word}{why}"
