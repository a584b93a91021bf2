"""That one task waits for another, and whether it gets its value."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from notebook_flows.core.task import Task


class _Fields(NamedTuple):
    upstream_task: Task
    downstream_task: Task
    key: str | None
    mapped: bool
    flattened: bool


class Edge(_Fields):
    """The downstream task waits for the upstream one.

    A tuple underneath: a flow of 100,000 tasks has as many of them, and each is hashed when it is added.

    Attributes:
        key: the argument that gets the upstream value; None where only the order counts.
        mapped: the downstream task runs once for each element of the upstream value.
        flattened: the upstream value is a list of lists, of which one level is taken away.
    """

    __slots__ = ()

    def __new__(
        cls,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Self:
        """Make an edge.

        Raises:
            ValueError: from a task to itself, or the key is no Python name.
        """
        if upstream_task is downstream_task:
            raise ValueError(
                f"Edges can not connect a task to itself. Task {upstream_task.name!r} was to wait for itself."
            )
        if key is not None and (not str(key).isidentifier() or keyword.iskeyword(str(key))):
            raise ValueError(f"The key of an edge names an argument, so it must be a Python name; {key!r} is none.")
        return tuple.__new__(cls, (upstream_task, downstream_task, key, mapped, flattened))

    @property
    def tasks(self) -> set[Task]:
        """Both ends."""
        return {self.upstream_task, self.downstream_task}

    def __repr__(self) -> str:
        key = f" as {self.key!r}" if self.key else ""
        flags = " mapped" * self.mapped + " flattened" * self.flattened
        return f"<Edge: {self.upstream_task.name} to {self.downstream_task.name}{key}{flags}>"

    def __reduce__(self) -> Any:
        return (Edge, tuple(self))
