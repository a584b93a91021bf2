"""From the cells of a notebook, in document order, to what connects them."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.connections import Cell, Connections, Edge, Links, Reason, Unresolved
from notebook_flows.analysis.fileorder import FileOrder
from notebook_flows.analysis.heap import BUILTIN, DEEP, FUNCTION, LIBRARY, NOTHING, Heap, Value
from notebook_flows.analysis.magicslips import sure_slip
from notebook_flows.analysis.program import Program
from notebook_flows.analysis.walking import TooIntricateError, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HIDDEN_WORDS = {
    "random": "the random state",
    "cwd": "the working directory",
    "environ": "the environment",
    "warnings": "the warnings filters",
    "locale": "the locale",
    "signals": "the signal handlers",
    "modules": "the loaded modules",
    "settings": "a library's settings",
}


class _Version(NamedTuple):
    """What a name stands for at some place in the notebook.

    Attributes:
        definers: the cells that may have bound it, in document order; only the first did so surely.
        since: how many of the cells that may bind any name stand above; those below may have bound it, too.
    """

    definers: tuple[str, ...]
    value: Value
    since: int


@dataclass(kw_only=True, slots=True)
class _Seen:
    """One cell after the walk through it, with what its author has declared."""

    cell: Cell
    walk: Walk
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    touched: dict[int, str] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)
    alone: tuple[tuple[str, Reason], ...] = ()


def connect(cells: Sequence[Cell]) -> Connections:
    """The cells of one notebook, in document order, connected."""
    wiring = _Wiring(cells)
    for cell in cells:
        wiring.add(cell)
    return wiring.connections()


class _Wiring:
    """The notebook down to some cell."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.heap = Heap()
        self.versions: dict[str, _Version] = {}
        self.links: dict[str, Links] = {}
        self.tasks: dict[str, Cell] = {}
        self.dataflow: dict[Edge, None] = {}
        self.order: dict[Edge, None] = {}
        self.unresolved: list[Unresolved] = []
        self.unseen: list[tuple[str, str]] = []
        self._names = {cell.key: cell.name for cell in cells}
        self._place = {key: number for number, key in enumerate(self._names)}
        self._blind: list[str] = []  # cells that may bind any name
        self._rebinding: list[str] = []  # those of them that may bind anew what is bound above
        self._passed_on: set[tuple[str, str]] = (
            set()
        )  # pairs of cells, the lower one of which reads a name of the upper
        self._writer: dict[int, _Seen] = {}
        self._readers: dict[int, list[_Seen]] = {}
        self._files = FileOrder()
        self._texts: dict[str, str] = {}
        self._task_users: dict[str, list[_Seen]] = {}
        self._barrier: _Seen | None = None
        self._since_barrier: list[_Seen] = []

    def add(self, cell: Cell) -> None:
        """The next cell."""
        seen = self._looked_at(cell)
        self._find_inputs(seen)
        self._object_edges(seen)
        self._name_edges(seen)
        self._barrier_edges(seen)
        self._file_edges(seen)
        self._declared_edges(seen)
        self._land(seen)
        self.links[cell.key] = self._links(seen)
        if cell.is_task:
            self.tasks[cell.key] = cell

    def connections(self) -> Connections:
        """All of it, when the last cell has been added."""
        return Connections(
            cells=self.links,
            tasks=frozenset(self.tasks),
            dataflow=tuple(self.dataflow),
            order=tuple(self.order),
            late=tuple(self._late_edges()),
            unresolved=tuple(self.unresolved),
            unseen=tuple(self.unseen),
        )

    # --- one cell

    def _looked_at(self, cell: Cell) -> _Seen:
        walk = Walk(self.heap, cell.key, self._value_above)
        program = cell.facts.program
        walk.text_above, walk.own_names = self._texts.get, cell.facts.binds
        walk.own_texts = program.texts if program is not None else {}
        try:
            walk.through(program or Program())
        except (RecursionError, TooIntricateError):
            walk.note_unseen("too intricate to follow")
            self._take_the_worst(cell, walk)
        if program is None:
            for reason in cell.facts.opaque:
                walk.note_unseen(reason)
            for name in cell.facts.binds:
                walk.values[name] = frozenset({self.heap.at(("unread", cell.key, name), DEEP)})
        seen = _Seen(cell=cell, walk=walk)
        sure = frozenset(walk.sure)
        seen.binds = frozenset(walk.values)
        seen.may_bind = seen.binds - sure
        seen.deletes = frozenset(walk.gone) - sure
        seen.touched = dict(walk.touched)
        seen.written = set(walk.written)
        self._obey_declarations(seen)
        seen.alone = tuple(_reasons_to_be_alone(seen))
        self.unseen += [(cell.key, reason) for reason in walk.unseen]
        self.unseen += [(cell.key, f"from {module} import *") for module in walk.star]
        self.unseen += [(cell.key, f"{name}, of IPython's history") for name in sorted(walk.history)]
        return seen

    def _take_the_worst(self, cell: Cell, walk: Walk) -> None:
        """Of a walk that was given up: it may have changed all there is and tied it together."""
        reached = frozenset(self.heap.closure(NOTHING.union(*(v.value for v in self.versions.values()))))
        anything = self.heap.at(("anything", cell.key), DEEP)
        self.heap.put((anything,), reached)
        self.heap.put([n for n in reached if self._is_changeable(n)], frozenset({anything}))
        walk.frame = None
        walk.write(reached)
        for name in cell.facts.binds:
            walk.values[name] = frozenset({anything})
            if name not in cell.facts.may_bind:
                walk.sure.add(name)
        for name in sorted(cell.facts.reads | cell.facts.late):
            walk.reads.setdefault(name, cell.facts.lines.get(name, 1))
            walk.taken.setdefault(name, self._value_above(name) or NOTHING)

    def _definers(self, version: _Version) -> tuple[str, ...]:
        return (*version.definers, *self._rebinding[version.since :])

    def _value_above(self, name: str) -> Value | None:
        version = self.versions.get(name)
        return version.value if version is not None else None

    def _obey_declarations(self, seen: _Seen) -> None:
        """`--pure`, `--reads` and `--writes` win over what was found."""
        cell, walk = seen.cell, seen.walk
        if cell.reads is not None:
            walk.reads = {name: walk.reads.get(name, walk.lines.get(name, 1)) for name in sorted(cell.reads)}
            walk.builtins.clear()
            walk.history.clear()
            seen.touched = self._reached_by(cell.reads)
        if cell.writes is not None:
            changed = [name for name in sorted(cell.writes - seen.binds) if name in self.versions]
            reached = self._reached_by(changed)
            seen.touched.update(reached)
            seen.written = {number for number in reached if self._is_changeable(number)}
            for name in cell.writes - seen.binds - set(changed):
                walk.values[name] = frozenset({self.heap.at(("declared", cell.key, name), DEEP)})
                walk.sure.add(name)
            seen.binds = cell.writes - set(changed)
            seen.may_bind &= seen.binds
            seen.deletes &= cell.writes
        if cell.pure:
            seen.written = set()

    def _reached_by(self, names: Iterable[str]) -> dict[int, str]:
        found: dict[int, str] = {}
        for name in sorted(names):
            version = self.versions.get(name)
            if version is not None:
                found.update(dict.fromkeys(self.heap.closure(version.value), name))
        return found

    def _is_changeable(self, number: int) -> bool:
        return self.heap.things[number].kind not in {BUILTIN, LIBRARY, FUNCTION}

    # --- where its names come from

    def _find_inputs(self, seen: _Seen) -> None:
        walk = seen.walk
        for name in (*walk.reads, *sorted(walk.builtins & self.versions.keys()), *sorted(walk.history)):
            version = self.versions.get(name)
            if version is not None:
                seen.inputs[name] = self._definers(version)
            elif self._blind and name not in walk.history:
                seen.inputs[name] = (self._blind[-1],)
            elif name in walk.reads:
                seen.inputs[name] = ()
                self._note_unresolved(seen, name)

    def _note_unresolved(self, seen: _Seen, name: str) -> None:
        cell = seen.cell
        below = next((other.key for other in self._below(cell) if name in other.facts.binds), None)
        nearest = next(iter(get_close_matches(name, self.versions, n=1)), None)
        text = f"Cell {cell.name!r} reads {name}, which no cell above binds."
        if below is not None:
            text += f" Cell {self._names[below]!r}, below, does: move it up."
        elif nearest is not None:
            text += f" Did you mean {nearest}?"
        line = seen.walk.reads[name]
        self.unresolved.append(Unresolved(key=cell.key, name=name, line=line, nearest=nearest, below=below, text=text))

    def _below(self, cell: Cell) -> Iterable[Cell]:
        return islice(self.cells, self._place[cell.key] + 1, None)

    # --- edges

    def _edge(self, upstream: str, seen: _Seen, name: str, kind: Reason, text: str, *, is_flow: bool = False) -> None:
        key = seen.cell.key
        if upstream == key:
            return
        edge = Edge(upstream_key=upstream, downstream_key=key, name=name, kind=kind, text=text)
        if is_flow:
            self.dataflow[edge] = None
        if upstream in self.tasks or seen.cell.is_task:  # ordinary cells keep their order by themselves
            self.order[edge] = None

    def _object_edges(self, seen: _Seen) -> None:
        """Edges that keep the order of changes to an object."""
        here = repr(seen.cell.name)
        for number in (*seen.touched, *(seen.written - seen.touched.keys())):
            if self.heap.things[number].kind == BUILTIN:
                continue
            name = seen.touched.get(number, "")
            writes = number in seen.written
            writer = self._writer.get(number)
            # Of what the other made and nobody has changed since, the data edges tell already.
            if writer is not None and self.heap.things[number].maker != writer.cell.key:
                there = repr(writer.cell.name)
                shown = name or writer.touched.get(number, "") or "an object"
                verb = "may change" if writes else "uses"
                text = f"{here} {verb} {shown}, which {there} may change before"
                self._edge(writer.cell.key, seen, name, Reason.MUTATION, text, is_flow=True)
            if writes:
                for reader in self._readers.pop(number, ()):
                    shown = name or reader.touched.get(number, "") or "an object"
                    text = f"{here} may change {shown}, which {reader.cell.name!r} uses before"
                    self._edge(reader.cell.key, seen, name, Reason.MUTATION, text)
                self._writer[number] = seen
            else:
                self._readers.setdefault(number, []).append(seen)

    def _name_edges(self, seen: _Seen) -> None:
        here, via = repr(seen.cell.name), seen.walk.via
        for name, definers in seen.inputs.items():
            for definer in self._direct(definers, seen):
                kind = Reason.LATE if name in via else Reason.DATA
                if len(definers) > 1 or name in self._may_outputs(definer):
                    kind = Reason.MAY
                how = f" in {via[name]}()" if name in via else ""
                does = "may bind" if kind is Reason.MAY or definer in self._blind else "binds"
                text = f"{here} reads {name}{how}, which {self._names[definer]!r} {does}"
                self._edge(definer, seen, name, kind, text, is_flow=True)
                self._passed_on.add((definer, seen.cell.key))
        if seen.cell.is_task:
            for name in seen.inputs.keys() | seen.binds | seen.deletes:
                self._task_users.setdefault(name, []).append(seen)
            return
        for name in sorted(seen.binds | seen.deletes):
            for user in self._task_users.pop(name, ()):
                does = "binds" if name in user.binds else "reads"
                text = f"{here} binds {name} anew, which {user.cell.name!r} {does} before"
                self._edge(user.cell.key, seen, name, Reason.REBINDING, text)

    def _direct(self, definers: tuple[str, ...], seen: _Seen) -> Iterable[str]:
        """Those of the cells that may have bound a name that are not waited for by way of the next of them.

        Where each of a thousand cells may bind any name, there is one edge between neighbours in place of half a million.
        """
        tasks = self.tasks
        for number, key in enumerate(definers):
            below = definers[number + 1] if 0 < number < len(definers) - 1 else None
            is_kept_by_way = below in tasks or not (seen.cell.is_task or key in tasks)
            if below is None or not is_kept_by_way or (key, below) not in self._passed_on:
                yield key

    def _may_outputs(self, key: str) -> frozenset[str]:
        return self.links[key].may_outputs if key in self.links else frozenset()

    def _barrier_edges(self, seen: _Seen) -> None:
        here = repr(seen.cell.name)
        if seen.alone:
            why, kind = seen.alone[0]
            for user in self._since_barrier:
                self._edge(user.cell.key, seen, "", kind, f"{here} runs alone ({why}), after {user.cell.name!r}")
        if self._barrier is not None:
            why, kind = self._barrier.alone[0]
            there = self._barrier.cell
            self._edge(there.key, seen, "", kind, f"{there.name!r} runs alone ({why}), before {here}")
        if seen.alone:
            # An ordinary cell has run by the time that cells below it are looked at.
            self._barrier = seen if seen.cell.is_task else None
            self._since_barrier = []
        elif seen.cell.is_task:
            self._since_barrier.append(seen)

    def _file_edges(self, seen: _Seen) -> None:
        cell = seen.cell
        if cell.pure or cell.reads is not None or cell.writes is not None:
            return  # its author has said what it does
        uses = tuple(seen.walk.files)
        for meeting in self._files.add(cell.key, uses, is_task=cell.is_task):
            text = meeting.told(cell.name, self._names[meeting.key])
            self._edge(meeting.key, seen, meeting.path, Reason.HIDDEN, text, is_flow=meeting.is_need)

    def _declared_edges(self, seen: _Seen) -> None:
        for need in sorted(seen.cell.needs):
            key = next((key for key in reversed(self.tasks) if self.tasks[key].name == need), None)
            if key is not None:
                self._edge(key, seen, "", Reason.NEEDS, f"{seen.cell.name!r} was told to wait for {need!r}")
                continue
            below = next((other.key for other in self._below(seen.cell) if other.is_task and other.name == need), None)
            nearest = next(iter(get_close_matches(need, [task.name for task in self.tasks.values()], n=1)), None)
            text = f"Task {seen.cell.name!r} waits for {need!r}, which is no task above it."
            if below is not None:
                text += " It stands below: move it up."
            elif nearest is not None:
                text += f" Did you mean {nearest!r}?"
            self.unresolved.append(
                Unresolved(key=seen.cell.key, name=need, line=1, nearest=nearest, below=below, text=text)
            )

    def _late_edges(self) -> Iterable[Edge]:
        """From the last cell that binds a name to the functions that read it when they are called."""
        for cell in self.cells:
            for name in sorted(self.links[cell.key].late):
                version = self.versions.get(name)
                for definer in self._definers(version) if version is not None else ():
                    if definer != cell.key:
                        text = f"a function of {cell.name!r} reads {name}, which {self._names[definer]!r} binds"
                        yield Edge(
                            upstream_key=definer, downstream_key=cell.key, name=name, kind=Reason.LATE, text=text
                        )

    # --- what it leaves

    def _land(self, seen: _Seen) -> None:
        key = seen.cell.key
        is_blind = bool(seen.walk.unseen or seen.walk.star)
        is_rebinding = is_blind and bool(seen.walk.star or not all(map(_stops_there, seen.walk.unseen)))
        since = len(self._rebinding) + is_rebinding
        texts: dict[str, str] = {}
        for name in sorted(seen.binds | seen.deletes):
            value = seen.walk.values.get(name, NOTHING)
            self._texts.pop(name, None)
            text = seen.walk.text_of(name) if seen.cell.writes is None and name in seen.walk.own_texts else None
            if text is not None:
                texts[name] = text
            old = self.versions.get(name)
            is_sure = name in seen.walk.sure or (name in seen.deletes and name not in seen.binds)
            if is_sure or old is None:
                self.versions[name] = _Version((key,), value, since)
            else:
                self.versions[name] = _Version((*self._definers(old), key), old.value | value, since)
        if is_blind:
            self._blind.append(key)
            self._texts.clear()
        if is_rebinding:
            self._rebinding.append(key)
        self._texts.update(texts)

    def _mutated(self, seen: _Seen) -> list[str]:
        return [
            name
            for name, value in seen.walk.taken.items()
            if seen.written and not seen.written.isdisjoint(self.heap.closure(value))
        ]

    def _links(self, seen: _Seen) -> Links:
        walk, heap = seen.walk, self.heap
        reach = {name: self._shareable(value) for name, value in walk.taken.items()}
        shares: dict[str, frozenset[str]] = {}
        for name in sorted(seen.binds):
            own = self._shareable(walk.values.get(name, NOTHING))
            if found := frozenset(other for other, there in reach.items() if not own.isdisjoint(there)):
                shares[name] = found
        mutates = frozenset(
            name for name in self._mutated(seen) if any(heap.things[n].kind != BUILTIN for n in walk.taken[name])
        )
        return Links(
            key=seen.cell.key,
            inputs=seen.inputs,
            outputs=seen.binds,
            may_outputs=seen.may_bind,
            deletes=seen.deletes,
            mutates=mutates,
            late=seen.cell.facts.late,
            alone=tuple(why for why, _ in seen.alone),
            hidden_state=frozenset(walk.hidden),
            effects=tuple(walk.effects),
            files=frozenset(walk.files),
            uses_pyplot=walk.uses_pyplot,
            shares=shares,
        )

    def _shareable(self, value: Value) -> frozenset[int]:
        things = self.heap.things
        return frozenset(n for n in self.heap.closure(value) if things[n].kind not in {BUILTIN, LIBRARY, FUNCTION})


def _stops_there(reason: str) -> bool:
    """Whether what is not seen is a mistake that ends the cell, and binds nothing."""
    return reason == "syntax" or sure_slip(reason) is not None


def _reasons_to_be_alone(seen: _Seen) -> Iterable[tuple[str, Reason]]:
    walk, cell = seen.walk, seen.cell
    is_declared = cell.reads is not None and cell.writes is not None
    if not is_declared:
        for reason in walk.unseen:
            yield reason, Reason.BARRIER
        for module in walk.star:
            yield f"from {module} import *", Reason.BARRIER
        if cell.is_task:
            for name in sorted(walk.global_writes):
                yield f"a function binds {name} by global", Reason.BARRIER
            for name in sorted(walk.history):
                yield f"it reads {name} of IPython's history", Reason.BARRIER
    for kind in sorted(walk.hidden - {"async"}):  # on the event loop cells run side by side
        yield f"it uses {_HIDDEN_WORDS.get(kind, kind)}", Reason.HIDDEN
