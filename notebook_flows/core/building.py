"""What is open while a flow is being written: the flow itself, tags, and the innermost block of ``case`` or a resource."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from notebook_flows.errors import NoActiveFlowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task


class Block(Protocol):
    """A ``with`` block inside a flow that wants to know which tasks are made in it."""

    def add_task(self, task: Task, flow: Flow) -> None:
        """A task was added to the flow while this block was the innermost."""


open_flow: ContextVar[Flow | None] = ContextVar("notebook_flows.open_flow", default=None)
open_tags: ContextVar[frozenset[str]] = ContextVar("notebook_flows.open_tags", default=frozenset())
open_block: ContextVar[Block | None] = ContextVar("notebook_flows.open_block", default=None)
in_apply_map: ContextVar[bool] = ContextVar("notebook_flows.in_apply_map", default=False)


def flow_for(task: Task, flow: Flow | None) -> Flow:
    """The given flow, else the one that is open.

    Raises:
        NoActiveFlowError: neither.
    """
    found = flow if flow is not None else open_flow.get()
    if found is None:
        raise NoActiveFlowError(task.name)
    return found


@contextmanager
def tags(*names: str) -> Iterator[frozenset[str]]:
    """Tasks made or called inside get these tags too.

    >>> with tags("nightly", "db") as both:
    ...     sorted(both)
    ['db', 'nightly']
    """
    token = open_tags.set(open_tags.get() | set(names))
    try:
        yield open_tags.get()
    finally:
        open_tags.reset(token)
