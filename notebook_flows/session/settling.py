"""What a cell has defined, made the notebook's again: functions whose globals are the real namespace.

Functions are exchanged at the end of the run, so that whoever gets one gets the one that lands. Methods are exchanged
when all has landed, in place: until then they see the names of the run, which the notebook may not have yet.
"""

from __future__ import annotations

from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

from notebook_flows.session.namespace import Window
from notebook_flows.session.rebinding import copied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.namespace import TaskNames


class Settling:
    """Exchanges the functions that one run has defined for ones with the notebook's globals.

    Functions that are bound to names, what their closures hold, and methods of classes. Others, which a list or a
    registry holds, keep the run's names as their globals, which become a window on the notebook's.

    Args:
        names: of the run.
        home: the notebook's namespace.
    """

    def __init__(self, names: TaskNames, home: dict[str, Any]) -> None:
        self._names = names
        self._home = home
        self._copies: dict[int, Any] = {}
        self._held: list[Any] = []  # so that no id is used twice
        self._classes: dict[int, type] = {}

    def settled(self, bound: Mapping[str, Any]) -> dict[str, Any]:
        """The same names, with settled values; the names of the run become a window."""
        found = {name: self._settle(value) for name, value in bound.items()}
        self._names.open_window(found)
        return found

    def finish(self) -> None:
        """All has landed, or never will: nothing sees the names of the run any more."""
        while self._classes:
            _, cls = self._classes.popitem()
            self._methods(cls)
        if isinstance(self._names, Window):
            self._names.close()
        self._copies.clear()
        self._held.clear()

    def _settle(self, value: Any) -> Any:
        if type(value) is FunctionType:
            return self._function(value)
        if issubclass(type(value), type) and getattr(value, "__module__", None) == self._home.get(
            "__name__", "__main__"
        ):
            self._classes[id(value)] = value
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

    def _methods(self, cls: type) -> None:
        """Settle a class's methods, in place: its objects know it by its identity."""
        for name, value in tuple(vars(cls).items()):
            settled = self._method(value)
            if settled is not value:
                type.__setattr__(cls, name, settled)  # past what its metaclass makes of it

    def _method(self, value: Any) -> Any:
        kind = type(value)
        if kind in {staticmethod, classmethod}:
            inner = self._settle(value.__func__)
            return value if inner is value.__func__ else kind(inner)
        if kind is property:
            parts = [value.fget, value.fset, value.fdel]
            new = [self._settle(part) for part in parts]
            return value if new == parts else property(new[0], new[1], new[2], value.__doc__)
        return self._settle(value)
