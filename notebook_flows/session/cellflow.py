"""The cells that are to run, as a flow of our engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.flow import Flow
from notebook_flows.notebook.needs import Needs
from notebook_flows.session.feeding import feeders

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
    waits_for = uppers_of(connections, tasks)
    above = feeders(connections)
    for key, uppers in waits_for.items():
        for upper in uppers:
            flow.add_edge(tasks[upper], tasks[key])
        if uppers:
            tasks[key].trigger = Needs([tasks[upper] for upper in uppers if upper in above[key]])
    flow.set_reference_tasks(
        [tasks[key] for key in waits_for]
    )  # a failure counts, though a cell that only follows goes well
    return flow


def uppers_of(connections: Connections, running: Collection[str]) -> dict[str, dict[str, None]]:
    """For each cell that is to run those after which it comes; also by way of tasks that are not to run."""
    direct: dict[str, dict[str, None]] = {key: {} for key in connections.cells}
    for edge in (*connections.order, *connections.dataflow):
        direct[edge.downstream_key][edge.upstream_key] = None
    found: dict[str, dict[str, None]] = {}
    for key, uppers in direct.items():  # in document order: who is above is done
        found[key] = {}
        for upper in uppers:
            if upper in running:
                found[key][upper] = None
            elif upper in connections.tasks:
                found[key] |= found[upper]
    return {key: uppers for key, uppers in found.items() if key in running}
