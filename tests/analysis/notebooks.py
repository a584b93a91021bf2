"""Notebooks in a few words: sources, those of tasks marked by a first line `%%task name`."""

from __future__ import annotations

import re
from typing import Any

from notebook_flows.analysis import Cell, Connections, analyse, connect

_TASK = re.compile(r"%%task (\w+)")


def connected(*sources: str, **declared: dict[str, Any]) -> Connections:
    """The notebook of these cells; ordinary cells are named c0, c1... by their place, and keys are names.

    Args:
        sources: the cells, in document order.
        declared: task name -> what its options say.
    """
    cells = []
    for number, source in enumerate(sources):
        task = _TASK.match(source)
        name = task[1] if task else f"c{number}"
        facts = analyse(source)
        cells.append(Cell(key=name, facts=facts, is_task=bool(task), name=name, **declared.get(name, {})))
    return connect(cells)


def told(connections: Connections) -> set[str]:
    """The edges between tasks: "load → clean: df (data)"."""
    return {
        f"{edge.upstream_key} → {edge.downstream_key}: {edge.name or '-'} ({edge.kind})"
        for edge in connections.task_edges
    }
