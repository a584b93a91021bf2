"""Whether a cell asks which object something is, itself or in a function that it reaches: ``a is b``, ``id(a)``."""

from __future__ import annotations

import dis
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.names import with_nested
from notebook_flows.fingerprints.reached import codes_reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType, FunctionType

_WORDS = frozenset({"id", "is_", "is_not"})
"""Python's own, and those of `operator`."""
_CONSTANT = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})


def asks_which(
    codes: Iterable[CodeType],
    names: Mapping[str, Any],
    globals_of: Callable[[FunctionType], Mapping[str, Any]],
) -> bool:
    """Whether some code, or a function that is no library's and that it may call, asks which object something is.

    Args:
        codes: of the cell.
        names: what it sees.
        globals_of: where the global names of a notebook's function are looked up.
    """
    return any(_asks(met.code) for met in codes_reached(codes, names, globals_of))


@lru_cache(maxsize=4096)
def _asks(code: CodeType) -> bool:
    """The code itself, with all that is nested in it; what is compared with a constant, as None, does not count."""
    for one in with_nested(code):
        before = ""
        for step in dis.get_instructions(one):
            if step.opname == "IS_OP" and before not in _CONSTANT:
                return True
            if step.opname not in {"CACHE", "EXTENDED_ARG"}:
                before = step.opname
        if not _WORDS.isdisjoint(one.co_names):
            return True
    return False
