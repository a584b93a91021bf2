"""Which values share objects: ``a`` and ``b`` may look the same whether they are one list or two.

Their fingerprints are the same. What a cell makes of them is not, where it changes one of them and looks at the other.
"""

from __future__ import annotations

from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.walk import SIZE, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_OBJECTS = 2_000_000
"""Beyond it, nobody waits for the answer."""
_FIXED = (int, float, complex, bool, str, bytes, type(None), type, ModuleType, BuiltinFunctionType, range)


def sharing_print(values: Mapping[str, Any]) -> str:
    """Which of the objects in some values are met again, and where; empty: none is.

    >>> one = [1]
    >>> sharing_print({"a": one, "b": [1]}), sharing_print({"a": one, "b": one}) != ""
    ('', True)

    Raises:
        Unhashable: there are too many objects to tell.
    """
    sharing = _Sharing()
    sharing.walk([values[name] for name in sorted(values)])
    return blake2b("\n".join(sharing.again).encode(), digest_size=SIZE).hexdigest() if sharing.again else ""


class _Sharing:
    """Which objects were met, and which again."""

    def __init__(self) -> None:
        self.again: list[str] = []
        self._met: dict[int, tuple[int, Any]] = {}  # what is in it stays alive, so that its id stays its own
        self._sets: list[tuple[int, Any]] = []
        self._steps = 0

    def walk(self, values: list[Any]) -> None:
        """Look at values in their order; then at the members of sets, which have none."""
        self._walk(values)
        while self._sets:
            sets, self._sets = self._sets, []
            objects = [[one for one in members if not _is_plain(one)] for _, members in sets]
            among: dict[int, list[int]] = {}  # members that look the same are told apart by the sets that they are in
            for number, found in enumerate(objects):
                for one in found:
                    among.setdefault(id(one), []).append(number)
            for (number, _), found in zip(sets, objects, strict=True):
                known = sorted(self._met[id(one)][0] for one in found if id(one) in self._met)
                if known:
                    self.again.append(f"set {number} {known}")
                new = [one for one in found if id(one) not in self._met]
                self._walk(sorted(new, key=lambda one: (_order(one), among[id(one)])))

    def _walk(self, values: list[Any]) -> None:
        waiting = values[::-1]
        while waiting:
            value = waiting.pop()
            if isinstance(value, _FIXED):
                continue
            self._steps += 1
            if self._steps > MOST_OBJECTS:
                raise Unhashable(f"what shares what among more than {MOST_OBJECTS:,} objects")
            if self._is_new(value):
                waiting.extend(reversed(list(_parts_of(value))))

    def _is_new(self, value: Any) -> bool:
        owner, place = _memory_of(value)
        number = self._met.get(id(owner))
        if number is not None:
            self.again.append(f"{self._steps} {number[0]} {place}")
            return owner is not value
        self._met[id(owner)] = self._steps, owner
        if isinstance(value, (set, frozenset)):
            self._sets.append((self._steps, value))
        return True


def _is_plain(value: Any) -> bool:
    """Whether nobody can change a member of a set, nor what is in it."""
    return isinstance(value, _FIXED) or (isinstance(value, (tuple, frozenset)) and all(map(_is_plain, value)))


def _order(value: Any) -> str:
    """The same in every process; members that look the same may change places."""
    walk = Walk()
    try:
        walk.value(value)
    except (Unhashable, RecursionError):
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return walk.digest()


def _memory_of(value: Any) -> tuple[Any, str]:
    """What holds the memory of a value; and where in it: of arrays, which may be views of one another."""
    owner = value
    if _is_array(value):
        while _is_array(owner.base):
            owner = owner.base
        start = value.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return owner, f"{start} {value.shape} {value.strides}"
    return owner, ""


def _is_array(value: Any) -> bool:
    return any(kind.__module__ == "numpy" and kind.__name__ == "ndarray" for kind in type(value).__mro__)


def _parts_of(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, (set, frozenset)):
        return  # they have no order
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, FunctionType):
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not bound yet
                continue
    elif _is_array(value):
        if value.dtype.hasobject:
            yield from value.ravel().tolist()
        return
    else:
        yield from getattr(
            getattr(value, "_mgr", None), "arrays", ()
        )  # a table of pandas, and a column that is a view of it
    yield from _attributes_of(value)


def _attributes_of(value: Any) -> Iterator[Any]:
    if type(value).__module__.partition(".")[0] == "pandas":
        return  # told by their arrays
    yield from getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in {"__dict__", "__weakref__"} and hasattr(value, slot):
                yield getattr(value, slot)
