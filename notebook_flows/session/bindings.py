"""Who has bound which name of the notebook's namespace last, and how often each name has changed."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.analysis import analyse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_HISTORY = re.compile(r"_+|_i{1,3}|_i?\d+|In|Out|_[iod]h")


class Owner(NamedTuple):
    """Who has bound a name: the cell's key, and the number of that execution, 1, 2, 3... in this session."""

    key: str
    execution: int


class Change(NamedTuple):
    """What one execution has done to the namespace, as far as identities tell; without a body: values have landed."""

    key: str
    execution: int
    body: str
    bound: frozenset[str]
    deleted: frozenset[str]
    has_succeeded: bool


class Bindings:
    """Keeps the account of the namespace.

    Identities are compared, and no value is held: a name that is bound anew at the same address is seen by the
    analysis, which is asked when somebody wants to know, not while the user waits.
    """

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}
        self._versions: dict[str, int] = {}
        self._taken: dict[str, dict[str, str]] = {}
        self._waiting: deque[Change] = deque()
        self._executions = 0

    def begin(self) -> int:
        """An execution begins: its number."""
        self._executions += 1
        return self._executions

    def changed(self, change: Change) -> None:
        """An execution has ended."""
        self._waiting.append(change)

    def landed(self, key: str, bound: Collection[str], deleted: Collection[str] = ()) -> None:
        """Values of a task have landed in the namespace."""
        execution = self.begin()
        self.changed(Change(key, execution, "", frozenset(bound), frozenset(deleted), has_succeeded=True))

    def renamed(self, old: str, new: str) -> None:
        """A cell has another key now."""
        self._waiting = deque(one._replace(key=new) if one.key == old else one for one in self._waiting)
        self._owners = {
            name: owner._replace(key=new) if owner.key == old else owner for name, owner in self._owners.items()
        }
        self._taken = {
            new if key == old else key: {name: new if one == old else one for name, one in owners.items()}
            for key, owners in self._taken.items()
        }

    @property
    def owners(self) -> Mapping[str, Owner]:
        """Name -> who has bound it last."""
        self._catch_up()
        return self._owners

    @property
    def versions(self) -> Mapping[str, int]:
        """Name -> how often it was bound, deleted or, as far as the analysis tells, its object changed."""
        self._catch_up()
        return self._versions

    def owner(self, name: str) -> str | None:
        """The key of the cell that has bound a name last; None if no cell that we know has."""
        found = self.owners.get(name)
        return found.key if found is not None else None

    def taken_by_hand(self, key: str) -> Mapping[str, str]:
        """Name -> key of the cell that had bound it when a cell was executed by hand; empty if it has run otherwise since."""
        self._catch_up()
        return self._taken.get(key, {})

    def _catch_up(self) -> None:
        while self._waiting:
            change = self._waiting.popleft()
            self._note_what_it_took(change)
            facts = analyse(change.body)
            bound = set(change.bound)
            if change.has_succeeded:
                bound |= facts.binds - facts.may_bind - change.deleted
            for name in bound:
                self._owners[name] = Owner(change.key, change.execution)
            for name in change.deleted:
                self._owners.pop(name, None)
            for name in bound | change.deleted | facts.mutates:
                self._versions[name] = self._versions.get(name, 0) + 1

    def _note_what_it_took(self, change: Change) -> None:
        if change.body:
            self._taken[change.key] = {name: owner.key for name, owner in self._owners.items()}
        else:
            self._taken.pop(change.key, None)


class Namespace:
    """The names of a namespace with the identities of their values, at one moment.

    Args:
        names: the namespace.
        hidden: names that IPython keeps for itself.
    """

    def __init__(self, names: Mapping[str, Any], hidden: Collection[str] = ()) -> None:
        self._ids = {name: id(value) for name, value in dict(names).items()}  # a copy: threads may bind meanwhile
        self._hidden = hidden

    def compared(self, later: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
        """The names that were bound and deleted since."""
        now = {name: id(value) for name, value in dict(later).items()}
        bound = {name for name, identity in now.items() if self._ids.get(name) != identity}
        deleted = self._ids.keys() - now.keys()
        return self._of_the_user(bound), self._of_the_user(deleted)

    def follow(self, names: Collection[str], now: Mapping[str, Any]) -> None:
        """Somebody else has bound or deleted these names meanwhile: that is no change of whoever is compared."""
        for name in names:
            if name in now:
                self._ids[name] = id(now[name])
            else:
                self._ids.pop(name, None)

    def _of_the_user(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(name for name in names if name not in self._hidden and not _HISTORY.fullmatch(name))
