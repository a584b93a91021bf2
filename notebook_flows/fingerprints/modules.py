"""How modules are written into a fingerprint: libraries by their version, the user's own by their whole text."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import PYTHON, is_library_file, library_of, library_of_module, version_of
from notebook_flows.fingerprints.loaded import is_text_of
from notebook_flows.fingerprints.names import IMPORTS_BY_NAME
from notebook_flows.fingerprints.sources import written

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from notebook_flows.fingerprints.walk import Walk


def write_module(walk: Walk, module: ModuleType) -> None:
    """Write a module that is used as a whole."""
    library = library_of_module(module)
    if library is not None:
        walk.text("library", library)
        return
    write_import(walk, 0, module.__name__, None)


def write_import(
    walk: Walk, level: int, name: str, package: str | None, folder: Path | None = None, *, names: Iterable[str] = ()
) -> None:
    """Write what an import statement would load, without loading it.

    Args:
        walk: into which it is written.
        level: how many packages up a relative import begins.
        name: of the module.
        package: of the module that imports.
        folder: in which another process, which imports, looks first; what this one has loaded does not count then.
        names: that are taken from it, by ``from name import names``: those that are modules are loaded, too.
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
        return
    else:
        _write_file(walk, name, file, folder)
    parts = name.split(".")
    around = [".".join(parts[:count]) for count in range(1, len(parts))]  # an import runs the packages around it
    for one in (*around, *(f"{name}.{each}" for each in sorted(set(names)))):
        file = (_file_of(one, folder) if folder is not None else None) or _file_of(one)
        if file is not None and not is_library_file(str(file)):
            _write_file(walk, one, file, folder)


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
    if loaded is not None and not is_text_of(source, tree, file, loaded):
        raise Unhashable(f"the file of module {name!r} was changed since it was loaded; load it anew")
    walk.put("module text", written([tree]))
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for (level, imported), names in imports_in(tree).items():
        walk.text("import", str(level), imported)
        write_import(walk, level, imported, package, folder, names=names)


def imports_in(tree: ast.Module) -> dict[tuple[int, str], frozenset[str]]:
    """{(level, module): the names that are taken from it}, of all imports anywhere in a text; sorted."""
    found: dict[tuple[int, str], set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found.setdefault((0, one.name), set())
        elif isinstance(node, ast.ImportFrom):
            found.setdefault((node.level, node.module or ""), set()).update(one.name for one in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by_name(node)):
            found.setdefault((0, name), set())
    return {module: frozenset(found[module]) for module in sorted(found)}


def _imported_by_name(node: ast.Call) -> str:
    """The module that ``importlib.import_module("module")`` imports, where the text tells it."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else None
    if called not in IMPORTS_BY_NAME or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return ""
    return "" if first.value.startswith(".") else first.value


class _Marker:
    """Stands for a file in what a walk has seen."""


_markers: dict[str, _Marker] = {}


def _marker(file: str) -> _Marker:
    return _markers.setdefault(file, _Marker())
