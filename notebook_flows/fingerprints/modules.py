"""How modules are written into a fingerprint: libraries by their version, the user's own by their whole text."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import PYTHON, is_library_file, library_of, library_of_module, version_of
from notebook_flows.fingerprints.names import with_nested
from notebook_flows.fingerprints.sources import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.fingerprints.walk import Walk


def write_module(walk: Walk, module: ModuleType) -> None:
    """Write a module that is used as a whole."""
    library = library_of_module(module)
    if library is not None:
        walk.text("library", library)
        return
    write_import(walk, 0, module.__name__, None)


def write_import(walk: Walk, level: int, name: str, package: str | None, folder: Path | None = None) -> None:
    """Write what an import statement would load, without loading it.

    Args:
        walk: into which it is written.
        level: how many packages up a relative import begins.
        name: of the module.
        package: of the module that imports.
        folder: in which another process, which imports, looks first; what this one has loaded does not count then.
    """
    if level:
        try:
            name = importlib.util.resolve_name("." * level + name, package)
        except ImportError:
            walk.put("missing")
            return
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names:
        walk.text("library", f"python {PYTHON}")
        return
    file = _file_of(name, folder) if folder is not None else None
    library = library_of(name) if file is None and root in sys.modules else None
    if library is not None:
        walk.text("library", library)
        return
    file = file or _file_of(name)
    if file is None:
        walk.put("missing")
    elif is_library_file(str(file)):
        walk.text("library", version_of(root))
    else:
        _write_file(walk, name, file, folder)


def _file_of(name: str, folder: Path | None = None) -> Path | None:
    """The file of a module, found as an import would find it, in this folder only if one is given; nothing is loaded."""
    loaded = sys.modules.get(name)
    told = getattr(loaded, "__file__", None)
    if told and folder is None:
        return Path(told)
    search: Any = None if folder is None else [str(folder)]
    found = None
    for number in range(len(name.split("."))):
        part = ".".join(name.split(".")[: number + 1])
        spec = PathFinder.find_spec(part, search)
        if spec is None:
            return None
        found, search = spec.origin, spec.submodule_search_locations
    return Path(found) if found and found != "namespace" else None


def _write_file(walk: Walk, name: str, file: Path, folder: Path | None = None) -> None:
    if not walk.first_time(_marker(str(file))):
        return
    if file.suffix != ".py":
        walk.put("binary", hashlib.blake2b(file.read_bytes()).digest())
        return
    try:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source, str(file))
    except (OSError, SyntaxError, ValueError) as error:
        raise Unhashable(f"the module {name!r} cannot be read: {error}") from None
    loaded = sys.modules.get(name) if folder is None else None
    if loaded is not None and not _is_text_of(source, file, loaded):
        raise Unhashable(f"the file of module {name!r} was changed since it was loaded; load it anew")
    walk.put("module text", written([tree]))
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for level, imported in sorted(_imports(tree)):
        walk.text("import", str(level), imported)
        write_import(walk, level, imported, package, folder)


def _is_text_of(source: str, file: Path, module: ModuleType) -> bool:
    """Whether the functions of a loaded module are those of the text."""
    linecache.checkcache(str(file))
    codes = set(with_nested(compile(source, str(file), "exec", dont_inherit=True)))
    own = [
        one
        for one in vars(module).values()
        if isinstance(one, FunctionType) and one.__code__.co_filename == module.__file__
    ]
    return all(one.__code__ in codes for one in own)


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


class _Marker:
    """Stands for a file in what a walk has seen."""


_markers: dict[str, _Marker] = {}


def _marker(file: str) -> _Marker:
    return _markers.setdefault(file, _Marker())
