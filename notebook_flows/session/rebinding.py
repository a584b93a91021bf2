"""Functions of the notebook, made to see the names of one task.

By hand, a function sees whatever its global names mean when it runs. In a task they mean what the task sees. A function
of which one of these names means something else there is copied, with the task's names as its globals; all others stay
the objects that they are. What cannot be copied, as its identity counts, is an obstacle: then the cell runs alone, in
the real namespace.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections import Counter, deque
from types import CellType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.session.latenames import global_names, parts_of, writes_cell
from notebook_flows.session.namespace import TaskNames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

MOST_OBJECTS = 20_000
"""How many objects are looked at in the search for what holds a function."""
MOST_ELEMENTS = 1_000
_UNSEEN = (TaskNames, ModuleType, CodeType, FrameType, str, bytes, int, float, complex, bool, type(None))
_MISSING = object()


class Rebinding:
    """Which functions have to be copied for one run of a cell, and the copies.

    Args:
        names: those of the run; becomes the globals of the copies, which are put into it.
        home: the notebook's namespace.
        changing: names that the cell binds or deletes, or that others may bind in ``home`` meanwhile.
    Attributes:
        originals: id of a copy -> (the copy, what it is a copy of).
        obstacles: name -> why the value behind it cannot be re-bound.
    """

    def __init__(self, names: TaskNames, home: dict[str, Any], changing: Collection[str]) -> None:
        self._names = names
        self._home = home
        self._changing = set(changing)
        self._other = {name for name, value in names.items() if home.get(name, _MISSING) is not value}
        self._other.update(name for name in home if name not in names)
        self._copies: dict[int, FunctionType] = {}
        self._plain: dict[int, bool] = {}
        self.originals: dict[int, tuple[Any, Any]] = {}
        self.obstacles: dict[str, str] = {}

    def apply(self, needed: Iterable[str]) -> None:
        """Put copies in place of the functions that need it.

        Args:
            needed: the names that the cell reads; what only other names lead to is no obstacle.
        """
        functions = {name: value for name, value in self._names.items() if _is_plain(value)}
        is_growing = True
        while is_growing:  # a function that calls one that is copied is copied too
            self._plain.clear()
            found = [name for name in functions if name not in self._changing and self._is_late(functions[name])]
            self._changing.update(found)
            is_growing = bool(found)
        self._look_for_obstacles(self._reached(needed))
        for name, function in functions.items():
            if self._is_late(function):
                self._names[name] = self._copy(function)

    def original(self, value: Any) -> Any:
        """What a copy was made of; anything else as it is."""
        found = self.originals.get(id(value))
        return value if found is None else found[1]

    def put_back(self) -> None:
        """Wherever the cell has put a copy, the function itself stands from now on; as far as that can be."""
        pairs = tuple(self.originals.values())
        for name, value in tuple(self._names.items()):
            if id(value) in self.originals:
                self._names[name] = self.original(value)
        self._copies.clear()
        self.originals.clear()
        own = Counter(id(part) for copy, _ in pairs for part in _held_by(copy))
        for copy, function in pairs:
            # held by `pairs`, by the loop, by the call; more: by somebody else, and only then it is worth a search
            if sys.getrefcount(copy) > 3 + own[id(copy)]:
                for holder in gc.get_referrers(copy):
                    _exchange(holder, copy, function)

    # -- which -----------------------------------------------------------------------------------------------------------

    def _is_of_notebook(self, function: FunctionType) -> bool:
        found = function.__globals__
        return found is self._home or (isinstance(found, TaskNames) and found.home is self._home)

    def _other_names_of(self, function: FunctionType) -> frozenset[str]:
        """The names of a function that mean something else to the task than to the function, now or while it runs."""
        if not self._is_of_notebook(function):
            return frozenset()
        read = global_names(function.__code__)
        seen = function.__globals__
        if seen is self._home:
            return read & (self._changing | self._other)
        names = self._names
        return frozenset(
            name for name in read if name in self._changing or seen.get(name, _MISSING) is not names.get(name, _MISSING)
        )

    def _is_late(self, function: Any, above: tuple[int, ...] = ()) -> bool:
        """Whether a function, or one that it holds, sees other names than the task does."""
        known = self._plain.get(id(function))
        if known is None:
            if id(function) in above:
                return False
            inner = _functions_in(function)
            known = (type(function) is FunctionType and bool(self._other_names_of(function))) or any(
                self._is_late(one, (*above, id(function))) for one in inner
            )
            self._plain[id(function)] = known
        return known

    def _reached(self, needed: Iterable[str]) -> dict[str, Any]:
        """The values behind these names, and behind those that their functions read."""
        todo, found = deque(needed), dict[str, Any]()
        while todo:
            name = todo.popleft()
            if name in found or name not in self._names:
                continue
            found[name] = value = self._names[name]
            for function in _with_inner(value):
                if self._is_of_notebook(function):
                    todo.extend(global_names(function.__code__))
        return found

    # -- obstacles -------------------------------------------------------------------------------------------------------

    def _look_for_obstacles(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if _is_plain(value):
                self._check_cells(name, value)
                values_inside = [part for one in _with_inner(value) for part in parts_of(one) if not _is_plain(part)]
            else:
                values_inside = [value]
            for held in _functions_held_by(values_inside, self._home):
                other = self._other_names_of(held)
                if other:
                    told = ", ".join(map(repr, sorted(other)))
                    self.obstacles[name] = f"{name!r} leads to the function {held.__qualname__!r}, which reads {told}"
                    break

    def _check_cells(self, name: str, function: Any) -> None:
        """A closure whose functions are exchanged must not be one that is written to."""
        for one in _with_inner(function):
            for variable, cell in zip(one.__code__.co_freevars, one.__closure__ or (), strict=True):
                if self._is_exchanged(cell) and writes_cell(one, variable):
                    self.obstacles[name] = f"{name!r} is a function that binds {variable!r} of the function around it"

    def _is_exchanged(self, cell: CellType) -> bool:
        try:
            return _is_plain(cell.cell_contents) and self._is_late(cell.cell_contents)
        except ValueError:  # not bound
            return False

    # -- copies ----------------------------------------------------------------------------------------------------------

    def _copy(self, function: Any) -> Any:
        """A function as the task sees it; itself, if it need not be copied."""
        if not _is_plain(function) or not self._is_late(function):
            return function
        if id(function) in self._copies:
            return self._copies[id(function)]
        if type(function) is functools.partial:
            made: Any = functools.partial(self._copy(function.func), *function.args, **function.keywords)
        else:
            made = self._copied_function(function)
        self._copies[id(function)] = made
        self.originals[id(made)] = (made, function)
        return made

    def _copied_function(self, function: FunctionType) -> FunctionType:
        own = self._names if self._is_of_notebook(function) else function.__globals__
        closure = tuple(CellType() if self._is_exchanged(cell) else cell for cell in function.__closure__ or ())
        made = copied(function, own, closure)
        self._copies[id(function)] = made  # before what it holds, which may be itself
        for old, new in zip(function.__closure__ or (), closure, strict=True):
            if old is not new:
                new.cell_contents = self._copy(old.cell_contents)
        if function.__defaults__ is not None:
            made.__defaults__ = tuple(self._copy(one) for one in function.__defaults__)
        if function.__kwdefaults__ is not None:
            made.__kwdefaults__ = {name: self._copy(one) for name, one in function.__kwdefaults__.items()}
        made.__dict__.update({name: self._copy(one) for name, one in vars(function).items()})
        return made


def _held_by(copy: Any) -> Iterator[Any]:
    """What a copy holds, each reference once."""
    if type(copy) is functools.partial:
        yield copy.func
        return
    yield from parts_of(copy)


def _exchange(holder: Any, copy: Any, function: Any) -> None:
    """Put the function where the copy is."""
    kind = type(holder)
    if kind in {list, deque}:
        for place, one in enumerate(tuple(holder)):
            if one is copy:
                holder[place] = function
    elif kind is set:
        holder.discard(copy)
        holder.add(function)
    elif kind is CellType:
        holder.cell_contents = function
    elif kind is not TaskNames:
        attributes = holder if kind is dict else getattr(holder, "__dict__", None)
        if type(attributes) is dict:
            for name, one in tuple(attributes.items()):
                if one is copy:
                    attributes[name] = function


def copied(function: FunctionType, names: dict[str, Any], closure: tuple[CellType, ...]) -> FunctionType:
    """The same function with other globals and another closure; without its attributes."""
    made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, closure or None)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__doc__ = function.__doc__
    made.__annotations__ = function.__annotations__
    if hasattr(function, "__type_params__"):  # since Python 3.12
        setattr(made, "__type_params__", function.__type_params__)  # noqa: B010 - mypy reads the oldest Python's stubs
    return made


def _is_plain(value: Any) -> bool:
    """Whether a copy does as well as the thing itself."""
    return type(value) is FunctionType or (type(value) is functools.partial and _is_plain(value.func))


def _functions_in(value: Any) -> list[Any]:
    """The plain functions that a plain function holds, one step inwards."""
    if type(value) is functools.partial:
        return [value.func] if _is_plain(value.func) else []
    return [part for part in parts_of(value) if _is_plain(part)] if type(value) is FunctionType else []


def _with_inner(value: Any) -> list[FunctionType]:
    """All plain functions in a value: itself, and those that it holds."""
    found: dict[int, Any] = {}
    todo = [value] if _is_plain(value) else []
    while todo:
        one = todo.pop()
        if id(one) not in found:
            found[id(one)] = one
            todo.extend(_functions_in(one))
    return [one for one in found.values() if type(one) is FunctionType]


def _functions_held_by(values: Iterable[Any], home: dict[str, Any]) -> Iterable[FunctionType]:
    """The functions that these objects lead to: their methods, what lists hold, what wrappers wrap."""
    seen: set[int] = {id(home)}
    todo = deque(values)
    count = 0
    while todo and count < MOST_OBJECTS:
        one = todo.popleft()
        if id(one) in seen or isinstance(one, _UNSEEN) or _is_of_library(one):
            continue
        seen.add(id(one))
        count += 1
        if type(one) is FunctionType:
            yield one
            todo.extend(parts_of(one))
        elif type(one) is MethodType:
            todo.extend((one.__func__, one.__self__))
        elif type(one) in {list, tuple, set, frozenset, dict} and len(one) > MOST_ELEMENTS:
            several = list(one.values()) if type(one) is dict else list(one)
            todo.extend(several[:MOST_ELEMENTS])
        else:
            todo.extend(gc.get_referents(one))
            todo.append(type(one))


def _is_of_library(value: Any) -> bool:
    """Whether it is a class that no cell has defined; its methods have globals of their own."""
    return isinstance(value, type) and getattr(value, "__module__", None) != "__main__"
