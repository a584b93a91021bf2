"""Which cells above a cell waits for because of files: those that use the same one, or perhaps do, unless all only read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.files import DATABASE, FileUse, is_same, keeps_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_VERBS = {"read": "reads", "write": "writes", "make": "makes"}


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
class FileOrder:
    """The cells down to some cell, and the files that they use."""

    _users: dict[str, tuple[FileUse, ...]] = field(default_factory=dict)
    _writers: dict[str, tuple[str, FileUse]] = field(default_factory=dict)  # path -> the last that surely wrote it

    def add(self, key: str, uses: Sequence[FileUse], *, is_task: bool) -> list[Meeting]:
        """The next cell; the cells above for which it has to wait."""
        if not uses:
            return []
        found = list(self._needs(uses))
        known = {meeting.key for meeting in found}
        for other, theirs in self._users.items():
            if other not in known and (meeting := _meeting(other, theirs, uses)) is not None:
                found.append(meeting)
        if is_task and FileUse("write", None) in uses:
            self._users.clear()  # it waits for them all, and whoever comes below waits for it
        self._users[key] = tuple(uses)
        for use in uses:
            if use.kind == "write" and use.path is not None and use.is_whole:
                self._writers[use.path] = key, use
        return found

    def _needs(self, uses: Iterable[FileUse]) -> Iterator[Meeting]:
        for use in uses:
            writer = self._writers.get(use.path) if use.kind == "read" and use.path is not None else None
            if writer is not None and is_same(writer[1], use):
                yield Meeting(*writer, use, is_need=True)


def _meeting(key: str, theirs: Sequence[FileUse], uses: Sequence[FileUse]) -> Meeting | None:
    made = {use.path for use in theirs if use.kind == "make"} & {use.path for use in uses if use.kind == "make"}
    for upper in theirs:
        for lower in uses:
            is_room = (upper.kind == "make" and upper.path in made) or (lower.kind == "make" and lower.path in made)
            if not is_room and keeps_order(upper, lower):  # both make sure of their directory
                return Meeting(key, upper, lower)
    return None
