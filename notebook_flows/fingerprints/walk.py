"""The fingerprint of a value: a hash over its content, written out in one order whatever the process.

Each part is written as a tag, the length of its content, and the content, so that no two different values are written
alike. Types count: ``1``, ``1.0`` and ``True`` differ. So does the order of a dict, which a loop sees, but not that of a set.
That two parts of a value are the same object does not count.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import pack
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Entangled, Unhashable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FunctionType

SIZE = 16
"""Bytes of a fingerprint."""
MOST_REPEATS = 50_000
"""How often something may be written that has been written before; where all refer to all, that would never end."""


class Walk:
    """Writes values into a hash.

    Args:
        secret_key: with which secrets are hashed; without one they have no fingerprint.
        seen: the functions and classes that have been written, by id, with their numbers.
        within: the containers that are being written, by id.
        globals_of: where the global names of a function are looked up; in its own globals unless given.
    """

    def __init__(
        self,
        *,
        secret_key: bytes | None = None,
        seen: dict[int, int] | None = None,
        within: set[int] | None = None,
        globals_of: Callable[[FunctionType], Mapping[str, Any]] | None = None,
    ) -> None:
        self.hashing = blake2b(digest_size=SIZE)
        self.secret_key = secret_key
        self.seen: dict[int, int] = {} if seen is None else seen
        self.alive: list[Any] = []
        self._open: set[int] = set() if within is None else within
        self._met: dict[int, Any] = {}
        self._repeats = 0
        self.globals_of = globals_of or _own_globals
        self._globals_of = globals_of

    def apart(self) -> Walk:
        """A walk that begins where this one stands, for a part that is hashed by itself."""
        return Walk(
            secret_key=self.secret_key, seen=dict(self.seen), within=set(self._open), globals_of=self._globals_of
        )

    def digest(self) -> str:
        """The fingerprint of what was written."""
        return self.hashing.hexdigest()

    def put(self, tag: str, *parts: bytes) -> None:
        """Write bytes under a tag."""
        self.hashing.update(b"%s:%d;" % (tag.encode(), len(parts)))
        for part in parts:
            self.hashing.update(b"%d," % len(part))
            self.hashing.update(part)

    def put_large(self, tag: str, content: Any) -> None:
        """Write a contiguous buffer, without copying it."""
        view = memoryview(content).cast("B")
        self.hashing.update(b"%s:1;%d," % (tag.encode(), view.nbytes))
        self.hashing.update(view)

    def text(self, tag: str, *parts: str) -> None:
        """Write text under a tag."""
        self.put(tag, *(part.encode("utf-8", "surrogatepass") for part in parts))

    def value(self, value: Any) -> None:
        """Write a value.

        Raises:
            Unhashable: it, or something in it, has no fingerprint.
        """
        write = _writer_of(type(value))
        write(self, value)

    def inside(self, place: str, value: Any) -> None:
        """Write a part of a value; what has no fingerprint tells where it is."""
        try:
            _writer_of(type(value))(self, value)
        except Unhashable as error:
            raise error.inside(place) from None

    def enter(self, value: Any) -> bool:
        """Begin with a container; False: it holds itself, and that has been written."""
        if id(value) in self._open:
            self.put("itself")
            return False
        self._open.add(id(value))
        if id(value) in self._met:
            self._repeats += 1
            if self._repeats > MOST_REPEATS:
                raise Entangled(
                    f"{named(value)} and what is in it refer to one another in too many ways to follow them all"
                )
        else:
            self._met[id(value)] = value  # alive, so that its id stays its own
        return True

    def leave(self, value: Any) -> None:
        """The container is written."""
        self._open.discard(id(value))

    def first_time(self, thing: Any) -> bool:
        """Whether a function or class comes for the first time; else its number has been written."""
        number = self.seen.get(id(thing))
        if number is not None:
            self.put("again", b"%d" % number)
            return False
        self.seen[id(thing)] = len(self.seen)
        self.alive.append(thing)  # so that its id stays its own
        return True


def _own_globals(function: FunctionType) -> Mapping[str, Any]:
    return function.__globals__


_writers: dict[type, Any] = {}
_registered: dict[type, Callable[[Any], Any]] = {}


def fingerprint(value: Any, *, secret_key: bytes | None = None) -> str:
    """The fingerprint of a value: 32 hexadecimal digits.

    >>> fingerprint([1, 2.0, "three"])
    'c4322a85f2bc698d30946fbfaf3ce450'

    Args:
        value: anything; the module's text says what counts.
        secret_key: with which a `Secret` is hashed.

    Raises:
        Unhashable: its content cannot be told; says why.
    """
    at_once = _WRITTEN_AT_ONCE.get(type(value))
    if at_once is not None:
        return blake2b(at_once(value), digest_size=SIZE).hexdigest()
    walk = Walk(secret_key=secret_key)
    try:
        walk.value(value)
    except RecursionError:
        raise Unhashable(f"{named(value)} is nested too deeply") from None
    return walk.digest()


def _int_at_once(value: int) -> bytes:
    content = b"%x" % value if value >= 0 else b"-%x" % -value
    return b"int:1;%d,%s" % (len(content), content)


def _str_at_once(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"str:1;%d,%s" % (len(content), content)


_WRITTEN_AT_ONCE: dict[type, Callable[[Any], bytes]] = {
    int: _int_at_once,
    str: _str_at_once,
    float: lambda value: b"float:1;8," + pack("<d", value),
    bool: lambda value: b"bool:1;1,1" if value else b"bool:1;1,0",
    type(None): lambda _: b"none:0;",
}
"""As `Walk.put` would write them piece by piece: they are most of what tasks are given."""


def register(kind: type, content: Callable[[Any], Any]) -> None:
    """Say how values of a type are fingerprinted: by what ``content(value)`` returns, which must tell all that counts.

    A class may say it itself, with a method ``__fingerprint__(self)``.
    """
    _registered[kind] = content
    _WRITTEN_AT_ONCE.pop(kind, None)
    _writers.clear()


def _writer_of(kind: type) -> Any:
    found = _writers.get(kind)
    if found is None:
        found = _writers[kind] = _find_writer(kind)
    return found


def _find_writer(kind: type) -> Any:
    from notebook_flows.fingerprints import builtin, objects

    for one in kind.__mro__:
        if one in _registered:
            return _by_content(_registered[one])
    if hasattr(kind, "__fingerprint__"):
        return _by_content(kind.__fingerprint__)
    if kind in builtin.WRITERS:
        return builtin.WRITERS[kind]
    library = _library_writer(kind)
    if library is not None:
        return library
    return objects.writer_for(kind)


def _by_content(content: Callable[[Any], Any]) -> Any:
    def write(walk: Walk, value: Any) -> None:
        from notebook_flows.fingerprints.classes import write_class

        walk.put("content")
        write_class(walk, type(value))
        walk.inside(f"what {named(value)} is told by", content(value))

    return write


def _library_writer(kind: type) -> Any:
    for one in kind.__mro__[:-1]:
        match one.__module__.partition(".")[0]:
            case "numpy":
                from notebook_flows.fingerprints import arrays

                return arrays.writer_for(kind)
            case "pandas":
                from notebook_flows.fingerprints import frames

                return frames.writer_for(kind)
            case "pyarrow" | "polars":
                from notebook_flows.fingerprints import columns

                return columns.writer_for(kind)
            case _:
                pass
    return None


def named(value: Any) -> str:
    """A value by its type, for a sentence: ``a 'sqlite3.Connection'``."""
    kind = type(value)
    module = kind.__module__
    return f"a {kind.__qualname__ if module == 'builtins' else f'{module}.{kind.__qualname__}'!r}"
