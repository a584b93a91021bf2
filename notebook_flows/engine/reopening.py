"""Tries again, in a run that goes on, what has not ended well, and what that had led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from notebook_flows.core.run import Run
    from notebook_flows.engine.record import Record
    from notebook_flows.engine.results import Ledger


def try_again(run: Run, record: Record, ledger: Ledger, now_us: int) -> int:
    """Have all of them wait for their turn again; each gets one more attempt. Returns how many there are.

    Those that another one had kept from running are judged anew when that has ended. What has run because of a failure,
    such as a task with the trigger ``any_failed``, stays as it is.
    """
    if run.stopping or run.is_over:
        return 0
    wanted = [number for number in range(len(run.state)) if run.can_be_reopened(number)]
    places = [run.place_of(number) for number in wanted]
    parents = {node for node, index in places if index != UNMAPPED}
    for node in sorted(node for node in parents if run.state[node] is S.MAPPED):
        record.add(now_us, Kind.REOPENED, node, UNMAPPED, 0, 1, S.EXPANDED, None)
    for number, (node, index) in zip(wanted, places, strict=True):
        ledger.messages.pop(number, None)
        loop = run.loops.get(number, 0) + 1
        record.add(now_us, Kind.REOPENED, node, index, run.attempt[number], loop, S.PENDING, None)
    return len(wanted)
