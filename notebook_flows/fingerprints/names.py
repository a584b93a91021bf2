"""Which names a piece of code takes from outside itself: globals, with the attributes read of them, and imports."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.evaluated import TABLE_METHODS, names_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_PREPARING = frozenset({"CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
IMPORTS_BY_NAME = frozenset({"import_module", "__import__"})
"""Functions that import the module whose name they are given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What some code, with all that is nested in it, takes from outside.

    Attributes:
        globals: dotted paths as read, such as ``("np", "linalg", "norm")``; sorted, each once.
        imports: (level, module) of its import statements, and of texts that may name modules where it imports by name;
            sorted, each once.
        taken: what import statements take from there: (level, module, name).
        bare: those of ``globals`` that are called with nothing, or with None: ``default_rng()``.
        told: those that are called with a text first: (path, the text).
    """

    globals: tuple[tuple[str, ...], ...]
    imports: tuple[tuple[int, str], ...]
    taken: frozenset[tuple[int, str, str]] = frozenset()
    bare: frozenset[tuple[str, ...]] = frozenset()
    told: frozenset[tuple[tuple[str, ...], str]] = frozenset()


def names_of(code: CodeType) -> Names:
    """The names that this code takes from outside."""
    paths: set[tuple[str, ...]] = set()
    imports: set[tuple[int, str]] = set()
    taken: set[tuple[int, str, str]] = set()
    bare: set[tuple[str, ...]] = set()
    told: set[tuple[tuple[str, ...], str]] = set()
    for one in with_nested(code):
        own = _own_names(one)
        paths.update((name,) for name in _names_in_texts(one))
        imports.update((0, name) for name in _imported_by_name(one))
        path: tuple[str, ...] = ()
        level, module = 0, ""
        instructions = [each for each in dis.get_instructions(one) if each.opname not in _PREPARING]
        for place, instruction in enumerate(instructions):
            name, argument = instruction.opname, instruction.argval
            if path and name in _ATTRIBUTE:
                path = (*path, str(argument))
                continue
            if path:
                paths.add(path)
                first = _first_argument(instructions[place : place + 2])
                if first is None:
                    bare.add(path)
                elif isinstance(first, str):
                    told.add((path, first))
                path = ()
            if name in _GLOBAL and not (name == "LOAD_NAME" and argument in own):
                path = (str(argument),)
            elif name == "LOAD_CONST" and isinstance(argument, int):
                level = argument
            elif name == "LOAD_SMALL_INT":
                level = int(argument)
            elif name == "IMPORT_NAME":
                module = str(argument)
                imports.add((level, module))
            elif name == "IMPORT_FROM":
                taken.add((level, module, str(argument)))
        if path:
            paths.add(path)
    return Names(
        globals=tuple(sorted(paths)),
        imports=tuple(sorted(imports)),
        taken=frozenset(taken),
        bare=frozenset(bare),
        told=frozenset(told),
    )


def _first_argument(following: list[dis.Instruction]) -> Any:
    """What a call begins with, right after what is called: a constant; None, too, if it gets nothing; else ``...``."""
    if following[0].opname == "CALL" and following[0].arg == 0:
        return None
    if following[0].opname != "LOAD_CONST":
        return ...
    value = following[0].argval
    if value is None and not (len(following) > 1 and following[1].opname == "CALL"):
        return ...
    return value


def _names_in_texts(code: CodeType) -> Iterator[str]:
    """The names that queries of tables take from outside, as ``n`` of ``table.query("a > @n")``."""
    if not TABLE_METHODS.isdisjoint(code.co_names):
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield from names_at(constant).difference(code.co_varnames, code.co_freevars, code.co_cellvars)


def _imported_by_name(code: CodeType) -> Iterator[str]:
    """The modules that ``importlib.import_module("module")`` may import: all texts that could be names of some."""
    if not IMPORTS_BY_NAME.isdisjoint(code.co_names):
        for constant in code.co_consts:
            if isinstance(constant, str) and all(part.isidentifier() for part in constant.split(".")):
                yield constant


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
