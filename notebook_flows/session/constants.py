"""Cells that bind constants and modules: whenever such a cell runs again, its names stand for the same."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=1024)
def binds_constants(source: str) -> bool:
    """Whether a cell does nothing but import, and bind names to numbers, texts, and tuples of them.

    What is imported is the same again, unless a file of a module has changed, which is looked at elsewhere.

    >>> binds_constants("import os; n = 3; path: str = 'a.csv'  # where")
    True
    >>> binds_constants("rows = []") or binds_constants("n = m") or binds_constants("%time n = 3")
    False
    >>> binds_constants("from os import *")
    False
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_binds_a_constant(one) for one in tree.body)


def _binds_a_constant(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return all(one.name != "*" for one in statement.names)
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    else:
        return False
    assert statement.value is not None
    return all(isinstance(target, ast.Name) for target in targets) and _is_constant(statement.value)


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, ast.UnaryOp):
        return isinstance(value.op, ast.USub | ast.UAdd) and isinstance(value.operand, ast.Constant)
    if isinstance(value, ast.Tuple):
        return all(map(_is_constant, value.elts))
    return isinstance(value, ast.Constant)
