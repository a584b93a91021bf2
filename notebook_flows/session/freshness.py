"""Which cells are up to date: each cell's last run, and what it ran with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import IS_SUCCESSFUL, S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FAILED = "failed last time"
"""Why a cell is stale that ran last, and not well."""
_ENDED_BADLY = {
    S.CANCELLED: "was cancelled last time",
    S.TIMED_OUT: "timed out last time",
    S.CRASHED: "crashed last time",
}
Stamp = tuple[int, int]
"""When a file was changed, in nanoseconds since 1970, and its size in bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LastRun:
    """How a cell ran last.

    Attributes:
        source: its text then.
        state: how it ended; a success: it gave what it was to give.
        seen: key of a cell above -> how often that had run.
        files: file of a module of the user's own -> how it was.
    """

    source: str
    state: S
    seen: Mapping[str, int]
    files: Mapping[str, Stamp] = field(default_factory=dict)


class Freshness:
    """Remembers, for the life of a kernel, what has run with what.

    A cell is stale if it never ran well, if its text or a module of the user's own that it uses has changed since, or
    if a cell whose values it takes has run since or is stale itself.
    """

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._last: dict[str, LastRun] = {}

    def times(self, key: str) -> int:
        """How often a cell has run well."""
        return self._times.get(key, 0)

    def ran(
        self,
        key: str,
        *,
        source: str,
        state: S,
        modules: Iterable[str] = (),
        is_news: bool = True,
    ) -> None:
        """A cell has run. Whose values it takes is asked when somebody wants to know, not while he waits for the cell.

        Args:
            key: of the cell.
            source: its text.
            state: how it ended; a success: it gave what it was to give.
            modules: names of the modules that it uses.
            is_news: False: it had run before anybody listened, or has given the same once more, so that what has used
                its values is not stale.
        """
        if IS_SUCCESSFUL[state] and is_news:
            self._times[key] = self.times(key) + 1
        self._last[key] = LastRun(
            source=source,
            state=state,
            seen=self._times.copy(),
            files=stamps(modules),
        )

    def is_the_same_for(self, key: str, readers: Iterable[str]) -> None:
        """A cell has run again, well, and has made nothing new of what these take from it."""
        for reader in readers:
            last = self._last.get(reader)
            if last is not None and last.seen.get(key, 0) == self.times(key) - 1:
                self._last[reader] = replace(last, seen={**last.seen, key: self.times(key)})

    def knows(self, key: str) -> bool:
        """Whether it was told of a run of this cell."""
        return key in self._last

    def has_run_well(self, key: str, source: str) -> bool:
        """Whether the last run of this cell that it was told of was one of this text, and ended well."""
        last = self._last.get(key)
        return last is not None and last.source == source and IS_SUCCESSFUL[last.state]

    def forget(self, key: str) -> None:
        """Make one cell stale."""
        self._last.pop(key, None)

    def why_stale(
        self,
        sources: Mapping[str, str],
        upstream: Mapping[str, Sequence[str]],
        names: Mapping[str, str] | None = None,
        fresh: Collection[str] = (),
        not_seen: Collection[str] = (),
        astray: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """The stale cells with the reason, in a few words.

        Args:
            sources: key -> text, of all n cells in document order.
            upstream: key -> the cells above whose values the cell takes; direct ones, each above it.
            names: key -> what people call the cell; its key where that is missing.
            fresh: keys of cells that have not run here, and of which an earlier kernel has left what they made.
            not_seen: keys of ordinary cells that were never executed here: they run where they are needed, and by
                themselves make nothing stale.
            astray: key -> why what the cell has taken is not what it takes in a run, of cells that ran well by hand.
        """
        found: dict[str, str] = {}
        for key, source in sources.items():
            if key in fresh:
                continue
            above = upstream.get(key, ())
            if key in not_seen and not self.knows(key):
                reason = next((_is_stale(other, names or {}) for other in above if other in found), "")
            else:
                reason = self._why(key, source, above, found, names or {}) or (astray or {}).get(key, "")
            if reason:
                found[key] = reason
        return found

    def _why(
        self, key: str, source: str, upstream: Sequence[str], stale: Mapping[str, str], names: Mapping[str, str]
    ) -> str:
        last = self._last.get(key)
        if last is None:
            return "has not run yet"
        if last.source != source:
            return "edited since it ran"
        if not IS_SUCCESSFUL[last.state]:
            return _ENDED_BADLY.get(last.state, FAILED)
        for file, stamp in last.files.items():
            if _stamp(file) != stamp:
                return f"{Path(file).name} has changed"
        for other in upstream:
            if other in stale:
                return _is_stale(other, names)
            if last.seen.get(other, 0) != self.times(other):
                return f"{names.get(other, other)!r} has run again, which it needs"
        return ""


def _is_stale(key: str, names: Mapping[str, str]) -> str:
    return f"{names.get(key, key)!r} is stale, which it needs"


def stamps(modules: Iterable[str]) -> dict[str, Stamp]:
    """The files of those modules that are the user's own, not installed, with how they are now."""
    found = {}
    for name in modules:
        for full in _with_parents(name):
            file = getattr(sys.modules.get(full), "__file__", None)
            if file and _is_own(file):
                stamp = _stamp(file)
                if stamp is not None:
                    found[file] = stamp
    return found


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _is_own(file: str) -> bool:
    return not file.startswith((sys.prefix, sys.base_prefix)) and "site-packages" not in file


def _stamp(file: str) -> Stamp | None:
    try:
        facts = Path(file).stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size
