"""What a cell of a notebook says, and what flows into it: the parts of the key of its result."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.analysis.source import parsed
from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import PYTHON
from notebook_flows.fingerprints.modules import imports_in, write_import
from notebook_flows.fingerprints.sources import written
from notebook_flows.fingerprints.walk import SIZE, Walk, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import FunctionType

PIECE = 1 << 20


@lru_cache(maxsize=4096)
def text_print(source: str) -> str:
    r"""The fingerprint of a cell's text: comments, layout and the task line do not count.

    >>> text_print("%%task load\nx = 1  # one") == text_print("x=1")
    True
    """
    found = parsed(source)
    if found is None:  # no Python: then all of it counts
        return _digest("text", source)
    body: Any = found.tree.body
    is_quiet = source.rstrip().endswith(";")  # then its last value is not shown
    return _digest("cell", written([[*body], str(is_quiet)]))


class Imported(NamedTuple):
    """A module that a cell imports.

    Attributes:
        module: dotted.
        names: that it takes from there: some of them may be modules.
    """

    module: str
    names: frozenset[str]


def imports_of(source: str) -> tuple[Imported, ...]:
    """The modules that a cell imports anywhere in it; relative imports aside, which a cell cannot make."""
    found = parsed(source)
    if found is None:
        return ()
    return tuple(Imported(name, names) for (level, name), names in imports_in(found.tree).items() if not level)


def import_print(imported: Imported, folder: Path | None = None) -> str:
    """The fingerprint of what an import gives: a library's version, or the text of your own files.

    Args:
        imported: what is imported.
        folder: in which modules are looked for first, where this is not the process that imports.

    Raises:
        Unhashable: a file of it cannot be read, or was changed since it was loaded.
    """
    walk = Walk()
    write_import(walk, 0, imported.module, None, folder, names=imported.names)
    return walk.digest()


def file_print(path: str, folder: Path) -> str:
    """The fingerprint of what is in a file, or of the names in a directory.

    Args:
        path: as the cell says it.
        folder: the working directory of the cell.
    """
    place = folder / Path(path).expanduser()
    try:
        if place.is_dir():
            counted = [one for one in sorted(place.iterdir()) if counts_in_directory(one.name)]
            inside = [f"{one.name} {one.stat().st_size} {one.stat().st_mtime_ns}" for one in counted]
            return _digest("directory", "\n".join(inside))
        facts = place.stat()
        return _file_content(str(place), facts.st_ino, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        return _digest("no file", type(error).__name__)


def counts_in_directory(name: str) -> bool:
    """Whether a name in a directory counts: not what is hidden, nor notebooks, which are written while they run."""
    return not name.startswith(".") and not name.endswith(".ipynb") and name != "__pycache__"


def listing_print(path: str) -> str:
    """The fingerprint of the names in a directory."""
    try:
        return _digest("names", "\n".join(sorted(filter(counts_in_directory, os.listdir(path)))))  # noqa: PTH208 - names are all that is wanted
    except OSError as error:
        return _digest("no directory", type(error).__name__)


@lru_cache(maxsize=1024)
def _file_content(path: str, _inode: int, _changed_ns: int, _size: int) -> str:
    """Of a file that is asked for again and again while cells end, and is read once unless it changes."""
    hashing = blake2b(digest_size=SIZE)
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            hashing.update(piece)
    return hashing.hexdigest()


def value_print(
    value: Any, *, secret_key: bytes | None, globals_of: Callable[[FunctionType], Mapping[str, Any]] | None = None
) -> str:
    """The fingerprint of a value, where the functions in it see the names that a task sees.

    Raises:
        Unhashable: it has none; says why.
    """
    walk = Walk(secret_key=secret_key, globals_of=globals_of)
    try:
        walk.value(value)
    except RecursionError:
        raise Unhashable(f"{named(value)} is nested too deeply") from None
    return walk.digest()


def key_of_cell(text: str, parts: Iterable[Sequence[str]]) -> str:
    """The key of a cell's result.

    Args:
        text: `text_print` of it.
        parts: what flows into it, each as some words: ``("name", "rows", its fingerprint)``; their order does not count.
    """
    told = "".join(f"{len(word)},{word}" for part in sorted(map(tuple, parts)) for word in (*part, ";"))
    return _digest(f"cell 1 python {PYTHON}", f"{text}{told}")


def _digest(kind: str, content: str | bytes) -> str:
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return blake2b(f"{kind}\n".encode() + data, digest_size=SIZE).hexdigest()
