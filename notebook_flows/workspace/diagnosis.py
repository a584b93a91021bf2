"""What `flow.diagnostics()` tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from notebook_flows.settings import settings_from
from notebook_flows.workspace.environment import environment

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow


def diagnose(flow: Flow, include_secret_names: bool = False) -> str:
    """What to send along with a bug report; see `Flow.diagnostics`."""
    settings = settings_from()
    tasks = list(flow._into)
    known: dict[str, Any] = {
        "flow_information": {
            "name_length": len(flow.name),
            "task_count": len(tasks),
            "edge_count": len(flow.edges),
            "task_types": sorted({type(task).__name__ for task in tasks}),
            "parameter_count": len(flow.parameters()),
            "mapped_count": sum(task.is_mapped for task in tasks),
            "executor": type(flow.executor).__name__ if flow.executor is not None else "LocalExecutor",
            "schedule": type(flow.schedule).__name__ if flow.schedule is not None else None,
        },
        "system_information": environment(),
        "settings": {"history": settings.history, "keep_days": settings.keep_days},
    }
    if include_secret_names:
        from notebook_flows.core.secret import Secret

        known["secret_parameters"] = sorted(p.name for p in flow.parameters() if isinstance(p.default, Secret))
    return json.dumps(known, indent=2, sort_keys=True)
