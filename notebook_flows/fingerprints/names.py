"""Which names a piece of code takes from outside itself: globals, with the attributes read of them, and imports."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING

from notebook_flows.analysis.evaluated import TABLE_METHODS, names_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What some code, with all that is nested in it, takes from outside.

    Attributes:
        globals: dotted paths as read, such as ``("np", "linalg", "norm")``; sorted, each once.
        imports: (level, module) of its import statements; sorted, each once.
    """

    globals: tuple[tuple[str, ...], ...]
    imports: tuple[tuple[int, str], ...]


def names_of(code: CodeType) -> Names:
    """The names that this code takes from outside."""
    paths: set[tuple[str, ...]] = set()
    imports: set[tuple[int, str]] = set()
    for one in with_nested(code):
        own = _own_names(one)
        paths.update((name,) for name in _names_in_texts(one))
        path: tuple[str, ...] = ()
        level = 0
        for instruction in dis.get_instructions(one):
            name, argument = instruction.opname, instruction.argval
            if path and name in _ATTRIBUTE:
                path = (*path, str(argument))
                continue
            if path:
                paths.add(path)
                path = ()
            if name in _GLOBAL and not (name == "LOAD_NAME" and argument in own):
                path = (str(argument),)
            elif name == "LOAD_CONST" and isinstance(argument, int):
                level = argument
            elif name == "LOAD_SMALL_INT":
                level = int(argument)
            elif name == "IMPORT_NAME":
                imports.add((level, str(argument)))
        if path:
            paths.add(path)
    return Names(globals=tuple(sorted(paths)), imports=tuple(sorted(imports)))


def _names_in_texts(code: CodeType) -> Iterator[str]:
    """The names that queries of tables take from outside, as ``n`` of ``table.query("a > @n")``."""
    if not TABLE_METHODS.isdisjoint(code.co_names):
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield from names_at(constant).difference(code.co_varnames, code.co_freevars, code.co_cellvars)


def _own_names(code: CodeType) -> frozenset[str]:
    """What the body of a class binds before reading is its own; ``__name__`` and such are the module's."""
    bound = {one.argval for one in dis.get_instructions(code) if one.opname == "STORE_NAME"}
    return frozenset({*bound, "__name__", "__qualname__", "__module__"})


def with_nested(code: CodeType) -> Iterator[CodeType]:
    """The code itself, and all functions, classes and comprehensions written inside it."""
    waiting = [code]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(constant for constant in one.co_consts if isinstance(constant, CodeType))
