"""The cell analysis: source in, facts out; cells in, edges with reasons out. It runs nothing and touches no file."""

from notebook_flows.analysis.cell import analyse
from notebook_flows.analysis.connecting import connect
from notebook_flows.analysis.connections import Cell, Connections, Edge, Links, Reason, Unresolved
from notebook_flows.analysis.facts import CellFacts

__all__ = ["Cell", "CellFacts", "Connections", "Edge", "Links", "Reason", "Unresolved", "analyse", "connect"]
