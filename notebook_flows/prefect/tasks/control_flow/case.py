"""Branches as blocks."""

from notebook_flows.core.conditional import case

__all__ = ["case"]
