"""The notebook's cells as a flow that is only drawn, and how they stand where no run says anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.flow import Flow
from notebook_flows.core.lifecycle import S
from notebook_flows.core.task import Task
from notebook_flows.session.freshness import FAILED
from notebook_flows.views.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import PastRun
    from notebook_flows.views.standing import Standings


class _CellAsTask(Task):
    """A cell in a picture; it is never run."""

    def run(self) -> Any:
        raise NotImplementedError


def picture_flow(
    name: str, records: Mapping[str, CellRecord], connections: Connections
) -> tuple[Flow, dict[str, Task]]:
    """The cells as a flow that is only drawn.

    Args:
        name: of the flow.
        records: of the cells to be drawn, in the order of the document.
        connections: of all cells.
    """
    flow = Flow(name)
    tasks: dict[str, Task] = {}
    for key, record in records.items():
        tasks[key] = _CellAsTask(name=record.name, tags=set(record.options.tags))
        flow.add_task(tasks[key])
    edges = {
        (edge.upstream_key, edge.downstream_key): None
        for edge in (*connections.dataflow, *connections.task_edges)
        if edge.upstream_key in tasks and edge.downstream_key in tasks
    }
    for upper, lower in edges:
        flow.add_edge(tasks[upper], tasks[lower])
    return flow, tasks


def standings_of_cells(records: Mapping[str, CellRecord], stale: Mapping[str, str], last: PastRun | None) -> Standings:
    """How cells stand, as `%flow status` tells it: as they ended last, or pending where they are stale.

    Args:
        records: key -> cell, of the cells that are drawn, in the order of their numbers.
        stale: key -> why.
        last: the last run of this kernel.
    """
    ended = {} if last is None else last.states
    return {(number, UNMAPPED): _standing(stale.get(key), ended.get(key)) for number, key in enumerate(records)}


def _standing(why: str | None, ended: S | None) -> Standing:
    if why is None:
        return Standing(S.SUCCESS)
    if ended is not None and ended is not S.SUCCESS:
        return Standing(ended, message=why)
    if why == FAILED:
        return Standing(S.FAILED, message=why)
    return Standing(S.PENDING, message=f"stale: {why}")
