"""The tasks and the edges of a flow, as sets that keep their order; changing them changes the flow."""

from __future__ import annotations

from collections.abc import MutableSet
from typing import TYPE_CHECKING, Any

from notebook_flows.core.edge import Edge
from notebook_flows.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from notebook_flows.core.flow import Flow


class TaskSet(MutableSet[Task]):
    """The tasks of a flow as a set that keeps its order; changing it changes the flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:
        return set(it)

    def __contains__(self, task: object) -> bool:
        return task in self._flow._into

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._flow._into))

    def __len__(self) -> int:
        return len(self._flow._into)

    def add(self, value: Task) -> None:
        """Put one in."""
        self._flow.add_task(value)

    def discard(self, value: Task) -> None:
        """Take one out, if it is there."""
        self._flow._into.pop(value, None)
        self._flow._stand_ins.pop(value, None)
        self._flow.constants.pop(value, None)
        calls = self._flow._calls.get(value._origin) if value._origin is not None else None
        if calls and value in calls:
            calls.remove(value)
        self._flow._derived = None

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"


class EdgeSet(MutableSet[Edge]):
    """The edges of a flow as a set that keeps its order; changing it changes the flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:
        return set(it)

    def __contains__(self, edge: object) -> bool:
        return isinstance(edge, Edge) and edge in self._flow._into.get(edge.downstream_task, ())

    def __iter__(self) -> Iterator[Edge]:
        for into in list(self._flow._into.values()):
            yield from list(into)

    def __len__(self) -> int:
        return sum(len(into) for into in self._flow._into.values())

    def add(self, value: Edge) -> None:
        """Put one in."""
        self._flow._insert(value)

    def discard(self, value: Edge) -> None:
        """Take one out, if it is there."""
        self._flow._into.get(value.downstream_task, {}).pop(value, None)
        self._flow._derived = None

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"
