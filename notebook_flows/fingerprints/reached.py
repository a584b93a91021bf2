"""The functions that a piece of code may call through the values that it is given: methods, partials, what lists hold."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import library_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_LOOKED_AT = 20_000
"""A million rows hold no functions: whoever keeps functions in a list keeps few."""
_PLAIN = (int, float, complex, bool, str, bytes, type(None), ModuleType)


def reached(values: Iterable[Any]) -> Iterator[Any]:
    """Some values, and what is in them: functions of the notebook and names of libraries among them; each once."""
    met: dict[int, Any] = {}
    waiting = list(values)
    while waiting and len(met) < MOST_LOOKED_AT:
        value = waiting.pop()
        if isinstance(value, _PLAIN) or id(value) in met:
            continue
        met[id(value)] = value  # alive, so that its id stays its own
        yield value
        waiting.extend(_parts_of(value))


def _parts_of(value: Any) -> list[Any]:
    if isinstance(value, FunctionType):
        return [
            *_cells_of(value),
            *(value.__defaults__ or ()),
            *(value.__kwdefaults__ or {}).values(),
            *_wrapped(value),
        ]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, dict):
        return list(value.values())[:MOST_LOOKED_AT]
    if isinstance(value, (list, tuple)):
        return list(value[:MOST_LOOKED_AT])
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    if isinstance(value, type):
        return [] if library_of(value.__module__) is not None else [*value.__bases__, *vars(value).values()]
    if library_of(type(value).__module__) is not None:
        return _wrapped(value)
    return [type(value), *getattr(value, "__dict__", {}).values()]


def _wrapped(value: Any) -> list[Any]:
    """What `functools.lru_cache` and the like call."""
    return [found] if (found := getattr(value, "__dict__", {}).get("__wrapped__")) is not None else []


def _cells_of(function: FunctionType) -> list[Any]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    return found
