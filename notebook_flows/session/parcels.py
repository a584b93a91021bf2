"""Values by name as bytes, from one process to another: functions and classes of the notebook by value.

A function arrives with the names of the place where it arrives as its globals: those of the task in a worker process,
those of the notebook on the way back. What several names share is one object there, too.
"""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import cloudpickle

from notebook_flows.session.instrumented import as_written
from notebook_flows.session.latenames import global_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PROTOCOL = 5


class Place(NamedTuple):
    """Where a parcel arrives.

    Attributes:
        names: the globals of the functions in it.
        known: values that are there already, by name: they travel as their names.
    """

    names: dict[str, Any]
    known: Mapping[str, Any]


_PLACE: ContextVar[Place] = ContextVar("notebook_flows_place")


class Parcel(NamedTuple):
    """Values on their way.

    Attributes:
        names: n names.
        data: n pickles, one after the other, of one pickler.
    """

    names: tuple[str, ...]
    data: bytes

    def opened(self, place: Place) -> dict[str, Any]:
        """The values.

        Raises:
            UnreadableValue: one of them cannot be read here.
        """
        token = _PLACE.set(place)
        try:
            reader = _Unpickler(BytesIO(self.data))
            found = {}
            for name in self.names:
                try:
                    found[name] = reader.load()
                except Exception as error:  # unpickling runs the user's code, and imports what may not be there
                    raise UnreadableValue(name, error) from error
            return found
        finally:
            _PLACE.reset(token)


class UnreadableValue(Exception):  # noqa: N818 - made into an error of ours by who knows the task
    """A value of a parcel cannot be read.

    Attributes:
        name: of the value.
        error: what reading it raised.
    """

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name, error)
        self.name = name
        self.error = error


class UnsendableValue(Exception):  # noqa: N818 - as above
    """A value cannot be put into a parcel.

    Attributes:
        name: of the value.
        value: itself.
        error: what pickling it raised.
    """

    def __init__(self, name: str, value: Any, error: Exception) -> None:
        super().__init__(name, error)
        self.name = name
        self.value = value
        self.error = error


class Packing:
    """Makes a parcel of values.

    Args:
        is_ours: whether these globals are the notebook's, or its task's.
        known: values that are at the other end already, by name.
        known_classes: classes that are at the other end already.
        named_classes: classes that the other end has under these names of its notebook, by id.
    Attributes:
        read: names that the functions in it read when they run.
        named: those of the named classes that it holds.
    """

    def __init__(
        self,
        is_ours: Callable[[dict[str, Any]], bool],
        *,
        known: Mapping[str, Any] | None = None,
        known_classes: Iterable[type] = (),
        named_classes: Mapping[int, str] | None = None,
    ) -> None:
        self.is_ours = is_ours
        self.named_classes = named_classes or {}
        self.named: set[str] = set()
        self.read: set[str] = set()
        self.number_of = {id(one): number for one in known_classes if (number := _class_number(one)) is not None}
        self._known = {} if known is None else known  # held, so that no id is used twice
        names = {id(value): name for name, value in self._known.items() if type(value) not in _ATOMS}
        self._file = BytesIO()
        self._pickler = _ReferringPickler(self._file, self, names) if names else _Pickler(self._file, self)
        self._packed: list[str] = []
        self._memo: frozenset[int] | None = None
        self._memo_at = 0

    def add(self, name: str, value: Any) -> None:
        """Put one value in.

        Raises:
            UnsendableValue: it cannot be sent; then this packing is spoilt, and another has to be begun without it.
        """
        try:
            self._pickler.dump(value)
        except Exception as error:  # pickling runs the user's code
            raise UnsendableValue(name, value, error) from error
        self._packed.append(name)

    def holds(self, value: Any) -> bool:
        """Whether this very object is in it already, on its own or in another one."""
        if self._memo is None or self._memo_at != self._file.tell():
            self._memo, self._memo_at = frozenset(self._pickler.memo.copy()), self._file.tell()
        return type(value) not in _ATOMS and id(value) in self._memo

    def parcel(self) -> Parcel:
        """What has been put in."""
        return Parcel(tuple(self._packed), self._file.getvalue())


_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
    def __init__(self, file: BytesIO, packing: Packing) -> None:
        super().__init__(file, PROTOCOL)
        self._packing = packing

    def reducer_override(self, thing: Any) -> Any:
        packing, kind = self._packing, type(thing)
        if kind is FunctionType and packing.is_ours(thing.__globals__):
            written = as_written(thing)
            packing.read |= global_names(written.__code__)
            return _reduced_function(thing, written)
        if kind is CellType:
            return _reduced_cell(thing)
        if packing.number_of and isinstance(thing, type) and id(thing) in packing.number_of:
            return _known_class, (packing.number_of[id(thing)],)
        if packing.named_classes and isinstance(thing, type) and id(thing) in packing.named_classes:
            packing.named.add(packing.named_classes[id(thing)])
            return _named_class, (packing.named_classes[id(thing)],)
        return super().reducer_override(thing)


class _ReferringPickler(_Pickler):
    """Sends names in place of what is at the other end already; asked for each object, so it is slower."""

    def __init__(self, file: BytesIO, packing: Packing, names: dict[int, str]) -> None:
        super().__init__(file, packing)
        self._names = names

    def persistent_id(self, thing: Any) -> str | None:
        return self._names.get(id(thing))


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: str) -> Any:
        return _PLACE.get().known[name]


def _reduced_function(function: FunctionType, written: FunctionType) -> Any:
    state = {
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__qualname__": function.__qualname__,
        "__module__": function.__module__,
        "__doc__": function.__doc__,
        "__annotations__": function.__annotations__,
        "__dict__": vars(function),
    }
    if hasattr(function, "__type_params__"):  # since Python 3.12
        state["__type_params__"] = function.__type_params__
    made = (written.__code__, function.__name__, written.__closure__)
    return _new_function, made, state, None, None, _set_attributes


def _reduced_cell(cell: CellType) -> Any:
    try:
        held = (cell.cell_contents,)
    except ValueError:  # not bound
        return CellOf, ()
    return CellOf, (), held, None, None, _fill_cell


def CellOf() -> CellType:  # noqa: N802 - pickles name it
    """An empty cell of a closure."""
    return CellType()


def _fill_cell(cell: CellType, held: tuple[Any]) -> None:
    cell.cell_contents = held[0]


def _new_function(code: CodeType, name: str, closure: tuple[CellType, ...] | None) -> FunctionType:
    return FunctionType(code, _PLACE.get().names, name, None, closure)


def _set_attributes(function: FunctionType, state: dict[str, Any]) -> None:
    for name, value in state.items():
        if name == "__dict__":
            function.__dict__.update(value)
        else:
            setattr(function, name, value)


# -- classes: cloudpickle numbers those that it sends by value, so that each arrives once ------------------------------------


def _class_number(cls: type) -> str | None:
    numbers = getattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", {})
    found: str | None = numbers.get(cls)
    return found


def sent_classes() -> tuple[type, ...]:
    """The classes that have come here, or gone from here, by value."""
    return tuple(getattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", ()))


def _known_class(number: str) -> Any:
    return cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[number]


def _named_class(name: str) -> Any:
    place = _PLACE.get()
    found = place.known.get(name, place.names.get(name))
    if not isinstance(found, type):
        raise LookupError(f"the notebook has no class {name!r} now")  # noqa: TRY004 - nobody has given a wrong type
    return found


@contextmanager
def arriving(place: Place) -> Iterator[None]:
    """Inside, what is unpickled arrives here; for pickles that are no parcels, such as exceptions."""
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)
