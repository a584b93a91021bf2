"""Inputs that a cell has changed in another process: the change is made here too, to the very objects if that can be.

What is in an object travels, and is put into the object that is here, so that whoever else holds it sees the change:
lists, dicts, sets, arrays, and objects that pickle as Python's own way is. Anything else travels whole, and stands under
its name alone from then on.
"""

from __future__ import annotations

import copyreg
import sys
from collections import deque
from typing import Any

_CONTAINERS: dict[type, Any] = {list: list, dict: dict, set: set, deque: list, bytearray: bytes}
"""Kinds of containers -> as what their contents travel."""


class NotInPlace(Exception):  # noqa: N818 - a sign, not an error
    """An object of this kind has to travel whole."""


def contents_of(thing: Any) -> Any:
    """What is in an object.

    Raises:
        NotInPlace: there is no way to put it into another one.
    """
    kind = type(thing)
    as_kind = _CONTAINERS.get(kind)
    if as_kind is not None:
        return as_kind(thing)
    if _is_array(kind):
        return thing.copy()
    try:
        reduced = thing.__reduce_ex__(5)
    except Exception as error:  # it cannot be pickled: whoever packs it whole says so
        raise NotInPlace from error
    is_usual = isinstance(reduced, tuple) and reduced[0] in {copyreg.__newobj__, copyreg.__newobj_ex__}  # type: ignore[attr-defined] # not in its stubs
    if not is_usual or any(part is not None for part in reduced[3:]):
        raise NotInPlace
    return reduced[2] if len(reduced) > 2 else None


def put_into(thing: Any, contents: Any) -> bool:
    """Put what is in a copy into the object itself; False if that cannot be done."""
    kind = type(thing)
    if kind in {list, deque, bytearray}:
        thing.clear()
        thing.extend(contents)
    elif kind in {dict, set}:
        thing.clear()
        thing.update(contents)
    elif _is_array(kind):
        return _put_into_array(thing, contents)
    else:
        _put_into_object(thing, contents)
    return True


def _is_array(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and kind is numpy.ndarray


def _put_into_array(array: Any, contents: Any) -> bool:
    if array.shape != contents.shape or array.dtype != contents.dtype or not array.flags.writeable:
        return False
    array[...] = contents
    return True


def _put_into_object(thing: Any, state: Any) -> None:
    """As unpickling does with a new object; what it had before is gone."""
    attributes = getattr(thing, "__dict__", None)
    if attributes is not None:
        attributes.clear()
    if hasattr(thing, "__setstate__"):
        thing.__setstate__(state)
        return
    own, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if own and attributes is not None:
        attributes.update(own)
    for name, value in (slots or {}).items():
        setattr(thing, name, value)
