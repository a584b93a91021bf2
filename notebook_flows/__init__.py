"""notebook_flows: turn the notebook you already have into a pipeline, without leaving it.

Everything here is loaded when it is first asked for, so that ``import notebook_flows`` costs next to nothing.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from notebook_flows._version import __version__
from notebook_flows.core import doors

if TYPE_CHECKING:
    from notebook_flows.artifacts.attaching import artifact
    from notebook_flows.core import cache_validators, signals, triggers
    from notebook_flows.core.building import tags
    from notebook_flows.core.conditional import FilterTask, case, ifelse, merge, switch
    from notebook_flows.core.context import context, raise_on_exception
    from notebook_flows.core.edge import Edge
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.flow_function import flow
    from notebook_flows.core.mapping import apply_map, flatten, mapped, unmapped
    from notebook_flows.core.operators import GetAttr, GetItem
    from notebook_flows.core.parameter import Constant, DateTimeParameter, Parameter
    from notebook_flows.core.resource import resource_manager
    from notebook_flows.core.retry import exponential_backoff
    from notebook_flows.core.secret import Secret
    from notebook_flows.core.task import Task, defaults_from_attrs, task
    from notebook_flows.engine.logs import progress
    from notebook_flows.errors import FlowError, FlowValidationError
    from notebook_flows.executors import LocalExecutor, ProcessExecutor, ThreadExecutor
    from notebook_flows.notebook.handback import return_value
    from notebook_flows.notebook.secrets import given_secret
    from notebook_flows.notebooktask import notebook_task
    from notebook_flows.store.results import JSONSerializer, LocalResult, PickleSerializer

_HOME = {
    "notebook_flows.artifacts.attaching": ("artifact",),
    "notebook_flows.core": ("cache_validators", "signals", "triggers", "state"),
    "notebook_flows.core.building": ("tags",),
    "notebook_flows.core.conditional": ("FilterTask", "case", "ifelse", "merge", "switch"),
    "notebook_flows.core.context": ("context", "raise_on_exception"),
    "notebook_flows.core.edge": ("Edge",),
    "notebook_flows.core.flow": ("Flow",),
    "notebook_flows.core.flow_function": ("flow",),
    "notebook_flows.core.mapping": ("apply_map", "flatten", "mapped", "unmapped"),
    "notebook_flows.core.operators": ("GetAttr", "GetItem"),
    "notebook_flows.core.parameter": ("Constant", "DateTimeParameter", "Parameter"),
    "notebook_flows.core.resource": ("resource_manager",),
    "notebook_flows.core.retry": ("exponential_backoff",),
    "notebook_flows.core.secret": ("Secret",),
    "notebook_flows.core.task": ("Task", "defaults_from_attrs", "task"),
    "notebook_flows.engine.logs": ("progress",),
    "notebook_flows.errors": ("FlowError", "FlowValidationError"),
    "notebook_flows.executors": ("LocalExecutor", "ProcessExecutor", "ThreadExecutor"),
    "notebook_flows.notebook.handback": ("return_value",),
    "notebook_flows.notebook.secrets": ("given_secret",),
    "notebook_flows.notebooktask": ("notebook_task",),
    "notebook_flows.store.results": ("JSONSerializer", "LocalResult", "PickleSerializer"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Constant",
    "DateTimeParameter",
    "Edge",
    "FilterTask",
    "Flow",
    "FlowError",
    "FlowValidationError",
    "GetAttr",
    "GetItem",
    "JSONSerializer",
    "LocalExecutor",
    "LocalResult",
    "Parameter",
    "PickleSerializer",
    "ProcessExecutor",
    "Secret",
    "Task",
    "ThreadExecutor",
    "__version__",
    "apply_map",
    "artifact",
    "cache_validators",
    "case",
    "context",
    "defaults_from_attrs",
    "exponential_backoff",
    "flatten",
    "flow",
    "given_secret",
    "ifelse",
    "mapped",
    "merge",
    "notebook_task",
    "progress",
    "raise_on_exception",
    "resource_manager",
    "return_value",
    "signals",
    "state",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
]


def __getattr__(name: str) -> Any:
    module_name = _MODULE_OF.get(name)
    if module_name is None:
        raise AttributeError(f"module 'notebook_flows' has no attribute {name!r}")
    from importlib import import_module

    if module_name == "notebook_flows.core":
        found: Any = import_module(f"{module_name}.{name}")
    else:
        found = getattr(import_module(module_name), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext notebook_flows``: the notebook becomes a flow; see ``%%task?``."""
    from notebook_flows.magics.loading import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext notebook_flows``."""
    from notebook_flows.magics.loading import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where a Jupyter server finds the extension that makes clicks heard while a cell blocks its kernel."""
    return [{"module": "notebook_flows.server"}]


def _run_flow(flow: Any, **options: Any) -> Any:
    from notebook_flows.workspace import run_flow

    if "ipykernel" in sys.modules:
        from functools import partial

        from notebook_flows.session.outside import run_heard
        from notebook_flows.session.shownflow import run_shown

        return run_shown(partial(run_heard, run_flow), flow, options)
    if "IPython" in sys.modules:
        from notebook_flows.session.terminalpicture import run_in_terminal

        return run_in_terminal(run_flow, flow, options)
    return run_flow(flow, **options)


def _draw_flow(flow: Any, **options: Any) -> Any:
    from notebook_flows.workspace import draw_flow

    picture = draw_flow(flow, **options)
    if "ipykernel" in sys.modules:
        from notebook_flows.session.shownpicture import show_flow_picture

        known = weakref.ref(flow)  # pictures outlive flows, and flows may hold large values
        picture.shown_by = lambda: (its := known()) is not None and show_flow_picture(picture, its)
    return picture


def _diagnose(flow: Any, **options: Any) -> Any:
    from notebook_flows.workspace import diagnose

    return diagnose(flow, **options)


def _task_logger() -> Any:
    import logging

    from notebook_flows.engine.logs import TASK_LOGGER

    return logging.getLogger(TASK_LOGGER)


doors.run_flow = _run_flow
doors.draw_flow = _draw_flow
doors.diagnose = _diagnose
doors.task_logger = _task_logger
