"""A resource that is set up before the tasks that use it, and cleaned up after them, whatever happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from notebook_flows.core import building, signals, triggers
from notebook_flows.core.gates import is_elsewhere, put_behind
from notebook_flows.core.task import FunctionTask, Task
from notebook_flows.errors import NoActiveFlowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from notebook_flows.core.edge import Edge
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State


class ResourceCleanupTask(Task):
    """Cleans up: runs whenever the set-up succeeded; never decides how the flow ends.

    After a failure in a flow with ``fail_fast``, nothing but clean-ups starts: once nothing runs any more, those of the
    resources that are up, one after the other, inner resources before outer ones, and whatever their trigger says. In a
    map they can be told only if every task that uses the resource was mapped by then. A flow that is cancelled, or takes
    longer than its timeout, is over at once: there, nothing is cleaned up.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("checkpoint", False)
        kwargs.setdefault("trigger", cleanup_trigger)
        kwargs.setdefault("skip_on_upstream_skip", False)
        super().__init__(**kwargs)

    def run(self, mgr: Any, resource: Any) -> None:
        """Clean up."""
        mgr.cleanup(resource)


class ResourceInitTask(FunctionTask):
    """Makes the manager of the resource."""


class ResourceSetupTask(Task):
    """Sets the resource up; its value is the resource."""

    def run(self, mgr: Any) -> Any:
        """Set it up."""
        return mgr.setup()


def cleanup_trigger(upstream_states: Mapping[Edge, State]) -> bool:
    """Clean up if set-up and init were successful and all tasks that use the resource have ended."""
    for edge, state in upstream_states.items():
        if edge.key in {"mgr", "resource"}:
            if state.is_skipped():
                raise signals.SKIP("The resource was not set up.")
            if not state.is_successful():
                raise signals.TRIGGERFAIL("The resource could not be set up.")
    return triggers.all_finished(upstream_states)


class resource_manager:  # noqa: N801 - a decorator and a call, as in Prefect 1
    """Make resources of a class with ``setup`` and ``cleanup(resource)``; use them as ``with Resource(...) as r:``.

    Args:
        resource_class: with ``__init__``, ``setup() -> resource`` and ``cleanup(resource)``.
        name: of its init task; ``.setup`` and ``.cleanup`` are added for the others.
        init_task_kwargs: options of the init task.
        setup_task_kwargs: options of the set-up task.
        cleanup_task_kwargs: options of the clean-up task.
    """

    def __new__(cls, resource_class: Any = None, **kwargs: Any) -> Any:
        """Decorate at once, or, called with options only, when the class is given."""
        if resource_class is None:
            return lambda decorated: cls(decorated, **kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        resource_class: Any = None,
        name: str | None = None,
        init_task_kwargs: Mapping[str, Any] | None = None,
        setup_task_kwargs: Mapping[str, Any] | None = None,
        cleanup_task_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.resource_class: Callable[..., Any] = resource_class
        self.name = name or resource_class.__name__
        self.init_task_kwargs = {"name": self.name, **(init_task_kwargs or {})}
        self.setup_task_kwargs = {"name": f"{self.name}.setup", "checkpoint": False, **(setup_task_kwargs or {})}
        self.cleanup_task_kwargs = {"name": f"{self.name}.cleanup", **(cleanup_task_kwargs or {})}
        for method in ("setup", "cleanup"):
            if not callable(getattr(resource_class, method, None)):
                raise TypeError(f"A resource's class has setup() and cleanup(resource); {self.name!r} has no {method}.")

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> ResourceBlock:
        """A block in which the resource can be used; arguments go to the class, and may be tasks."""
        found = flow if flow is not None else building.open_flow.get()
        if found is None:
            raise NoActiveFlowError(self.name)
        init = ResourceInitTask(self.resource_class, **self.init_task_kwargs).bind(*args, flow=found, **kwargs)
        return ResourceBlock(self, init, found)


class ResourceBlock:
    """The tasks made inside it run while the resource is up."""

    def __init__(self, manager: resource_manager, init_task: Task, flow: Flow) -> None:
        self.init_task = init_task
        self.setup_task = ResourceSetupTask(**manager.setup_task_kwargs).bind(init_task, flow=flow)
        self.cleanup_task = ResourceCleanupTask(**manager.cleanup_task_kwargs)
        self._flow = flow
        self._made: dict[Task, None] = {}
        self._token: Token[building.Block | None] | None = None
        self._outer: building.Block | None = None

    def add_task(self, task: Task, flow: Flow) -> None:
        """A task was made in the block."""
        if flow is not self._flow:
            raise ValueError(f"Task {task.name!r} uses a resource of another flow, {self._flow.name!r}.")
        self._made[task] = None

    def __enter__(self) -> Task:
        self._outer = building.open_block.get()
        self._token = building.open_block.set(self)
        return self.setup_task

    def __exit__(self, error_type: object, *_: object) -> None:
        assert self._token is not None
        building.open_block.reset(self._token)
        if error_type is not None:
            self._flow._created.pop(self.cleanup_task, None)  # the error says enough
            return
        flow = self._flow
        inside = self._made
        put_behind(flow, self.setup_task, inside, besides=frozenset({self.init_task, self.setup_task}))
        outgoing = flow._outgoing()
        own = dict.fromkeys(task for task in inside if task in flow._into and not is_elsewhere(flow, task))
        last = [task for task in own if not any(edge.downstream_task in own for edge in outgoing[task])]
        self.cleanup_task.bind(self.init_task, self.setup_task, upstream_tasks=last, flow=flow)
        if self._outer is not None:
            for task in (self.init_task, self.setup_task, *inside, self.cleanup_task):
                self._outer.add_task(task, flow)

    def __iter__(self) -> NoReturn:
        raise TypeError("A resource is used in a `with` block: with Resource(...) as resource: ...")

    def __repr__(self) -> str:
        return f"<ResourceBlock: {self.init_task.name}>"
