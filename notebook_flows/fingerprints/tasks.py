"""How a task is written into a fingerprint: what it runs, not how it is run."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from notebook_flows.core.task import FunctionTask, Task
from notebook_flows.fingerprints.classes import write_class
from notebook_flows.fingerprints.libraries import library_of

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk


@cache
def _options() -> frozenset[str]:
    """The attributes that say how a task is run, what it is called and where it stands."""
    return frozenset({*Task.__annotations__, "run", "logger"})


def write_task(walk: Walk, task: Any) -> None:
    """Write a task: the function of ``@task``; of a class, what it does and the attributes that it was made with."""
    walk.put("task")
    if isinstance(task, FunctionTask):
        walk.inside(f"task {task.name!r}", task.run)
        if library_of(type(task).__module__) is not None:
            return
    write_class(walk, type(task))
    state: Any = object.__getstate__(task)  # those of slots, too
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in sorted((part or {}).items()):
            if name not in _options():
                walk.text("attribute", name)
                walk.inside(f"{name!r} of task {task.name!r}", value)
