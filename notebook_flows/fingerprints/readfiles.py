"""The files that a cell has read: how they were, and whether they still are so when its result is found again."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.cells import counts_in_directory, file_print, listing_print
from notebook_flows.fingerprints.watching import MOST_FILES, stamp_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from notebook_flows.fingerprints.watching import Seen, Stamp

DEEPEST = 2
"""So deep in lists and dicts of an input a path is looked for."""
LONGEST = 1_000
_STAMPED = "changed "
"""Begins what is told of a file that was not read again."""
READ = "read"
"""In a reference to what is kept of a cell: file -> its fingerprint; a directory, whose names count, ends with ``/``."""


def read_files(
    seen: Seen, counted: Collection[str], folder: Path, *, most_read: int | None = None
) -> tuple[dict[str, str], str]:
    """The fingerprints of the files that were read, and one that was changed meanwhile, which has none; empty: none was.

    Args:
        seen: by who watched.
        counted: files and directories that are in the key already.
        folder: the working directory; paths in it are told from there.
        most_read: bytes that may be read again for it; of other files the size and the time of the last change count.
            None: all are read.
    """
    room = most_read
    aside = {os.path.abspath(folder / Path(one).expanduser()) for one in counted}  # noqa: PTH100 - links stay
    found: dict[str, str] = {}
    changed = ""
    for path, how in seen.files.items():
        place = path.rstrip("/")
        above, name = os.path.split(place)
        is_counted = place in aside or (above in aside and counts_in_directory(name))
        if not isinstance(how, str) and stamp_of(path) != how:
            changed = changed or _from(folder, path)
        elif is_counted:
            continue
        elif isinstance(how, str):
            found[_from(folder, path)] = how
        elif room is None or how is None or how[2] <= room:
            room = room if room is None or how is None else room - how[2]
            found[_from(folder, path)] = file_print(path, folder)
        else:
            found[_from(folder, path)] = _told_stamp(how)
    return found, changed


def changed_file(reads: Mapping[str, str], folder: Path) -> str | None:
    """The first file that is not as it was when it was read; None: all are.

    Args:
        reads: as `read_files` tells it.
        folder: the working directory.
    """
    for path, before in reads.items():
        if _now(folder / path, path, before, folder) != before:
            return path
    return None


def _now(place: Path, path: str, before: str, folder: Path) -> str:
    if path.endswith("/"):
        return listing_print(str(place))
    if before.startswith(_STAMPED):
        return _told_stamp(stamp_of(str(place)))
    return file_print(path, folder)


def _told_stamp(stamp: Stamp | None) -> str:
    """Not the inode: a file may be moved away and back."""
    return _STAMPED if stamp is None else f"{_STAMPED}{stamp[1]} {stamp[2]}"


def _from(folder: Path, path: str) -> str:
    start = f"{folder}{os.sep}"
    if path == start:  # the names in the working directory
        return "./"
    return path.removeprefix(start)


def files_named_by(values: Iterable[Any], folder: Path) -> tuple[str, ...]:
    """The files whose paths are some texts: the values themselves, and what is in their lists and dicts.

    Args:
        values: any.
        folder: the working directory.
    """
    found = {str(one) for one in _texts_in(values) if _is_path(one) and (folder / one).is_file()}
    return tuple(sorted(found)[:MOST_FILES])


def _texts_in(values: Iterable[Any]) -> Iterator[str | Path]:
    waiting = [(value, 0) for value in values]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (str, Path)):
            yield value
        elif depth < DEEPEST and isinstance(value, dict):
            waiting += [(one, depth + 1) for one in islice(value.values(), MOST_FILES)]
        elif depth < DEEPEST and isinstance(value, (list, tuple)):
            waiting += [(one, depth + 1) for one in value[:MOST_FILES]]


def _is_path(text: str | Path) -> bool:
    """Whether a text may be one: longer ones, and those with line breaks, are none."""
    return isinstance(text, Path) or (0 < len(text) < LONGEST and "\n" not in text and "\0" not in text)
