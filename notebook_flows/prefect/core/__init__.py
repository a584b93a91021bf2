"""Flows, tasks, parameters and edges."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.task": "Task",
        "notebook_flows.core.parameter": "Parameter",
        "notebook_flows.core.edge": "Edge",
        "notebook_flows.prefect.core.flow": "Flow",
    },
    modules="edge flow parameter task",
)
