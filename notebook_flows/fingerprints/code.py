"""How functions are written into a fingerprint: what they say, and whatever they use from outside themselves."""

from __future__ import annotations

import builtins
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import is_library_file, library_of, library_of_module
from notebook_flows.fingerprints.modules import write_import, write_module
from notebook_flows.fingerprints.sources import text_of

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk

_MISSING = object()


def write_function(walk: Walk, function: FunctionType) -> None:
    """Write a function: its text, defaults, closure, and the globals that it and what is nested in it read."""
    code = function.__code__
    if is_library_file(code.co_filename) or code.co_filename.startswith("<frozen"):
        _write_library_function(walk, function)
        return
    library = library_of(function.__module__)
    if library is not None and "__wrapped__" not in vars(function) and _is_found_there(function):
        walk.text("function", library, f"{function.__module__}.{function.__qualname__}")
        return
    if not walk.first_time(function):
        return
    text = text_of(code, function.__globals__)
    walk.put("function text", text.form.encode(), text.text)
    name = function.__qualname__
    _write_outside(walk, function)
    for attribute, value in sorted(vars(function).items()):
        if attribute != "__wrapped__":  # that is in the closure
            walk.text("function attribute", attribute)
            walk.inside(f"{name}.{attribute}", value)
    for path in text.names.globals:
        walk.text("global", *path)
        _write_path(walk, path, function, name)
    for level, module in text.names.imports:
        walk.text("import", str(level), module)
        names = {one[2] for one in text.names.taken if one[:2] == (level, module)}
        try:
            write_import(walk, level, module, function.__globals__.get("__package__"), names=names)
        except Unhashable as error:
            raise error.inside(f"the import of {module!r} in {name!r}") from None


def _is_found_there(function: FunctionType) -> bool:
    """Whether a function is the one that its module has by its name; one that `exec` has made may only say so."""
    if "<locals>" in function.__qualname__:
        return True  # nobody can look there
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _write_library_function(walk: Walk, function: FunctionType) -> None:
    """By name and version; but what it holds on to, such as the function that it wraps, is the user's own."""
    wrapped = vars(function).get("__wrapped__")
    module = function.__globals__.get("__name__") or function.__module__
    walk.text("library function", str(library_of(module) or module), function.__code__.co_qualname)
    if not function.__closure__ and wrapped is None:
        return
    if walk.first_time(function):
        _write_outside(walk, function)
        if wrapped is not None:
            walk.inside(f"what {function.__qualname__!r} wraps", wrapped)


def _write_outside(walk: Walk, function: FunctionType) -> None:
    """What a function has been given when it was made."""
    name = function.__qualname__
    if function.__defaults__:
        walk.inside(f"the defaults of {name!r}", function.__defaults__)
    if function.__kwdefaults__:
        walk.inside(f"the defaults of {name!r}", dict(sorted(function.__kwdefaults__.items())))
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        walk.text("closure", variable)
        try:
            value = cell.cell_contents
        except ValueError:  # not bound yet
            walk.put("unbound")
            continue
        walk.inside(f"{variable!r}, which {name!r} uses", value)


def _write_path(walk: Walk, path: tuple[str, ...], function: FunctionType, name: str) -> None:
    """What a dotted name leads to: through the user's own modules, as far as they go."""
    value = walk.globals_of(function).get(path[0], _MISSING)
    if value is _MISSING:
        value = vars(builtins).get(path[0], _MISSING)
        if value is not _MISSING and library_of(getattr(value, "__module__", None)) is not None:
            walk.put("builtin")
            return
    if value is _MISSING:
        walk.put("missing")
        return
    said = path[0]
    for attribute in path[1:]:
        if not isinstance(value, ModuleType) or library_of_module(value) is not None:
            break
        said = f"{said}.{attribute}"
        value = getattr(value, attribute, _MISSING)
        if value is _MISSING:
            walk.put("missing")
            return
    if isinstance(value, ModuleType):
        try:
            write_module(walk, value)
        except Unhashable as error:
            raise error.inside(f"{said!r}, which {name!r} uses") from None
        return
    walk.inside(f"{said!r}, which {name!r} uses", value)
