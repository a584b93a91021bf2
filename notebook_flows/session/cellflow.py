"""The cells that are to run, as a flow of our engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core import signals
from notebook_flows.core.flow import Flow
from notebook_flows.core.triggers import all_finished, all_successful
from notebook_flows.session.feeding import feeders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.core.edge import Edge
    from notebook_flows.core.state import State
    from notebook_flows.session.celltask import KernelCellTask


def flow_of_cells(name: str, tasks: Mapping[str, KernelCellTask], connections: Connections) -> Flow:
    """The flow.

    Args:
        name: of the flow: the notebook's.
        tasks: key -> the cell as a task, of the n cells that are to run.
        connections: of all cells; those of other cells do not count.
    """
    flow = Flow(name)
    for key in connections.cells:
        if key in tasks:
            flow.add_task(tasks[key])
    waits_for: dict[str, dict[str, None]] = {key: {} for key in tasks}
    for edge in (*connections.order, *connections.dataflow):
        if edge.upstream_key in tasks and edge.downstream_key in tasks:
            waits_for[edge.downstream_key][edge.upstream_key] = None
    above = feeders(connections)
    for key, uppers in waits_for.items():
        for upper in uppers:
            flow.add_edge(tasks[upper], tasks[key])
        needed = uppers.keys() & above[key]
        if needed == uppers.keys():
            tasks[key].trigger = all_successful
        else:
            tasks[key].trigger = NeededWentWell(frozenset(needed)) if needed else all_finished
    return flow


class NeededWentWell:
    """Lets a cell run when those went well whose values it takes; for the others only the order counts.

    Args:
        keys: of the cells whose values it takes.
    """

    __name__ = "needed_went_well"

    def __init__(self, keys: frozenset[str]) -> None:
        self.keys = keys

    def __call__(self, upstream_states: Mapping[Edge, State]) -> bool:
        """Judge these states.

        Raises:
            TRIGGERFAIL: a cell that is needed did not go well.
        """
        bad = [
            edge.upstream_task.name
            for edge, state in upstream_states.items()
            if not state.is_successful() and edge.upstream_task.code.key in self.keys  # type: ignore[attr-defined] # all of the flow are cells
        ]
        if bad:
            raise signals.TRIGGERFAIL(f"It needs {', '.join(map(repr, bad))}, which did not go well.")
        return True
