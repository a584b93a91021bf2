"""Which values share objects: ``a`` and ``b`` may look the same whether they are one list or two.

Their fingerprints are the same. What a cell makes of them is not, where it changes one of them and looks at the other.
"""

from __future__ import annotations

from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.walk import SIZE

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
    met: dict[int, tuple[int, Any]] = {}  # what is in it stays alive, so that its id stays its own
    again: list[str] = []
    waiting = [values[name] for name in sorted(values, reverse=True)]
    steps = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, _FIXED):
            continue
        steps += 1
        if steps > MOST_OBJECTS:
            raise Unhashable(f"what shares what among more than {MOST_OBJECTS:,} objects")
        owner, place = _memory_of(value)
        number = met.get(id(owner))
        if number is not None:
            again.append(f"{steps} {number[0]} {place}")
            if owner is value:
                continue
        else:
            met[id(owner)] = steps, owner
        waiting.extend(reversed(list(_parts_of(value))))
    return blake2b("\n".join(again).encode(), digest_size=SIZE).hexdigest() if again else ""


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
        yield from value.values()
    elif isinstance(value, (list, tuple)):
        yield from value
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
    else:  # what is in a set can be hashed, so that it is hardly ever changed
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
