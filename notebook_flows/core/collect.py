"""Tasks that gather values of other tasks: what ``total([a, b])`` and ``f({"k": a})`` are made of."""

from __future__ import annotations

from typing import Any

from notebook_flows.core.task import Task

ATOMS = frozenset({int, float, str, bool, bytes, complex, type(None)})
COLLECTIONS = frozenset({list, tuple, set, dict})


class _Gather(Task):
    auto_generated = True

    def _ordered(self, items: dict[str, Any]) -> list[Any]:
        return [items[f"item_{number}"] for number in range(len(items))]


class List(_Gather):
    """The list of its arguments' values."""

    def run(self, **items: Any) -> list[Any]:
        """Gather them."""
        return self._ordered(items)


class Tuple(_Gather):
    """The tuple of its arguments' values."""

    def run(self, **items: Any) -> tuple[Any, ...]:
        """Gather them."""
        return tuple(self._ordered(items))


class Set(_Gather):
    """The set of its arguments' values."""

    def run(self, **items: Any) -> set[Any]:
        """Gather them."""
        return set(self._ordered(items))


class Dict(_Gather):
    """The dict of its arguments' values, with the keys that it was made with."""

    def run(self, keys: list[Any], values: list[Any]) -> dict[Any, Any]:
        """Gather them."""
        return dict(zip(keys, values, strict=True))


def holds_task(value: Any) -> bool:
    """Whether this is a task, or a list, tuple, set or dict with a task in it, however deep.

    >>> holds_task([1, {"a": (2, Task())}])
    True
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind in ATOMS:
            continue
        if isinstance(one, Task):
            return True
        if kind is dict:
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif kind in COLLECTIONS:
            waiting.extend(one)
    return False
