"""Which cells above a cell waits for because of files: those that use the same one, or perhaps do, unless all only read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.files import (
    DATABASE,
    FileUse,
    directories_above,
    is_local,
    is_same,
    keeps_order,
    surroundings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_VERBS = {"read": "reads", "write": "writes", "make": "makes"}
_OTHERS = {"read": ("write", "make"), "write": ("read", "write", "make"), "make": ("read", "write")}


class Meeting(NamedTuple):
    """Two cells that use one file.

    Attributes:
        key: of the upper cell.
        upper, lower: how they use it.
        is_need: the lower one reads what the upper one surely wrote.
    """

    key: str
    upper: FileUse
    lower: FileUse
    is_need: bool = False

    @property
    def path(self) -> str:
        """As it is shown."""
        return self.lower.path or ""

    def told(self, here: str, there: str) -> str:
        """The reason in a sentence."""
        does, did = _VERBS[self.lower.kind], _VERBS[self.upper.kind]
        if self.lower.path is not None and self.upper.path is not None:
            before = "" if self.upper.kind != "read" and self.lower.kind == "read" else " before"
            if self.lower.path == self.upper.path:
                shown = "a database" if self.lower.path == DATABASE else self.lower.path
                return f"{here!r} {does} {shown}, which {there!r} {did}{before}"
            return f"{here!r} {does} {self.lower.path}, after {there!r}, which {did} {self.upper.path}"
        return f"{here!r} {does} {_shown(self.lower)}, after {there!r}, which {did} {_shown(self.upper)}"


def _shown(use: FileUse) -> str:
    return use.path or "files that its text does not name"


@dataclass(slots=True)
class _Users:
    """The cells that use files in one way; a set of cells is the bits of a number, so that thousands are one step.

    Attributes:
        every: all of them, those of databases aside.
        unknown: those whose path is not known.
        around: surroundings -> those with a path in them.
        at, below: path -> those with just this path; with one that is somewhere below it.
    """

    every: int = 0
    unknown: int = 0
    around: dict[str, int] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)

    def add(self, path: str | None, cell: int) -> None:
        """A cell more."""
        if path is None:
            self.unknown |= cell
        else:
            path = path.casefold()
            place = surroundings(path)
            self.around[place] = self.around.get(place, 0) | cell
            self.at[path] = self.at.get(path, 0) | cell
            for above in directories_above(path):
                self.below[above] = self.below.get(above, 0) | cell
        if path != DATABASE:
            self.every |= cell

    def near(self, path: str | None, *, but_at: frozenset[str] = frozenset()) -> int:
        """The cells whose path may be this one, as `may_be_one` says; those left out that are just at some paths."""
        if path is None:
            return self.every
        path = path.casefold()
        found = self.below.get(path, 0)
        for place in {path, *directories_above(path)} - but_at:
            found |= self.at.get(place, 0)
        if path == DATABASE:
            return found
        here = surroundings(path)
        for there, cells in self.around.items():
            if there != here and is_local(there) and is_local(here):
                found |= cells
        return found | self.unknown


@dataclass(slots=True)
class FileOrder:
    """The cells down to some cell, and the files that they use."""

    _keys: list[str] = field(default_factory=list)
    _uses: list[Sequence[FileUse]] = field(default_factory=list)
    _above: list[int] = field(
        default_factory=list
    )  # of each, the cells for which it waits, by whatever way through tasks
    _users: dict[str, _Users] = field(default_factory=lambda: {kind: _Users() for kind in _VERBS})
    _writers: dict[str, tuple[int, FileUse]] = field(default_factory=dict)  # path -> the last that surely wrote it

    def add(self, key: str, uses: Sequence[FileUse], *, is_task: bool) -> list[Meeting]:
        """The next cell; the cells above for which it has to wait, but for those for which one of these waits."""
        if not uses:
            return []
        found = dict(self._needs(uses))
        waiting, above = self._near(uses), 0
        for place in found:
            above |= self._above[place] | 1 << place
        while left := waiting & ~above:
            place = left.bit_length() - 1
            meeting = _meeting(self._keys[place], self._uses[place], uses)
            if meeting is None:
                waiting &= ~(1 << place)
            else:
                found[place] = meeting
                above |= self._above[place] | 1 << place
        self._add(key, uses, above=above if is_task else 0)
        return [found[place] for place in sorted(found)]

    def _add(self, key: str, uses: Sequence[FileUse], *, above: int) -> None:
        place = len(self._keys)
        self._keys.append(key)
        self._uses.append(tuple(uses))
        self._above.append(above)
        for use in uses:
            self._users[use.kind].add(use.path, 1 << place)
            if use.kind == "write" and use.path is not None and use.is_whole:
                self._writers[use.path] = place, use

    def _needs(self, uses: Iterable[FileUse]) -> Iterator[tuple[int, Meeting]]:
        for use in uses:
            writer = self._writers.get(use.path) if use.kind == "read" and use.path is not None else None
            if writer is not None and is_same(writer[1], use):
                place, written = writer
                yield place, Meeting(self._keys[place], written, use, is_need=True)

    def _near(self, uses: Sequence[FileUse]) -> int:
        """All cells above that use, perhaps, one of the files in a way that has an order."""
        made = _made(uses)
        found = 0
        for use in uses:
            near = 0
            for kind in _OTHERS[use.kind]:
                near |= self._users[kind].near(use.path, but_at=made if kind == "make" else frozenset())
            if use.kind == "make" and use.path is not None:
                near &= ~self._users["make"].at.get(use.path.casefold(), 0)
            found |= near
        return found


def _made(uses: Sequence[FileUse]) -> frozenset[str]:
    return frozenset(use.path.casefold() for use in uses if use.kind == "make" and use.path is not None)


def _meeting(key: str, theirs: Sequence[FileUse], uses: Sequence[FileUse]) -> Meeting | None:
    made = _made(theirs) & _made(uses)  # both make sure of these directories: that keeps no order
    uppers = [use for use in theirs if use.kind != "make" or (use.path or "").casefold() not in made]
    lowers = [use for use in uses if use.kind != "make" or (use.path or "").casefold() not in made]
    pairs = (Meeting(key, upper, lower) for upper in uppers for lower in lowers if keeps_order(upper, lower))
    return next(pairs, None)
