"""Calls that a cell above has made already: what came of them is told again, and not walked through again.

Without this, each cell of a chain of functions, `def f9(): return f8() + 1`, goes through the functions of all cells
above it. What is remembered is told only by names: of calls that get, make and change no objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.heap import BUILTIN, FUNCTION, LIBRARY, NOTHING, Value
from notebook_flows.analysis.libraries import Libraries

if TYPE_CHECKING:
    from collections.abc import Iterable

_LASTING = frozenset({FUNCTION, LIBRARY, BUILTIN})
_LOADS_PER_STEP = 8  # a name that is told again is that much cheaper than a step


class Loaded(NamedTuple):
    """A name of the notebook that a call has read: where first, by which function, and what it stood for."""

    line: int
    caller: str
    value: Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What came of a call.

    Attributes:
        loads: all names that it has read, those read by the functions that it has called included.
        functions: those that these names stand for.
    """

    loads: dict[str, Loaded]
    functions: tuple[int, ...]
    returned: Value
    raised: Value
    hidden: frozenset[str]
    effects: tuple[str, ...]
    uses_pyplot: bool


class _Notes(NamedTuple):
    """What the walk had noted before a call."""

    loads: dict[str, Loaded] | None
    raised: Value
    hidden: set[str]
    effects: dict[str, None]
    uses_pyplot: bool
    particulars: int
    growth: int


class Remembering(Libraries):
    """The walk's memory of calls; `Calling` asks it."""

    def loads_now(self, name: str) -> Value | None:
        """What a name of the notebook stands for here, without reading it; None where no cell has bound it."""
        raise NotImplementedError

    def told_again(self, number: int) -> Value | None:
        """What a call without arguments gives, if one above went the same way; all that it notes is noted.

        Args:
            number: the function.
        """
        found = self.heap.remembered.get(number)
        if found is None or not self._holds(found):
            return None
        self.spend(len(found.loads) // _LOADS_PER_STEP + 1)
        caller = self.calls
        for name, load in found.loads.items():
            self.calls = [load.caller]
            self.load_global(name, load.line)
        self.calls = caller
        self.raised |= found.raised
        self.hidden |= found.hidden
        self.effects.update(dict.fromkeys(found.effects))
        self.uses_pyplot |= found.uses_pyplot
        return found.returned

    def _holds(self, found: Remembered) -> bool:
        contents = self.heap.contents
        if any(contents[number] for number in found.functions):  # since then somebody has put something in
            return False
        return all(self.loads_now(name) == load.value for name, load in found.loads.items())

    def begin_notes(self) -> _Notes:
        """From here on notes are those of one call."""
        before = _Notes(
            self.loads, self.raised, self.hidden, self.effects, self.uses_pyplot, self.particulars, self.heap.growth
        )
        self.loads, self.raised, self.hidden, self.effects, self.uses_pyplot = {}, NOTHING, set(), {}, False
        return before

    def end_notes(self, before: _Notes, number: int, returned: Value | None) -> None:
        """The call is over: its notes are added to those before, and remembered if they are all there is to it.

        Args:
            before: what `begin_notes` gave.
            number: the function.
            returned: None if it was not gone through to its end.
        """
        loads = self.loads or {}
        raised, hidden, effects, uses_pyplot = self.raised, self.hidden, self.effects, self.uses_pyplot
        is_all = (before.particulars, before.growth) == (self.particulars, self.heap.growth)
        if is_all and returned is not None and self._all_last([returned, raised, *(e.value for e in loads.values())]):
            values = NOTHING.union(*(load.value for load in loads.values()))
            self.heap.remembered[number] = Remembered(
                loads=loads,
                functions=tuple(n for n in values if self.heap.things[n].kind == FUNCTION),
                returned=returned,
                raised=raised,
                hidden=frozenset(hidden),
                effects=tuple(effects),
                uses_pyplot=uses_pyplot,
            )
        self.loads = before.loads
        if self.loads is not None:
            for name, load in loads.items():
                self.loads.setdefault(name, load)
        self.raised = before.raised | raised
        self.hidden, self.effects = before.hidden, before.effects
        self.hidden |= hidden
        self.effects.update(effects)
        self.uses_pyplot = before.uses_pyplot or uses_pyplot

    def _all_last(self, values: Iterable[Value]) -> bool:
        """Whether these are functions and things of libraries, which stay what they are, and nothing is in them."""
        things, contents = self.heap.things, self.heap.contents
        return all(
            things[number].kind in _LASTING and not (things[number].kind == FUNCTION and contents[number])
            for value in values
            for number in value
        )
