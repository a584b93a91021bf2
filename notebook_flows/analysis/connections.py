"""How the cells of a notebook hang together: edges with their reasons, and the questions that runners ask of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from notebook_flows.analysis.facts import CellFacts
    from notebook_flows.analysis.files import FileUse


class Reason(StrEnum):
    """Why one cell comes after another."""

    DATA = "data"  # it reads a name that the other binds
    LATE = "late data"  # a function that it calls reads it
    MAY = "may define"  # it reads a name that the other binds on some path only
    MUTATION = "mutation"  # one of them possibly changes an object that the other uses
    REBINDING = "rebinding"  # an ordinary cell binds anew what the other reads or binds
    BARRIER = "barrier"  # one of them cannot be seen through, and runs alone
    HIDDEN = "hidden state"  # one of them uses the random state, the working directory...
    NEEDS = "needs"  # it was told to wait


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A cell of a notebook, as `connect` gets it.

    Attributes:
        key: what tells it apart from all others.
        is_task: it may run away from its place, in a namespace of its own; else it runs where it stands.
        name: what people call it.
        needs: names of tasks that it waits for, whatever it reads.
        reads: the names that it reads, in place of those that were found.
        writes: the names that it binds or mutates, in place of those that were found.
        pure: it mutates nothing.
    """

    key: str
    facts: CellFacts
    is_task: bool
    name: str
    needs: frozenset[str] = frozenset()
    reads: frozenset[str] | None = None
    writes: frozenset[str] | None = None
    pure: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """One cell comes after another, for one reason; ``text`` tells it in a sentence."""

    upstream_key: str
    downstream_key: str
    name: str
    kind: Reason
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unresolved:
    """A name that is read, and that no cell above binds.

    Attributes:
        line: where, in the raw cell, from 1.
        nearest: a name that is bound above and is spelt almost the same, or None.
        below: the first cell below that binds it, or None.
    """

    key: str
    name: str
    line: int
    nearest: str | None
    below: str | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """What one cell takes and gives, the functions that it calls included.

    Attributes:
        inputs: name -> the cells that may have bound its value, in document order; the last sure one comes first.
        outputs: names that it binds.
        may_outputs: those of them that it binds on some path only.
        deletes: names that it deletes.
        mutates: names by which it reaches the objects that it possibly changes.
        late: names that functions defined here read when they are called.
        alone: why it has to run alone, in the real namespace; empty if it need not.
        hidden_state, effects, files, uses_pyplot: as in the cell's facts, the functions that it calls included.
        shares: bound name -> names of its inputs whose objects it may share or hold; lost where a task gets copies.
    """

    key: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: frozenset[str]
    may_outputs: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    alone: tuple[str, ...] = ()
    hidden_state: frozenset[str] = frozenset()
    effects: tuple[str, ...] = ()
    files: frozenset[FileUse] = frozenset()
    uses_pyplot: bool = False
    shares: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)  # no slots: one property is kept
class Connections:
    """All cells of a notebook, connected.

    Attributes:
        cells: key -> what the cell takes and gives, in document order.
        dataflow: data edges among all cells, for drawing.
        order: all order edges, from any cell to any later one; between two tasks they are what must be kept.
        unresolved: names that are needed at once and that no cell above binds.
        unseen: (key, what) that the analysis cannot see.
    """

    cells: Mapping[str, Links]
    tasks: frozenset[str]
    dataflow: tuple[Edge, ...] = ()
    order: tuple[Edge, ...] = ()
    late: tuple[Edge, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()

    @property
    def task_edges(self) -> tuple[Edge, ...]:
        """The edges between two tasks: whatever keeps them gives the values of document order."""
        tasks = self.tasks
        return tuple(edge for edge in self.order if edge.upstream_key in tasks and edge.downstream_key in tasks)

    def read_from(self, key: str) -> frozenset[str]:
        """The names that other cells take from this one."""
        return self._read_from.get(key, frozenset())

    @cached_property
    def _read_from(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for links in self.cells.values():
            for name, definers in links.inputs.items():
                for definer in definers:
                    found.setdefault(definer, set()).add(name)
        return {key: frozenset(names) for key, names in found.items()}

    def why(self, upstream_key: str, downstream_key: str) -> tuple[Edge, ...]:
        """All reasons for which the second comes right after the first."""
        return tuple(
            edge for edge in self.order if edge.upstream_key == upstream_key and edge.downstream_key == downstream_key
        )

    def needed_before(self, key: str, pending: Iterable[str] | None = None) -> tuple[str, ...]:
        """The tasks above that must have run before this cell runs where it stands, in document order.

        Args:
            key: the cell, ordinary or a task.
            pending: the tasks that have not run yet; without it, all tasks.
        """
        waiting = self.tasks if pending is None else frozenset(pending)
        found = _reach([key], _steps((edge.downstream_key, edge.upstream_key) for edge in self.order)) - {key}
        return tuple(other for other in self.cells if other in found and other in waiting)


def _steps(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for start, end in pairs:
        found.setdefault(start, []).append(end)
    return found


def _reach(start: Iterable[str], steps: Mapping[str, Sequence[str]]) -> set[str]:
    found = set(start)
    todo = list(found)
    while todo:
        for other in steps.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found
