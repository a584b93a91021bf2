"""The functions that a piece of code may call, in turn: by name, and through methods, partials, what lists hold."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import library_of
from notebook_flows.fingerprints.names import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import CodeType

MOST_LOOKED_AT = 20_000
"""A million rows hold no functions: whoever keeps functions in a list keeps few."""
_PLAIN = (int, float, complex, bool, str, bytes, type(None), ModuleType)


@dataclass(frozen=True, kw_only=True)  # no slots: one property is kept
class Met:
    """Some code.

    Attributes:
        known: name -> value, of what it sees.
        is_own: it is one of those that were asked about, and not of a function that they reach.
    """

    code: CodeType
    known: Mapping[str, Any]
    is_own: bool

    @cached_property
    def values(self) -> Sequence[Any]:
        """What its names stand for, and what is in that; see `reached`."""
        return list(reached([self.known[path[0]] for path in names_of(self.code).globals if path[0] in self.known]))


def codes_reached(
    codes: Iterable[CodeType],
    names: Mapping[str, Any],
    globals_of: Callable[[FunctionType], Mapping[str, Any]],
) -> Iterator[Met]:
    """Some code, and that of the functions, no library's, that it may call; each once.

    Args:
        codes: of a cell.
        names: what it sees.
        globals_of: where the global names of a notebook's function are looked up.
    """
    seen: set[int] = set()
    waiting = [Met(code=code, known=names, is_own=True) for code in codes]
    while waiting:
        met = waiting.pop()
        if id(met.code) in seen:
            continue
        seen.add(id(met.code))
        yield met
        functions = [one for one in met.values if isinstance(one, FunctionType) and library_of(one.__module__) is None]
        waiting += [Met(code=one.__code__, known=globals_of(one), is_own=False) for one in functions]


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
