"""Tasks that gather values of other tasks: what ``total([a, b])`` and ``f({"k": a})`` are made of."""

from __future__ import annotations

import itertools
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from notebook_flows.core.task import Task
from notebook_flows.errors import TaskCallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ATOMS = frozenset({int, float, str, bool, bytes, complex, type(None)})
COLLECTIONS = frozenset({list, tuple, set, dict})

_NONE: dict[Any, Any] = {}
_ORDERED: OrderedDict[Any, Any] = OrderedDict()
_VIEWS = tuple({type(view()) for one in (_NONE, _ORDERED) for view in (one.keys, one.values, one.items)})
_MAPPINGS = (dict, UserDict, ChainMap, MappingProxyType)
_LOOKED_INTO = (list, tuple, set, frozenset, deque, UserList, *_MAPPINGS, *_VIEWS)
_ENDLESS = (itertools.count, itertools.cycle, itertools.repeat)


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


class Rebuilt(Task):
    """A collection of another kind, such as an ``OrderedDict``, made of a plain list or dict.

    Args:
        make: makes it.
    """

    auto_generated = True

    def __init__(self, make: Callable[[Any], Any], **kwargs: Any) -> None:
        self.make = make
        super().__init__(**kwargs)

    def run(self, value: Any) -> Any:
        """Make it."""
        return self.make(value)


def holds_task(value: Any) -> bool:
    """Whether this is a task, or a list, tuple, set, dict or the like with a task in it, however deep.

    >>> holds_task([1, {"a": (2, Task())}])
    True
    """
    waiting = [value]
    seen: dict[int, Any] = {}  # the collections themselves too, for an id is another's once its owner is gone
    while waiting:
        one = waiting.pop()
        if type(one) in ATOMS:
            continue
        if isinstance(one, Task):
            return True
        if (type(one) in COLLECTIONS or isinstance(one, _LOOKED_INTO)) and id(one) not in seen:
            seen[id(one)] = one
            waiting.extend(_parts(one))
    return False


def holders(value: Any, task_name: str, flow_name: str) -> set[int]:
    """The ids of those collections in a collection, itself among them, that hold tasks.

    Cost: O(n) for n parts; no recursion, so it may be nested as deep as one likes.

    Raises:
        TaskCallError: one that holds a task is a part of itself.
    """
    holding: set[int] = set()
    around: set[int] = set()  # the collections that the walk is inside of
    done: dict[int, Any] = {}
    looped: set[int] = set()
    path = [(value, iter(_parts(value)))]
    around.add(id(value))
    while path:
        one, parts = path[-1]
        for part in parts:
            if type(part) in ATOMS:
                continue
            if isinstance(part, Task) or id(part) in holding:
                holding.add(id(one))
            if id(part) in around:
                looped.add(id(part))
            elif isinstance(part, _LOOKED_INTO) and id(part) not in done:
                around.add(id(part))
                path.append((part, iter(_parts(part))))
                break
        else:
            path.pop()
            around.discard(id(one))
            done[id(one)] = one
            if path and id(one) in holding:
                holding.add(id(path[-1][0]))
    if looped & holding:
        raise TaskCallError(
            task_name,
            flow_name,
            "it is given a collection that holds a task and is a part of itself. Break the circle.",
        )
    return holding


def gatherer(value: Any, task_name: str, flow_name: str) -> tuple[Task, dict[str, Any]]:
    """The task that makes such a collection again of the values of what it holds, and that task's arguments.

    Raises:
        TaskCallError: this kind of collection cannot be made again.
    """
    kind = type(value)
    if kind is dict:
        return Dict(), {"keys": list(value), "values": list(value.values())}
    if kind in COLLECTIONS:
        gather: Task = List() if kind is list else Tuple() if kind is tuple else Set()
        return gather, {f"item_{number}": one for number, one in enumerate(value)}
    make = _maker(value)
    if make is None:
        plain = "dict" if isinstance(value, _MAPPINGS) else "list"
        raise TaskCallError(
            task_name,
            flow_name,
            f"a task is inside of a {kind.__name__!r}, a container that cannot be made again with the task's value "
            f"in it. Give {plain}(...) of it.",
        )
    return Rebuilt(make, name=kind.__name__), {"value": dict(value) if isinstance(value, dict) else list(value)}


def refuse_iterator(value: Any, task_name: str, flow_name: str) -> None:
    """Raise if this can be gone through once only, and no one sees what is in it.

    Raises:
        TaskCallError: it is a generator, or a built-in iterator such as ``map(...)``.
    """
    kind = type(value)
    if kind.__module__ in {"builtins", "itertools"} and hasattr(kind, "__next__") and not isinstance(value, _ENDLESS):
        raise TaskCallError(
            task_name,
            flow_name,
            f"a {kind.__name__!r} can be gone through only once, and tasks in it are not seen. Give list(...) of it.",
        )


def _parts(one: Any) -> Iterable[Any]:
    if type(one) in COLLECTIONS and type(one) is not dict:
        return one  # type: ignore[no-any-return] # one of the plain ones
    if isinstance(one, dict):  # by dict's own methods: a subclass may have changed them
        return [*dict.keys(one), *dict.values(one)]
    if isinstance(one, _MAPPINGS):
        return [*one.keys(), *one.values()]
    base: Any
    for base in (list, tuple, set, frozenset):
        if isinstance(one, base):
            return list(base.__iter__(one))
    return list(one)


def _maker(value: Any) -> Callable[[Any], Any] | None:
    """What makes a collection of this one's kind of a plain list or dict; None if nothing is known to."""
    kind = type(value)
    if kind in {frozenset, OrderedDict, Counter}:
        return kind
    if kind is defaultdict:
        return partial(defaultdict, value.default_factory)
    if kind is deque:
        return partial(deque, maxlen=value.maxlen)
    if getattr(value, "__dict__", None):
        return None
    for base in (list, tuple, set, frozenset, dict):
        if isinstance(value, base):
            if base is tuple and hasattr(kind, "_fields") and kind.__init__ is base.__init__:
                made: Callable[[Any], Any] = kind._make
                return made
            is_plain = kind.__init__ is base.__init__ and kind.__new__ is base.__new__
            return kind if is_plain else None
    return None
