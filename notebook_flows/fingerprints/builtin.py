"""How Python's own values are written into a fingerprint."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import re
import struct
import types
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

from notebook_flows.core.secret import Secret
from notebook_flows.fingerprints.errors import Unhashable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.fingerprints.walk import Walk

SHORT = 16
"""Shorter sequences are written element by element; longer ones of one plain type in one piece."""
_INT64 = 1 << 63


def _none(walk: Walk, value: None) -> None:
    walk.put("none")


def _singleton(walk: Walk, value: Any) -> None:
    walk.text("singleton", repr(value))


def _bool(walk: Walk, value: bool) -> None:
    walk.put("bool", b"1" if value else b"0")


def _int(walk: Walk, value: int) -> None:
    walk.put("int", b"%x" % value if value >= 0 else b"-%x" % -value)


def _float(walk: Walk, value: float) -> None:
    walk.put("float", struct.pack("<d", value))


def _complex(walk: Walk, value: complex) -> None:
    walk.put("complex", struct.pack("<dd", value.real, value.imag))


def _str(walk: Walk, value: str) -> None:
    walk.put("str", value.encode("utf-8", "surrogatepass"))


def _bytes(walk: Walk, value: bytes) -> None:
    walk.put("bytes", value)


def _bytearray(walk: Walk, value: bytearray) -> None:
    walk.put("bytearray", bytes(value))


def _memoryview(walk: Walk, value: memoryview) -> None:
    walk.text("memoryview", value.format, repr(value.shape))
    walk.put("content", value.tobytes())


def _array(walk: Walk, value: array.array[Any]) -> None:
    walk.text("array", value.typecode)
    walk.put("content", value.tobytes())


def _list(walk: Walk, value: list[Any]) -> None:
    _elements(walk, "list", value, value)


def _tuple(walk: Walk, value: tuple[Any, ...]) -> None:
    _elements(walk, "tuple", value, value)


def _deque(walk: Walk, value: collections.deque[Any]) -> None:
    walk.text("deque", repr(value.maxlen))
    _elements(walk, "elements", value, list(value))


def _elements(walk: Walk, tag: str, owner: Any, values: Sequence[Any]) -> None:
    if len(values) >= SHORT and one_piece(walk, tag, values):
        return
    if not walk.enter(owner):
        return
    walk.put(tag, b"%d" % len(values))
    for number, one in enumerate(values):
        walk.inside(f"element {number}", one)
    walk.leave(owner)


def one_piece(walk: Walk, tag: str, values: Sequence[Any]) -> bool:
    """Write many values of plain types in one piece; False: they are of other types, and nothing is written.

    A column of text with gaps is what this is for, as well as a long list of numbers.
    """
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return False
    walk.text(f"{tag} of many", str(len(values)), *sorted(kind.__name__ for kind in kinds))
    if len(kinds) > 1:
        walk.put("kinds", bytes(map(_PLAIN_NUMBER.__getitem__, map(type, values))))
    for kind in sorted(kinds, key=lambda one: one.__name__):
        own: Any = values if len(kinds) == 1 else [one for one in values if type(one) is kind]
        if kind is float:
            walk.put("floats", struct.pack(f"<{len(own)}d", *own))
        elif kind is str:
            _texts(walk, own)
        elif kind is bool:
            walk.put("bools", bytes(own))
        elif kind is int:
            _integers(walk, own)
    return True


_PLAIN = frozenset({str, float, int, bool, type(None)})
_PLAIN_NUMBER = {str: 0, float: 1, int: 2, bool: 3, type(None): 4}


def _texts(walk: Walk, values: Sequence[str]) -> None:
    walk.put("lengths", struct.pack(f"<{len(values)}q", *map(len, values)))
    walk.put("texts", "".join(values).encode("utf-8", "surrogatepass"))


def _integers(walk: Walk, values: Sequence[int]) -> None:
    try:
        walk.put("integers", struct.pack(f"<{len(values)}q", *values))
    except struct.error:  # some do not fit into 64 bits
        walk.text("large integers", ",".join(f"{one:x}" for one in values))


def _dict(walk: Walk, value: dict[Any, Any]) -> None:
    _items(walk, "dict", value)


def _ordered(walk: Walk, value: collections.OrderedDict[Any, Any]) -> None:
    _items(walk, "OrderedDict", value)


def _counter(walk: Walk, value: collections.Counter[Any]) -> None:
    _items(walk, "Counter", value)


def _defaultdict(walk: Walk, value: collections.defaultdict[Any, Any]) -> None:
    walk.put("defaultdict")
    walk.inside("the default factory", value.default_factory)
    _items(walk, "items", value)


def _proxy(walk: Walk, value: types.MappingProxyType[Any, Any]) -> None:
    _items(walk, "mappingproxy", value)


def _items(walk: Walk, tag: str, value: Any) -> None:
    if not walk.enter(value):
        return
    walk.put(tag, b"%d" % len(value))
    for key, one in value.items():
        walk.inside(f"key {_short(key)}", key)
        walk.inside(f"[{_short(key)}]", one)
    walk.leave(value)


def _set(walk: Walk, value: set[Any] | frozenset[Any]) -> None:
    parts: list[bytes] = []
    for one in value:
        apart = walk.apart()
        apart.inside("an element of a set", one)
        parts.append(apart.hashing.digest())
    walk.put(type(value).__name__, *sorted(parts))


def _range(walk: Walk, value: range) -> None:
    walk.text("range", str(value.start), str(value.stop), str(value.step))


def _slice(walk: Walk, value: slice) -> None:
    walk.put("slice")
    for one in (value.start, value.stop, value.step):
        walk.value(one)


def _path(walk: Walk, value: pathlib.PurePath) -> None:
    walk.text("path", str(value))


def _date(walk: Walk, value: dt.date) -> None:
    walk.text("date", value.isoformat())


def _datetime(walk: Walk, value: dt.datetime) -> None:
    walk.text("datetime", value.replace(tzinfo=None).isoformat(), str(value.fold))
    walk.inside("the time zone", value.tzinfo)


def _time(walk: Walk, value: dt.time) -> None:
    walk.text("time", value.replace(tzinfo=None).isoformat(), str(value.fold))
    walk.inside("the time zone", value.tzinfo)


def _timedelta(walk: Walk, value: dt.timedelta) -> None:
    walk.text("timedelta", str(value.days), str(value.seconds), str(value.microseconds))


def _timezone(walk: Walk, value: dt.timezone) -> None:
    walk.text("timezone", repr(value))


def _zone(walk: Walk, value: zoneinfo.ZoneInfo) -> None:
    if value.key is None:
        raise Unhashable("a time zone that was read from a file has no name; use ZoneInfo('Area/City')")
    walk.text("zone", value.key)


def _decimal(walk: Walk, value: decimal.Decimal) -> None:
    walk.text("Decimal", str(value.as_tuple()))


def _by_text(walk: Walk, value: Any) -> None:
    walk.text(type(value).__name__, str(value))


def _pattern(walk: Walk, value: re.Pattern[Any]) -> None:
    walk.put("pattern", b"%d" % value.flags)
    walk.value(value.pattern)


def _namespace(walk: Walk, value: types.SimpleNamespace) -> None:
    _items(walk, "namespace", dict(sorted(vars(value).items())))


def _secret(walk: Walk, value: Secret) -> None:
    import hashlib
    import hmac

    if walk.secret_key is None:
        raise Unhashable("a Secret has a fingerprint only in a store's own keys, never by itself")
    from notebook_flows.fingerprints.walk import Walk as Walking

    inner = Walking(secret_key=walk.secret_key)
    inner.inside("the secret", value.get())
    walk.put("secret", hmac.digest(walk.secret_key, inner.hashing.digest(), hashlib.blake2b))


def _short(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:  # a repr of the user's own may fail; it is only for a message
        return f"a key of type {type(key).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."


WRITERS: dict[type, Callable[[Any, Any], None]] = {
    type(None): _none,
    type(...): _singleton,
    type(NotImplemented): _singleton,
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    memoryview: _memoryview,
    array.array: _array,
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
    range: _range,
    slice: _slice,
    collections.deque: _deque,
    collections.OrderedDict: _ordered,
    collections.Counter: _counter,
    collections.defaultdict: _defaultdict,
    types.MappingProxyType: _proxy,
    types.SimpleNamespace: _namespace,
    pathlib.PurePath: _path,
    pathlib.PurePosixPath: _path,
    pathlib.PureWindowsPath: _path,
    type(pathlib.Path()): _path,
    dt.date: _date,
    dt.datetime: _datetime,
    dt.time: _time,
    dt.timedelta: _timedelta,
    dt.timezone: _timezone,
    zoneinfo.ZoneInfo: _zone,
    decimal.Decimal: _decimal,
    fractions.Fraction: _by_text,
    uuid.UUID: _by_text,
    re.Pattern: _pattern,
    Secret: _secret,
    ipaddress.IPv4Address: _by_text,
    ipaddress.IPv6Address: _by_text,
    ipaddress.IPv4Network: _by_text,
    ipaddress.IPv6Network: _by_text,
    ipaddress.IPv4Interface: _by_text,
    ipaddress.IPv6Interface: _by_text,
}
