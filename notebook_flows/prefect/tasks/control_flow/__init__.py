"""Branches and filters."""

from notebook_flows.core.conditional import FilterTask, ifelse, merge, switch
from notebook_flows.prefect.tasks.control_flow import case as _module
from notebook_flows.prefect.tasks.control_flow.case import case  # over the module of the same name, as in Prefect 1

del _module

__all__ = ["FilterTask", "case", "ifelse", "merge", "switch"]
