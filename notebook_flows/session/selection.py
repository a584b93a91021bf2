"""Which cells a run is to run: what was asked for, what is stale, and what has to run again so that these get their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError, did_you_mean
from notebook_flows.session.feeding import fed_by, feeders
from notebook_flows.session.runvalues import missing_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from notebook_flows.analysis import Connections
    from notebook_flows.session.runvalues import Version

FROM_BEFORE = "an earlier run has made it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a person has asked to be run.

    Attributes:
        names: of tasks; they run, with what is stale of what they need. Empty: all that is stale.
        start: this task and all that needs it.
        only: these tasks and no others.
        everything: all tasks, stale or not.
        parameters: name -> value.
    """

    names: tuple[str, ...] = ()
    start: str | None = None
    only: tuple[str, ...] = ()
    everything: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What is to run.

    Attributes:
        reasons: key -> why it runs, in document order.
        again: keys of ordinary cells that run again, so that tasks get values that are true.
        recalled: keys of tasks whose values are taken from an earlier run.
    """

    reasons: Mapping[str, str]
    again: frozenset[str] = frozenset()
    recalled: frozenset[str] = frozenset()


def _no_task(name: str, known: Sequence[str]) -> str:
    likely = did_you_mean(name, known)
    return f"There is no task cell {name!r}.{likely}" + ("" if likely else f" Task cells: {', '.join(known)}.")


class SelectionError(FlowError):
    """What was asked for cannot be run.

    Attributes:
        problems: a sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = list(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the notebook stands when somebody wants to run it.

    Attributes:
        connections: of all cells.
        names: key -> what people call the cell.
        stale: key -> why; of all cells.
        can_repeat: key of an ordinary cell -> why it must not be run again by itself; empty if it may.
        changes: key of an ordinary cell -> the names that get other values if it runs again; None: it may be all.
        kept: versions that are held beside the namespace.
        bound_by: whose version of a name the namespace holds.
        parameters_cell: its key; None where there is none.
        remembered: keys of tasks that have not run here, and of which an earlier kernel has left what they made -> the
            classes of the notebook that these values need.
    """

    connections: Connections
    names: Mapping[str, str]
    stale: Mapping[str, str]
    can_repeat: Callable[[str], str]
    kept: frozenset[Version]
    bound_by: Callable[[str], str | None]
    changes: Callable[[str], frozenset[str] | None] = lambda _key: None
    parameters_cell: str | None = None
    remembered: Mapping[str, frozenset[str]] = field(default_factory=dict)


def select(standing: Standing, wish: Wish) -> Selection:
    """The cells to run.

    Raises:
        SelectionError: with all that is in the way.
    """
    return _Selecting(standing, wish).result()


class _Selecting:
    def __init__(self, standing: Standing, wish: Wish) -> None:
        self._standing = standing
        self._wish = wish
        self._problems: list[str] = []
        self._reasons: dict[str, str] = {}
        self._again: set[str] = set()
        self._recalled: set[str] = set()
        self._outdated: dict[str, str] = {}  # tasks that this run makes stale, whatever they were before -> why
        self._above = feeders(standing.connections)

    def result(self) -> Selection:
        self._ask()
        if not self._problems:
            self._complete()
        if self._problems:
            raise SelectionError(self._problems)
        order = self._standing.connections.cells
        return Selection(
            reasons={key: self._reasons[key] for key in order if key in self._reasons},
            again=frozenset(self._again),
            recalled=frozenset(self._recalled),
        )

    # -- what was asked for --------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        wish, standing = self._wish, self._standing
        tasks = standing.connections.tasks
        if wish.parameters:
            self._ask_for_parameters()
        if wish.only:
            for key in self._keys(wish.only):
                self._reasons[key] = "asked for"
            return
        if wish.start is not None:
            for first in self._keys((wish.start,)):
                below = fed_by(self._above, [first])
                self._reasons.update({key: "from here" for key in below if key in tasks})
            return
        if wish.names:
            for key in self._keys(wish.names):
                self._reasons[key] = "asked for"
            return
        for key in standing.connections.cells:
            if key in tasks and (wish.everything or key in standing.stale):
                self._reasons[key] = standing.stale.get(key, "all were asked for")
            elif key in standing.remembered:
                self._recall(key)

    def _recall(self, key: str) -> None:
        self._reasons[key] = FROM_BEFORE
        self._recalled.add(key)

    def _keys(self, names: Iterable[str]) -> list[str]:
        tasks = self._standing.connections.tasks
        known: dict[str, list[str]] = {}
        for key, name in self._standing.names.items():
            if key in tasks:
                known.setdefault(name, []).append(key)
        found = []
        for name in names:
            if name in tasks:
                found.append(name)
            elif len(known.get(name, ())) == 1:
                found.append(known[name][0])
            elif name in known:
                self._problems.append(
                    f"{len(known[name])} task cells are called {name!r}: give them names of their own."
                )
            else:
                self._problems.append(_no_task(name, list(known)))
        return found

    def _ask_for_parameters(self) -> None:
        """Whatever takes a parameter's value, by any way, runs with the new one."""
        standing = self._standing
        given = set(self._wish.parameters)
        cell = standing.parameters_cell
        if cell is None:
            self._problems.append(
                "Parameters were given, but no cell of this notebook is tagged `parameters`, and none begins with "
                "`# parameters`."
            )
            return
        self._reasons[cell] = "parameters were given"
        self._again.add(cell)
        first = {
            edge.downstream_key
            for edge in standing.connections.dataflow
            if edge.upstream_key == cell and edge.name in given
        }
        tasks = standing.connections.tasks
        for key in fed_by(self._above, first):
            if key in standing.remembered:
                self._recall(key)
            elif key in tasks:
                self._reasons[key] = "a parameter was given"

    # -- what they need ------------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        """Add what has to run before, until nothing is missing."""
        for key in tuple(self._again):
            self._outdate_below(key)
        todo = list(self._reasons)
        while todo:
            key = todo.pop()
            known = len(self._outdated)
            for other, reason in self._needed_by(key).items():
                if other not in self._reasons:
                    self._add(other, reason, key)
                    todo.append(other)
            if len(self._outdated) > known:  # some of these may be needed by cells that were looked at before
                todo = list(self._reasons)

    def _outdate_below(self, setting: str) -> None:
        """An ordinary cell runs again: what takes other values of it than before is stale, and runs if all that is stale does."""
        standing, wish = self._standing, self._wish
        changed = standing.changes(setting)
        if changed is None:
            first = {key for key, above in self._above.items() if setting in above}
        else:
            first = {
                edge.downstream_key
                for edge in standing.connections.dataflow
                if edge.upstream_key == setting and edge.name in changed
            }
        reason = f"{standing.names[setting]!r} runs again, which it needs"
        for key in fed_by(self._above, first) & standing.connections.tasks:
            self._outdated.setdefault(key, reason)
            if key not in self._reasons and not (wish.names or wish.start is not None or wish.only):
                self._add(key, reason, setting)

    def _needed_by(self, key: str) -> dict[str, str]:
        standing = self._standing
        here = self._reasons.keys()
        if key in self._again and key == standing.parameters_cell:
            return {}
        if key in self._recalled:
            return self._classes_of(key)
        needed: dict[str, str] = {}
        for other in self._above.get(key, ()):
            if other in standing.remembered:
                needed[other] = FROM_BEFORE
            elif other in standing.connections.tasks:
                if (why := self._why_stale(other)) and not self._wish.only:
                    needed[other] = why
            elif self._is_reached(other):
                needed[other] = "takes values that are made anew"
        for other in self._missing(key, here):
            needed.setdefault(other, "its values were replaced since")
        return needed

    def _classes_of(self, key: str) -> dict[str, str]:
        """The ordinary cells that define the classes without which the values of an earlier run cannot be read."""
        standing = self._standing
        missing = {name for name in standing.remembered[key] if standing.bound_by(name) is None}
        return {
            other: "defines a class of theirs"
            for other, links in standing.connections.cells.items()
            if other not in standing.connections.tasks and missing & links.outputs
        }

    def _is_reached(self, key: str) -> bool:
        """Whether values that this run makes anew go through an ordinary cell."""
        seen, todo = {key}, [key]
        while todo:
            for other in self._above.get(todo.pop(), ()):
                if other in self._reasons and not self._makes_the_same(other):
                    return True
                if other in self._standing.connections.tasks and self._why_stale(other) and not self._wish.only:
                    return True
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return False

    def _why_stale(self, key: str) -> str:
        return self._standing.stale.get(key, "") or self._outdated.get(key, "")

    def _makes_the_same(self, key: str) -> bool:
        return key in self._again and self._standing.changes(key) == frozenset()

    def _missing(self, key: str, here: Iterable[str]) -> list[str]:
        standing = self._standing
        found = missing_versions(standing.connections, key, set(here), kept=standing.kept, bound_by=standing.bound_by)
        return list(found.values())

    def _add(self, key: str, reason: str, wanted_by: str) -> None:
        standing = self._standing
        if key not in standing.connections.tasks:
            why_not = standing.can_repeat(key)
            if why_not:
                self._problems.append(
                    f"{standing.names[wanted_by]!r} takes values from {standing.names[key]!r}, an ordinary cell that "
                    f"would have to run again ({reason}), but {why_not}: run that cell by hand first."
                )
                self._reasons[key] = reason  # told once
                return
            self._again.add(key)
            self._reasons[key] = reason
            self._outdate_below(key)
        elif key in standing.remembered:
            self._recall(key)
            return
        elif self._wish.only:
            self._problems.append(
                f"{standing.names[wanted_by]!r} takes values from {standing.names[key]!r}, which are not there "
                f"({reason}): run it as well, or leave out `--only`."
            )
        self._reasons[key] = reason
