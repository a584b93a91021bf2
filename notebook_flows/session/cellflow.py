"""The cells that are to run, as a flow of our engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.flow import Flow
from notebook_flows.notebook.needs import Needs
from notebook_flows.session.feeding import feeders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Connections
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
        if uppers:
            tasks[key].trigger = Needs([tasks[upper] for upper in uppers if upper in above[key]])
    return flow
