"""A small interpreter of notebooks whose task cells run in any order that the edges allow.

Names are private to a running task, objects are not: a task gets the names that it reads and nothing else, and what it
binds lands as the version of its place in the document. Ordinary cells run where they stand, in the real namespace,
after the tasks that they need.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import Cell, Connections, analyse, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_GONE = object()


def cells_of(notebook: Sequence[tuple[str, bool]]) -> list[Cell]:
    """Cells from (source, is a task)."""
    return [
        Cell(key=f"k{number}", facts=analyse(source), is_task=is_task, name=f"c{number}")
        for number, (source, is_task) in enumerate(notebook)
    ]


def in_document_order(notebook: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    """What the names stand for after all cells have run from the top."""
    names: dict[str, Any] = {}
    for source, _ in notebook:
        exec(source, names)
    return names


class AnyOrder:
    """One run; ``choose`` says which of the tasks that could run next does."""

    def __init__(self, notebook: Sequence[tuple[str, bool]], choose: Callable[[list[int]], int]) -> None:
        self.notebook = notebook
        self.choose = choose
        self.links: Connections = connect(cells_of(notebook))
        self.names: dict[str, Any] = {}  # the one dictionary that is the globals of all functions
        self.versions: dict[tuple[int, str], Any] = {}
        self.landed: dict[str, int] = {}
        self.pending: list[int] = []
        self.order: list[int] = []

    def run(self) -> dict[str, Any]:
        """What the names stand for at the end."""
        for number, (_, is_task) in enumerate(self.notebook):
            if is_task:
                self.pending.append(number)
                continue
            needed = self.links.needed_before(f"k{number}", [f"k{other}" for other in self.pending])
            self._run_tasks({int(key[1:]) for key in needed})
            while self.pending and self.choose([0, 1]):  # others may have run by now, too
                self._run_tasks({self.choose(self._ready())})
            self._run_in_place(number)
        self._run_tasks(set(self.pending))
        return self.names

    def _ready(self) -> list[int]:
        waiting = {edge.downstream_key for edge in self.links.task_edges if int(edge.upstream_key[1:]) in self.pending}
        return [number for number in self.pending if f"k{number}" not in waiting]

    def _run_tasks(self, wanted: set[int]) -> None:
        while wanted & set(self.pending):
            number = self.choose([number for number in self._ready() if number in wanted] or self._ready())
            self.pending.remove(number)
            self.order.append(number)
            if self.links.cells[f"k{number}"].alone:
                self._run_in_place(number)
            else:
                self._run_apart(number)

    def _run_in_place(self, number: int) -> None:
        before = dict(self.names)
        exec(self.notebook[number][0], self.names)
        for name in before.keys() | self.names.keys():
            value = self.names.get(name, _GONE)
            if value is not before.get(name, _GONE) or name in self._sure(number):
                self.versions[number, name] = value
                self.landed[name] = number

    def _sure(self, number: int) -> frozenset[str]:
        """Names that the cell surely binds: `a = a` makes a version, too."""
        links = self.links.cells[f"k{number}"]
        return links.outputs - links.may_outputs

    def _run_apart(self, number: int) -> None:
        given: dict[str, Any] = {}
        for name, definers in self.links.cells[f"k{number}"].inputs.items():
            for key in definers:
                value = self.versions.get((int(key[1:]), name))
                if (int(key[1:]), name) in self.versions:
                    given[name] = value
        real = dict(self.names)
        self.names.clear()
        self.names.update(given)
        exec(self.notebook[number][0], self.names)
        apart = dict(self.names)
        self.names.clear()
        self.names.update(real)
        for name in given.keys() | apart.keys():
            value = apart.get(name, _GONE)
            is_same = value is given.get(name, _GONE) and name not in self._sure(number)
            if name == "__builtins__" or is_same:
                continue
            self.versions[number, name] = value
            if self.landed.get(name, -1) < number:
                self.landed[name] = number
                self.names.pop(name, None)
                if value is not _GONE:
                    self.names[name] = value


def shape_of(names: dict[str, Any], *, with_functions: bool = True) -> list[Any]:
    """All values as nested tuples, with a number for each object: equal if and only if values and sharing are equal.

    Args:
        names: a namespace.
        with_functions: that two names hold the same function counts, too.
    """
    seen: dict[int, int] = {}
    inside: set[int] = set()

    def told(value: Any) -> Any:
        if isinstance(value, (int, float, str, bool, type(None))):
            return value
        if not with_functions and isinstance(value, FunctionType):
            return of_function(value)
        if id(value) in seen:
            return ("seen", seen[id(value)])
        seen[id(value)] = len(seen)
        if isinstance(value, (list, tuple)):
            return (type(value).__name__, *(told(item) for item in value))
        if isinstance(value, dict):
            return ("dict", *((key, told(item)) for key, item in value.items()))
        if isinstance(value, FunctionType):
            return of_function(value)
        if isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, (type, ModuleType)):
            return (type(value).__name__, told(vars(value)))
        return type(value).__name__

    def of_function(value: Any) -> Any:
        if id(value) in inside:
            return "itself"
        inside.add(id(value))
        cells = value.__closure__ or ()
        found = (value.__name__, *(told(cell.cell_contents) for cell in cells), told(value.__defaults__))
        inside.discard(id(value))
        return found

    return [(name, told(names[name])) for name in sorted(names) if name not in {"__builtins__", "__annotations__"}]
