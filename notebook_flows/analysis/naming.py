"""Whose value a name stands for, while a cell is walked through: its own, a function's, or that of a cell above."""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING

from notebook_flows.analysis import known
from notebook_flows.analysis.calling import Calling
from notebook_flows.analysis.files import resolved
from notebook_flows.analysis.heap import DEEP, NOTHING, Heap, Value
from notebook_flows.analysis.remembering import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from notebook_flows.analysis.files import PathText

BUILTIN_NAMES = frozenset(dir(builtins)) | known.ALWAYS
_NUMBERED_HISTORY = re.compile(r"_i?\d+$")


def is_history(name: str) -> bool:
    """Whether IPython keeps a value of past cells under this name."""
    return name in known.HISTORY or _NUMBERED_HISTORY.match(name) is not None


class Naming(Calling):
    """The walk's names.

    Args:
        outside: name -> the objects that it may stand for above this cell, None if no cell binds it.
    """

    def __init__(self, heap: Heap, key: Hashable, outside: Callable[[str], Value | None]) -> None:
        super().__init__(heap, key)
        self.outside = outside
        self.values: dict[str, Value] = {}
        self.sure: set[str] = set()
        self.gone: set[str] = set()
        self.passing: set[str] = set()
        self.reads: dict[str, int] = {}
        self.via: dict[str, str] = {}
        self.builtins: set[str] = set()
        self.history: set[str] = set()
        self.lines: dict[str, int] = {}
        self.star: list[str] = []
        self.global_writes: set[str] = set()
        self.taken: dict[str, Value] = {}
        self.text_above: Callable[[str], str | None] = lambda _: None
        self.own_texts: Mapping[str, PathText] = {}
        self.own_names: frozenset[str] = frozenset()

    def load(self, name: str, line: int) -> Value:
        """The value of a name, here and now."""
        frame, is_innermost = self.frame, True
        while frame is not None:
            if name in frame.global_names:
                break
            if name in frame.values and (frame.kind != "class" or is_innermost):
                if not is_innermost:
                    self.touch(frozenset({frame.own}), name)
                return frame.values[name]
            if name in frame.bound and frame.kind != "class":
                return NOTHING  # not bound yet: an error by hand too
            frame, is_innermost = frame.parent, False
        return self.load_global(name, line)

    def load_global(self, name: str, line: int) -> Value:
        """The value of a name of the notebook."""
        found = self.values.get(name, NOTHING)
        if not self.calls:
            self.lines.setdefault(name, line)
        if name not in self.sure:
            found |= self._from_outside(name, line)
        self.touch(found, name)
        if self.loads is not None and name not in self.loads:
            self.loads[name] = Loaded(line, self.calls[-1], found)
        return found

    def loads_now(self, name: str) -> Value | None:
        """What a name of the notebook stands for here, without reading it; None where no cell has bound it."""
        found = self.values.get(name, NOTHING)
        if name in self.sure:
            return found
        value = self.taken.get(name)
        if value is None:
            value = self.outside(name)
        if value is None and name in BUILTIN_NAMES and not is_history(name):
            value = self.heap.builtin(name)
        return None if value is None else found | value

    def _from_outside(self, name: str, line: int) -> Value:
        found = self.taken.get(name)
        if found is not None:
            return found
        value = self.outside(name)
        if value is None and is_history(name):
            self.history.add(name)
            value = frozenset({self.heap.at(("outside", name), DEEP)})
        elif value is None and name in BUILTIN_NAMES:
            self.builtins.add(name)
            value = self.heap.builtin(name)
        else:
            self.reads[name] = line
            if self.calls:
                self.via[name] = self.calls[-1]
            if value is None and name in known.USUAL_IMPORTS:
                value = self.heap.library(known.USUAL_IMPORTS[name])
            elif value is None:
                value = frozenset({self.heap.at(("outside", name), DEEP)})
        self.taken[name] = value
        return value

    def bind(self, name: str, value: Value, line: int) -> None:
        """The name stands for the value from here on."""
        value = self.heap.summed(value)
        frame, is_innermost = self.frame, True
        while frame is not None and name not in frame.global_names:
            if name in frame.bound:
                old = NOTHING if is_innermost else frame.values.get(name, NOTHING)
                frame.values[name] = old | value
                if not is_innermost:
                    self.write(frozenset({frame.own}))
                if frame.keeps:
                    self.heap.put((frame.own,), value)
                return
            frame, is_innermost = frame.parent, False
        if not self.calls:
            self.lines.setdefault(name, line)
        self.bind_global(name, value)

    def bind_global(self, name: str, value: Value) -> None:
        """A name of the notebook stands for the value from here on."""
        self.particulars += 1
        if self.calls:
            self.global_writes.add(name)
        self.values[name] = value
        self.sure.add(name)
        self.gone.discard(name)

    def call_back(self, functions: Value, given: Value, site: Hashable) -> Value:
        """As above; what these functions bind is bound perhaps, for nobody knows whether they are called at all."""
        values, sure, gone = dict(self.values), set(self.sure), set(self.gone)
        found = super().call_back(functions, given, site)
        for name, value in values.items():
            self.values[name] = self.values.get(name, NOTHING) | value
        self.sure &= sure
        self.gone |= gone
        return found

    def text_of(self, name: str) -> str | None:
        """The text that a name stands for here, if it is the only one that it may stand for."""
        self.particulars += 1
        frame = self.frame
        while frame is not None and name not in frame.global_names:
            if name in frame.bound:
                return None
            frame = frame.parent
        if name not in self.values and name not in self.own_names:
            return self.text_above(name)
        is_known = name in self.sure and name not in self.global_writes and name in self.own_texts
        return resolved(self.own_texts[name], self.text_of) if is_known else None
