"""Whether a module that is loaded is what its file says by now: who edits a file goes on with the code of before.

Python does not keep the text that it has loaded. So what is left of it is compared: the functions, those of classes, too,
the constants, what Python has compiled and laid beside the file, and the text as it was when it was first looked at.
"""

from __future__ import annotations

import ast
import importlib.util
import linecache
import marshal
import os
import sys
from functools import _lru_cache_wrapper
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from notebook_flows.fingerprints.names import with_nested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_HEADER = 16
"""Bytes before the code in what Python has compiled: its version, flags, and of which state of the file it is."""
_looked_at: WeakKeyDictionary[ModuleType, tuple[Any, str]] = WeakKeyDictionary()
"""The text of a module when it was first looked at, with its specification, which is another one once it is loaded anew."""


def is_text_of(source: str, tree: ast.Module, file: Path, module: ModuleType) -> bool:
    """Whether a loaded module is, as far as can be seen, what this text makes.

    Args:
        source: what the file says now.
        tree: of it.
        file: of the module.
        module: as it is loaded.
    """
    specification = getattr(module, "__spec__", None)
    seen, text = _looked_at.get(module, (None, ""))
    is_known = seen is not None and seen is specification
    if is_known and text != source:
        return False
    linecache.checkcache(str(file))
    code = compile(source, str(file), "exec", dont_inherit=True)
    if not _has_its_functions(code, module) or not _has_its_constants(tree, module):
        return False
    if not is_known:
        if not _is_compiled(code, module):
            return False
        _looked_at[module] = specification, source
    return True


def _has_its_functions(code: CodeType, module: ModuleType) -> bool:
    codes = set(with_nested(code))
    own = [one for one in _functions_in(module) if one.__code__.co_filename == module.__file__]
    return all(one.__code__ in codes for one in own)


def _functions_in(module: ModuleType) -> Iterator[FunctionType]:
    """Its functions, and those of its classes; of what a decorator has wrapped, what is inside."""
    waiting, seen = list(vars(module).values()), set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, FunctionType):
            yield one
            waiting.append(vars(one).get("__wrapped__"))
        elif isinstance(one, type):
            waiting += vars(one).values() if one.__module__ == module.__name__ else ()
        elif isinstance(one, property):
            waiting += [one.fget, one.fset, one.fdel]
        elif isinstance(one, (staticmethod, classmethod)):
            waiting.append(one.__func__)
        elif isinstance(one, _lru_cache_wrapper):
            waiting.append(one.__wrapped__)


def _has_its_constants(tree: ast.Module, module: ModuleType) -> bool:
    """Whether names to which the text gives plain values, once and right there, still have these.

    A name that the module's own code has given another value since is one that counts as changed, which does no harm.
    """
    given: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    given.setdefault(target.id, []).append(node.value)
    names = vars(module)
    bound = _bound_otherwise(tree)
    for name, values in given.items():
        if len(values) > 1 or name in bound:
            continue
        try:
            value = ast.literal_eval(values[0])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue  # it is worked out: it cannot be compared
        if isinstance(value, (str, bytes, int, float, complex, tuple, frozenset, type(None))) and (
            name not in names or not _is_alike(names[name], value)
        ):
            return False
    return True


def _bound_otherwise(tree: ast.Module) -> frozenset[str]:
    """Names to which the text gives values in other places, too: in loops and conditions, by ``global``, by ``+=``."""
    found = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    waiting: list[ast.AST] = list(tree.body)
    at_top = set(map(id, tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)  # what is inside has names of its own
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((one.asname or one.name).partition(".")[0] for one in node.names)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and id(node) in at_top:
            plain = node.targets if isinstance(node, ast.Assign) else [node.target]
            waiting += [one for one in plain if not isinstance(one, ast.Name)]
            waiting += [node.value] if node.value is not None else []
        else:
            waiting += ast.iter_child_nodes(node)
    return frozenset(found)


def _is_alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def _is_compiled(code: CodeType, module: ModuleType) -> bool:
    """Whether Python has laid the code of this text beside the file, as it does when it loads it; True: nobody knows."""
    specification = getattr(module, "__spec__", None)
    cached = getattr(specification, "cached", None)
    if (
        sys.dont_write_bytecode
        or cached is None
        or type(getattr(specification, "loader", None)) is not SourceFileLoader
        or not os.access(Path(cached).parent, os.W_OK)
    ):
        return True
    try:
        laid = Path(cached).read_bytes()
        if laid[:4] != importlib.util.MAGIC_NUMBER:
            return True
        return bool(marshal.loads(laid[_HEADER:]) == code)  # noqa: S302 - what the import has read, too, and it is not run
    except (OSError, EOFError, ValueError, TypeError):
        return True
