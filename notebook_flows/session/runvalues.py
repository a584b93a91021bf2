"""The values that the cells of one run give one another: each cell gets those of the nearest cells above it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.session.values import CellValues

Version = tuple[str, str]
"""A cell's key, and a name that it has bound: one of the values that the name has in the notebook."""


class RunValues:
    """Values by version, made by the cells of this run or left over from before.

    Args:
        connections: of all cells, in document order.
        here: the keys of the cells of this run.
        kept: versions that the namespace does not hold any more.
        bound_by: tells whose version of a name the namespace holds; None: of no cell that we know.
    """

    def __init__(
        self,
        connections: Connections,
        here: Collection[str],
        *,
        kept: Mapping[Version, Any],
        bound_by: Callable[[str], str | None],
    ) -> None:
        self._connections = connections
        self._here = frozenset(here)
        self._kept = kept
        self._bound_by = bound_by
        self._place = {key: place for place, key in enumerate(connections.cells)}
        self._made: dict[str, CellValues] = {}
        self._changed = threading.Lock()

    def made(self, key: str, values: CellValues) -> None:
        """A cell of this run has ended well."""
        with self._changed:
            self._made[key] = values

    def keep_for(self, waiting: Collection[str]) -> None:
        """All has landed: hold only the versions that these cells, which may yet run, take from this run."""
        cells = self._connections.cells
        names = {name for key in waiting for name in cells[key].inputs}
        last_alone = max((self._place[key] for key in waiting if cells[key].alone), default=-1)
        with self._changed:
            for key, values in tuple(self._made.items()):
                if self._place[key] < last_alone:
                    continue  # a cell that cannot be seen through may read anything
                bound = {name: value for name, value in values.bound.items() if name in names}
                back = {name: value for name, value in values.handed_back.items() if name in names}
                if bound or back:
                    self._made[key] = replace(values, bound=bound, handed_back=back, settling=None)
                else:
                    del self._made[key]

    def forget(self) -> None:
        """The run is over: hold no values of it."""
        with self._changed:
            self._made.clear()

    @property
    def done(self) -> dict[str, CellValues]:
        """What has been made, in document order."""
        with self._changed:
            return {key: self._made[key] for key in sorted(self._made, key=self._place.__getitem__)}

    def inputs_of(self, key: str) -> dict[str, Any]:
        """The values that a cell takes from this run, or from versions that were kept; all else is in the namespace."""
        done = self.done
        found = self._all_above(key, done) if self._connections.cells[key].alone else {}
        for name, definers in self._connections.cells[key].inputs.items():
            for definer in reversed(definers):
                if definer in done and name in done[definer].bound:
                    found[name] = done[definer].bound[name]
                    break
                if definer not in self._here and (definer, name) in self._kept and self._bound_by(name) != definer:
                    found[name] = self._kept[definer, name]
                    break
                if definer not in self._here and self._bound_by(name) == definer:
                    break
            self._take_what_was_handed_back(found, name, definers, key, done)
        return found

    def _all_above(self, key: str, done: Mapping[str, CellValues]) -> dict[str, Any]:
        """What a cell that cannot be seen through may read: everything, in its version at this place."""
        found: dict[str, Any] = {}
        for other, values in done.items():
            if self._place[other] < self._place[key]:
                found.update(values.handed_back)
                found.update(values.bound)
        return found

    def _take_what_was_handed_back(
        self, found: dict[str, Any], name: str, definers: tuple[str, ...], key: str, done: Mapping[str, CellValues]
    ) -> None:
        """A cell between the definer and this one may have changed the object in another process: take its copy."""
        after = max((self._place[one] for one in definers), default=-1)
        for other, values in done.items():
            if after < self._place[other] < self._place[key] and name in values.handed_back:
                found[name] = values.handed_back[name]


def missing_versions(
    connections: Connections,
    key: str,
    here: Collection[str],
    *,
    kept: Collection[Version],
    bound_by: Callable[[str], str | None],
) -> dict[str, str]:
    """Which cells would have to run again, for a cell to get the values that it takes: {name: key of the cell}."""
    missing = {}
    for name, definers in connections.cells[key].inputs.items():
        if not definers:
            continue
        if any(one in here or (one, name) in kept or bound_by(name) == one for one in definers):
            continue
        if bound_by(name) is None and not any(_is_told_to_bind(connections, one, name) for one in definers):
            continue  # nobody can see whether they bind it; they did not: it is a builtin, or the user's own
        missing[name] = definers[0]
    return missing


def _is_told_to_bind(connections: Connections, key: str, name: str) -> bool:
    links = connections.cells[key]
    return name in links.outputs or name in links.may_outputs
