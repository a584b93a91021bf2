"""What a cell has defined, made the notebook's again: functions whose globals are the real namespace."""

from __future__ import annotations

from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

from notebook_flows.session.rebinding import copied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.session.namespace import TaskNames


class Settling:
    """Exchanges the functions that one run has defined for ones with the notebook's globals.

    Functions that are bound to names, methods of classes, what closures hold. Others, which a list or a registry holds,
    keep the run's names as their globals, which become a window on the notebook's.

    Args:
        names: of the run.
        home: the notebook's namespace.
        original: gives for a copy that was made for the run what it is a copy of.
    """

    def __init__(self, names: TaskNames, home: dict[str, Any], original: Callable[[Any], Any]) -> None:
        self._original = original
        self._names = names
        self._home = home
        self._copies: dict[int, Any] = {}
        self._held: list[Any] = []  # so that no id is used twice
        self._classes: set[int] = set()

    def settled(self, bound: Mapping[str, Any]) -> dict[str, Any]:
        """The same names, with settled values."""
        return {name: self._settle(value) for name, value in bound.items()}

    def _settle(self, value: Any) -> Any:
        value = self._original(value)
        kind = type(value)
        if kind is FunctionType:
            return self._function(value)
        if kind in {staticmethod, classmethod}:
            inner = self._settle(value.__func__)
            return value if inner is value.__func__ else kind(inner)
        if kind is property:
            parts = [value.fget, value.fset, value.fdel]
            new = [self._settle(part) for part in parts]
            return value if new == parts else property(new[0], new[1], new[2], value.__doc__)
        if issubclass(kind, type):
            self._class(value)
        return value

    def _function(self, function: FunctionType) -> FunctionType:
        found: FunctionType | None = self._copies.get(id(function))
        if found is not None:
            return found
        if function.__globals__ is not self._names:
            self._copies[id(function)] = function
            self._held.append(function)
            self._closure(function)
            return function
        made = copied(function, self._home, function.__closure__ or ())
        made.__dict__ = function.__dict__  # one for both: attributes that it counts in, for example
        self._copies[id(function)] = self._copies[id(made)] = made
        self._held.extend((function, made))
        self._closure(made)
        return made

    def _closure(self, function: FunctionType) -> None:
        """Settle what a closure holds, in place: all functions that share it see the same."""
        for cell in function.__closure__ or ():
            self._cell(cell)

    def _cell(self, cell: CellType) -> None:
        try:
            held = cell.cell_contents
        except ValueError:  # not bound
            return
        settled = self._settle(held)
        if settled is not held:
            cell.cell_contents = settled

    def _class(self, cls: type) -> None:
        """Settle a class's methods, in place: its objects know it by its identity."""
        if cls.__module__ != self._home.get("__name__", "__main__") or id(cls) in self._classes:
            return
        self._classes.add(id(cls))
        for name, value in tuple(vars(cls).items()):
            settled = self._settle(value)
            if settled is not value:
                type.__setattr__(cls, name, settled)  # past what its metaclass makes of it
