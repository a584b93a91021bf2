"""Prefect 1's names at Prefect 1's paths: put ``notebook_flows.`` before ``prefect`` in the imports of an old notebook.

What we do not offer raises `UnavailableError` when it is asked for, with what to use instead.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from notebook_flows.prefect._lazy import lazy
from notebook_flows.prefect._missing import MissingModules

if TYPE_CHECKING:
    from notebook_flows.core.building import tags as tags
    from notebook_flows.core.conditional import case as case
    from notebook_flows.core.context import context as context
    from notebook_flows.core.mapping import (
        apply_map as apply_map,
        flatten as flatten,
        mapped as mapped,
        unmapped as unmapped,
    )
    from notebook_flows.core.parameter import Parameter as Parameter
    from notebook_flows.core.resource import resource_manager as resource_manager
    from notebook_flows.core.task import Task as Task, task as task
    from notebook_flows.prefect.configuration import config as config
    from notebook_flows.prefect.core.flow import Flow as Flow

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.building": "tags",
        "notebook_flows.core.conditional": "case",
        "notebook_flows.core.context": "context",
        "notebook_flows.core.mapping": "apply_map flatten mapped unmapped",
        "notebook_flows.core.parameter": "Parameter",
        "notebook_flows.core.resource": "resource_manager",
        "notebook_flows.core.task": "Task task",
        "notebook_flows.prefect.configuration": "config",
        "notebook_flows.prefect.core.flow": "Flow",
        "notebook_flows": "__version__",
    },
    modules="configuration core engine exceptions executors run_configs schedules storage tasks triggers utilities",
)

if not any(isinstance(finder, MissingModules) for finder in sys.meta_path):
    sys.meta_path.append(MissingModules())
