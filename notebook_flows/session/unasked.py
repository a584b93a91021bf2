"""Why a task runs again in a new kernel though an earlier one has run it: nobody asked that its result be taken."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

from notebook_flows.fingerprints.names import names_of
from notebook_flows.fingerprints.outside import outside_of
from notebook_flows.session.cellkeys import why_not_seen_through

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType

    from notebook_flows.analysis import Connections
    from notebook_flows.session.record import CellRecord

UNREADABLE = "what nobody can see through (it is no Python)"


def acting_outside(records: Mapping[str, CellRecord], connections: Connections) -> dict[str, str]:
    """Task -> what it visibly has to do with the world outside, of those that do and did not ask to be cached.

    Only texts count: in a new kernel there are no values to look at yet.

    Args:
        records: key -> cell, of all.
        connections: of them.
    """
    ordinary = [one for one in records.values() if not one.is_task]
    imports = {name: module for one in records.values() for name, module in one.facts.imports.items()}
    functions: dict[str, CodeType] = {}
    for one in ordinary:
        functions.update(_functions_in(one.body))
    found = {}
    for key, record in records.items():
        if not record.is_task or record.options.cache:
            continue
        why = why_not_seen_through(record, connections.cells[key]) or _outside(record.body, functions, imports)
        if why:
            found[key] = why
    return found


def _outside(body: str, functions: Mapping[str, CodeType], imports: Mapping[str, str]) -> str:
    code = _compiled(body)
    if code is None:
        return UNREADABLE
    return outside_of(_with_called(code, functions), {}, imports, lambda _function: {})


def _with_called(code: CodeType, functions: Mapping[str, CodeType]) -> Iterable[CodeType]:
    """The code, and that of the notebook's functions by whose names it reaches them."""
    seen: dict[int, CodeType] = {}
    waiting = [code]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        waiting += [functions[path[0]] for path in names_of(one).globals if path[0] in functions]
    return seen.values()


@lru_cache(maxsize=1024)
def _compiled(body: str) -> CodeType | None:
    try:
        made: CodeType = compile(body, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return made


@lru_cache(maxsize=1024)
def _functions_in(body: str) -> dict[str, CodeType]:
    """Name -> code, of the functions and classes that a cell defines at its top; none of a cell that is no Python."""
    try:
        tree = ast.parse(body)
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            alone = ast.Module(body=[node], type_ignores=[])
            found[node.name] = compile(alone, "<cell>", "exec", dont_inherit=True)
    return found
