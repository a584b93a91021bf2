"""Which global names a function reads when it runs."""

from __future__ import annotations

import dis
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
_known: WeakKeyDictionary[CodeType, frozenset[str]] = WeakKeyDictionary()


def global_names(code: CodeType) -> frozenset[str]:
    """The global names that this code, and what is defined in it, reads or writes."""
    found = _known.get(code)
    if found is None:
        own = {one.argval for one in dis.get_instructions(code) if one.opname in _GLOBAL}
        found = _known[code] = frozenset(own).union(*(global_names(one) for one in inner_codes(code)))
    return found


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """The functions, classes and comprehensions that are defined in this code."""
    return (one for one in code.co_consts if isinstance(one, CodeType))


def writes_cell(function: FunctionType, name: str) -> bool:
    """Whether a function, or one defined in it, binds this name of the function around it."""
    return _writes(function.__code__, name)


def _writes(code: CodeType, name: str) -> bool:
    if name not in code.co_freevars:
        return False
    for one in dis.get_instructions(code):
        if one.opname in {"STORE_DEREF", "DELETE_DEREF"} and one.argval == name:
            return True
    return any(_writes(inner, name) for inner in inner_codes(code))


def parts_of(function: FunctionType) -> Iterator[Any]:
    """The values that a function holds: of its closure, its defaults, and what it wraps."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()
