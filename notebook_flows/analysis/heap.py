"""The objects that the names of a notebook may stand for, and what is inside of what.

One abstract object stands for all objects that one place in the text makes. What is not known is *deep*: it stands for
itself and for everything inside of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from notebook_flows.analysis.program import Block, Code
    from notebook_flows.analysis.remembering import Remembered

Value: TypeAlias = "frozenset[int]"
NOTHING: Value = frozenset()
PLAIN, DEEP, LIBRARY, BUILTIN, FUNCTION, CLASS, INSTANCE, READER = range(8)
WRITABLE = frozenset({PLAIN, DEEP, LIBRARY, CLASS, INSTANCE, READER, FUNCTION})
_MOST_OF_ONE_NAME = 100  # objects; beyond it they are held for one, which keeps the work linear


@dataclass(kw_only=True, slots=True, eq=False)
class Frame:
    """The names of one call of a function, of a class body, or of a comprehension.

    Attributes:
        own: the object that stands for the frame itself: functions made in it keep it alive.
        held: what `Hold` has put aside in the cell that the frame's steps belong to.
        grew: new values have come in or out.
        is_reentered: it has called itself.
    """

    kind: str
    bound: frozenset[str]
    global_names: frozenset[str]
    parent: Frame | None
    own: int
    keeps: bool
    held: dict[int, Value]
    values: dict[str, Value] = field(default_factory=dict)
    returned: Value = NOTHING
    grew: bool = False
    is_reentered: bool = False


@dataclass(kw_only=True, slots=True, eq=False)
class Thing:
    """What an object is, as far as it is known.

    Attributes:
        dotted: of a library's thing, where it is; of a builtin, its name.
        code, frame, held: of a function, its body and the frame around it; of a class, the frame of its body.
        related: the bases of a class, the classes of an instance, the dict of a view, the functions that an iterator
            calls.
        maker: the cell that makes it; of what comes from elsewhere, nothing.
        wakes: what runs whenever a generator is used.
        is_from_generator: a generator was made by another one while that was used.
        is_figure: it can be drawn on.
        is_in_place: it was made to work in what it gets.
    """

    kind: int
    dotted: str = ""
    code: Code | None = None
    frame: Frame | None = None
    held: dict[int, Value] = field(default_factory=dict)
    related: Value = NOTHING
    maker: Hashable = None
    wakes: list[tuple[Block, Frame]] = field(default_factory=list)
    is_from_generator: bool = False
    is_figure: bool = False
    is_in_place: bool = False


class Heap:
    """All objects of a notebook; a number stands for each."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self.contents: list[set[int]] = []
        self.properties: set[int] = set()
        self.remembered: dict[int, Remembered] = {}  # function -> what came of a call of it without arguments
        self._sums: set[int] = set()
        self.growth = 0  # counts what was added, so that loops know when nothing is new
        self._numbers: dict[Hashable, int] = {}

    def at(self, key: Hashable, kind: int, dotted: str = "") -> int:
        """The object that is made in this place."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.things)
            self.things.append(Thing(kind=kind, dotted=dotted))
            self.contents.append(set())
        return number

    def put(self, holders: Iterable[int], values: Value) -> None:
        """The holders may hold the values from now on."""
        if not values:
            return
        for holder in holders:
            inside = self.contents[holder]
            if not values <= inside:
                inside |= values
                self.growth += 1

    def inside(self, values: Value) -> Value:
        """What may be found inside of the values."""
        found: set[int] = set()
        deep: list[int] = []
        for number in values:
            kind = self.things[number].kind
            if kind == DEEP:
                deep.append(number)
            elif kind in {LIBRARY, BUILTIN}:
                found.add(number)
            else:
                found |= self.contents[number]
                if kind == PLAIN and self.things[number].related:
                    found |= self.inside(self.things[number].related)
        return frozenset(found | self.closure(deep))

    def closure(self, values: Iterable[int]) -> set[int]:
        """The values and all that can be reached from them."""
        found = set(values)
        new = found
        while new:
            new = set().union(*[self.contents[number] for number in new]) - found
            found |= new
        return found

    def summed(self, values: Value) -> Value:
        """The values; if they are very many, one object that stands for those of them that are merely data."""
        if len(values) <= _MOST_OF_ONE_NAME:
            return values
        data = {number for number in values if self.things[number].kind in {PLAIN, DEEP}}
        found = min(data & self._sums, default=None)
        if found is None:
            found = self.at(("sum", min(data, default=0)), DEEP)
            self._sums.add(found)
        inside = self.contents[found]
        for number in data - inside - {found}:
            inside |= self.contents[number] | {number}
            self.contents[number] = {found}
            self.growth += 1
        return (values - data - inside) | {found}

    def dotted(self, values: Value) -> str | None:
        """Where the value is in a library, if it is one library's thing and nothing else."""
        if len(values) != 1:
            return None
        (number,) = values
        thing = self.things[number]
        return thing.dotted if thing.kind == LIBRARY else None

    def library(self, dotted: str) -> Value:
        """A module, or something in it; it stands for the whole module where something is changed."""
        number = self.at(("library", dotted), LIBRARY, dotted)
        root = dotted.lstrip(".").partition(".")[0]
        if root != dotted:
            self.put((number,), frozenset({self.at(("library", root), LIBRARY, root)}))
        return frozenset({number})

    def builtin(self, name: str) -> Value:
        """One of Python's own functions."""
        return frozenset({self.at(("builtin", name), BUILTIN, name)})
