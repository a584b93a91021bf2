"""What the cells of a notebook were made of, as far as texts tell: the way to go on with a run in another kernel.

The values of ordinary cells are kept nowhere, so they count by the texts of their cells, the modules of your own that
these import, the files that they name, and the parameters. Those of task cells count by what was kept of them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from notebook_flows.analysis.feeding import feeders
from notebook_flows.analysis.files import DATABASE
from notebook_flows.fingerprints.cells import file_print, import_print, imports_of, key_of_cell, text_print
from notebook_flows.fingerprints.errors import Unhashable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from notebook_flows.analysis import Connections
    from notebook_flows.analysis.files import FileUse


class Making:
    """Tells of each cell what it is made of; a short text, the same in every process.

    Args:
        notebook: which it is, as `which_notebook` tells; results of one notebook are none of another.
        sources: key -> text, of the n cells.
        files: key -> the files that the cell reads, as `files_of` tells them.
        connections: of the cells.
        parameters_cell: the key of the cell into which parameters are given; None where there is none.
        parameters: name -> fingerprint, of those that are given.
        injected: the key of a cell that was put in to give them; who takes values from it counts as if it took them from
            the parameters cell, as it does where there is no such cell.
        folder: the working directory of the kernel.
        is_here: the cells run in this process, whose loaded modules count.
    """

    def __init__(
        self,
        notebook: str,
        sources: Mapping[str, str],
        files: Mapping[str, Sequence[str]],
        connections: Connections,
        *,
        parameters_cell: str | None = None,
        parameters: Mapping[str, str] | None = None,
        injected: str | None = None,
        folder: Path,
        is_here: bool = False,
    ) -> None:
        self._notebook = notebook
        self._sources = sources
        self._files = files
        self._tasks = connections.tasks
        self._above: Mapping[str, Sequence[str]] = feeders(connections)
        if injected is not None and parameters_cell is not None:
            self._above = _in_place_of(self._above, injected, parameters_cell)
        self._parameters_cell = parameters_cell
        self._parameters = parameters or {}
        self._folder = folder
        self._is_here = is_here
        self._results: dict[str, str] = {}
        self._known: dict[str, str | None] = {}
        self._own: dict[str, list[tuple[str, ...]] | None] = {}
        self._with_files = [key for key in sources if files.get(key)]

    def set_result(self, key: str, result: str) -> None:
        """A task has this result now; what was made of it before is to be told anew."""
        if self._results.get(key) != result:
            self._results[key] = result
            self._look_again()

    def result(self, key: str) -> str | None:
        """The result that a task has, as far as it is known."""
        return self._results.get(key)

    def forget(self, keys: Iterable[str]) -> None:
        """These tasks have other results now, which nobody knows."""
        for key in keys:
            self._results.pop(key, None)
        self._look_again()

    def _look_again(self) -> None:
        self._known.clear()
        for key in self._with_files:  # one may have been written meanwhile
            self._own.pop(key, None)

    def of(self, key: str) -> str | None:
        """What a cell is made of; None: that cannot be told, for a task that it needs has no known result."""
        waiting = [key]
        while waiting:  # no recursion: chains of cells are long
            one = waiting[-1]
            if one in self._known:
                waiting.pop()
                continue
            missing = [
                other for other in self._above.get(one, ()) if other not in self._tasks and other not in self._known
            ]
            if missing:
                waiting.extend(missing)
                continue
            self._known[one] = self._made(one)
            waiting.pop()
        return self._known[key]

    def _made(self, key: str) -> str | None:
        own = self._own_parts(key)
        if own is None:
            return None
        parts = list(own)
        for other in self._above.get(key, ()):
            part = self._results.get(other) if other in self._tasks else self._known.get(other)
            if part is None:
                return None
            parts.append(("from", part))
        return key_of_cell(text_print(self._sources[key]), parts)

    def _own_parts(self, key: str) -> list[tuple[str, ...]] | None:
        if key not in self._own:
            try:
                self._own[key] = list(self._parts_of_itself(key))
            except Unhashable:  # a module that was changed since it was loaded
                self._own[key] = None
        return self._own[key]

    def _parts_of_itself(self, key: str) -> Iterable[tuple[str, ...]]:
        yield ("notebook", self._notebook)
        for one in imports_of(self._sources[key]):
            yield ("import", one.module, import_print(one, None if self._is_here else self._folder))
        for path in self._files.get(key, ()):
            yield ("file", path, file_print(path, self._folder))
        if key == self._parameters_cell:
            for name, told in sorted(self._parameters.items()):
                yield ("parameter", name, told)


def _in_place_of(above: Mapping[str, Sequence[str]], old: str, new: str) -> dict[str, list[str]]:
    """The cells above each, with one in place of another, which stands right below it."""
    return {
        key: [one for one in dict.fromkeys(new if other == old else other for other in others) if one != key]
        for key, others in above.items()
    }


def files_of(uses: Iterable[FileUse], declared: Iterable[str] = ()) -> tuple[str, ...]:
    """The files on this machine that a cell reads and does not write, as far as texts name them.

    Args:
        uses: of the cell and the functions that it calls.
        declared: by ``--reads``.
    """
    read = {one.path for one in uses if one.kind == "read" and one.path is not None and is_on_this_machine(one.path)}
    written = {one.path for one in uses if one.kind == "write"}  # to append to a file is to write it
    return tuple(sorted({*(read - written), *declared}))


def which_notebook(name: str, path: str | None, folder: Path) -> str:
    """What tells a notebook apart from others of its name.

    Args:
        name: for people.
        path: its file, or its address; None where it is not known: then the folder has to do.
        folder: the working directory of its kernel.
    """
    where = os.path.realpath(folder) + os.sep if path is None else path if "://" in path else os.path.realpath(path)
    return f"{name} at {where}"


def gone_file(uses: Iterable[FileUse], folder: Path) -> str | None:
    """The first file on this machine that a cell names and writes, and that is not there; None: none is missed.

    Args:
        uses: of the cell and the functions that it calls.
        folder: the working directory of the kernel.
    """
    written = {one.path for one in uses if one.kind == "write" and one.path is not None}
    return next((one for one in sorted(written) if is_on_this_machine(one) and not (folder / one).exists()), None)


def is_on_this_machine(path: str) -> bool:
    """Whether a path is one of a file here: no address, and no database."""
    return "://" not in path and not path.startswith(DATABASE)
