"""Results that are files: a task's ``target`` and ``result``, looked for before it runs and written after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.context import context

if TYPE_CHECKING:
    from notebook_flows.engine.call import Call

_ARGUMENTS_OF_WRITE = frozenset({"self", "value", "location"})


def from_target(call: Call) -> api.State | None:
    """The state of a task whose target exists already; None: it does not, or there is none."""
    location = _location(call)
    results = _results_of(call)
    if location is None or results is None or not results.exists(location):
        return None
    return api.Cached(f"Target {location!r} exists.", result=results.read(location))


def kept(call: Call, value: Any) -> api.State:
    """Success, once the value is written where the task wants it."""
    location = _location(call)
    results = _results_of(call)
    keeps_all = call.facts.keeps_results  # the flow itself has a result, as default of its tasks
    wants_file = location is not None or call.task.result is not None or keeps_all
    if wants_file and results is not None and call.task.checkpoint is not False and value is not None:
        keys = {key: value for key, value in context.to_dict().items() if key not in _ARGUMENTS_OF_WRITE}
        results.write(value, location, **keys)
    return api.Success(result=value)


def _location(call: Call) -> str | None:
    target = call.task.target
    if target is None:
        return None
    keys = context.to_dict()
    keys.update(call.arguments)
    return str(target(**keys) if callable(target) else target.format(**keys))


def _results_of(call: Call) -> Any:
    return call.task.result if call.task.result is not None else call.facts.results
