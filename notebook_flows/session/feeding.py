"""Which cell takes values from which; the rule is one for runs by hand and headless ones, see `analysis.feeding`."""

from notebook_flows.analysis.feeding import fed_by, feeders, feeding_pairs

__all__ = ["fed_by", "feeders", "feeding_pairs"]
