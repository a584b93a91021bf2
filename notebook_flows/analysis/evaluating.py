"""What expressions may give, and which objects are looked at and changed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import program as p
from notebook_flows.analysis.heap import (
    BUILTIN,
    CLASS,
    DEEP,
    FUNCTION,
    INSTANCE,
    LIBRARY,
    NOTHING,
    PLAIN,
    READER,
    WRITABLE,
    Value,
)
from notebook_flows.analysis.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable

_DUNDERS_OF_MAKING = frozenset({"__init__", "__new__", "__post_init__", "__del__", "__init_subclass__"})


class Evaluating(Naming):
    """The walk's way through expressions; `Walk` adds steps."""

    def run(self, block: p.Block) -> None:
        """Through some steps, in order."""
        raise NotImplementedError

    # --- expressions

    def value(self, expr: p.Expr) -> Value:
        """The objects that an expression may give."""
        return _EXPRESSIONS[type(expr)](self, expr)

    def all_of(self, parts: tuple[p.Expr, ...]) -> Value:
        """The objects that any of some expressions may give."""
        found = NOTHING
        for part in parts:
            found |= self.value(part)
        return found

    def _const(self, expr: p.Const) -> Value:
        return NOTHING

    def _load(self, expr: p.Load) -> Value:
        return self.load(expr.name, expr.line)

    def _get_held(self, expr: p.Held) -> Value:
        return self.held.get(expr.slot, NOTHING)

    def _build(self, expr: p.Build) -> Value:
        return self.made(expr.site, PLAIN, self.all_of(expr.parts))

    def _join(self, expr: p.Join) -> Value:
        parts = []
        for part in expr.parts:
            parts.append(self.value(part))  # noqa: PERF401 - a comprehension is a frame, of which deep calls have too few
        return self.joined(expr.site, tuple(parts))

    def joined(self, site: int, parts: tuple[Value, ...]) -> Value:
        """A new object made of others by an operator; of things immutable, one that is immutable."""
        every = NOTHING.union(*parts)
        return self.made(site, PLAIN, self.heap.inside(every)) if every else NOTHING

    def _look(self, expr: p.Look) -> Value:
        for part in expr.parts:
            self.value(part)
        return NOTHING

    def _one_of(self, expr: p.OneOf) -> Value:
        return self.all_of(expr.parts)

    def _part(self, expr: p.Part) -> Value:
        value = self.value(expr.value)
        for also in expr.also:
            self.value(also)
        return self.part(value, expr.attribute)

    def _fresh(self, expr: p.Fresh) -> Value:
        self.value(expr.value)
        for also in expr.also:
            self.value(also)
        return self.made(expr.site, DEEP, NOTHING)

    def _function(self, expr: p.Function) -> Value:
        found = self.made(expr.site, FUNCTION, self.all_of(expr.defaults))
        (number,) = found
        thing = self.heap.things[number]
        frame = self.frame
        while frame is not None and frame.kind == "class":
            frame = frame.parent
        thing.code, thing.frame, thing.held = expr.code, frame, self.held
        if frame is not None:
            self.heap.put((number,), frozenset({frame.own}))
        return found

    def _class(self, expr: p.Class) -> Value:
        bases = self.all_of(expr.bases)
        found = self.made(expr.site, CLASS, bases)
        (number,) = found
        frame = self.new_frame("class", expr.bound, self.frame, expr.site)
        thing = self.heap.things[number]
        thing.frame, thing.related = frame, bases
        self.in_frame(frame, expr.body)
        for value in frame.values.values():
            self.heap.put((number,), value)
        return found

    def _scope(self, expr: p.Scope) -> Value:
        frame = self.new_frame("comprehension", expr.bound, self.frame, expr.site)
        self.in_frame(frame, expr.steps)
        value = self.value(expr.value)
        if expr.is_lazy and value:
            (number,) = self.made(expr.site, READER, self.heap.inside(value))
            self.heap.things[number].wakes = [(expr.steps, frame)]
            return frozenset({number})
        return value

    def _run(self, expr: p.Run) -> Value:
        self.run(expr.steps)
        return self.value(expr.value)

    def _walrus(self, expr: p.Walrus) -> Value:
        value = self.value(expr.value)
        self.bind(expr.name, value, expr.line)
        return value

    def _await(self, expr: p.Await) -> Value:
        value = self.value(expr.value)
        return value | self.heap.inside(value)

    def _caught(self, expr: p.Caught) -> Value:
        return self.made(expr.site, DEEP, self.raised)

    def _imported(self, expr: p.Imported) -> Value:
        return self.heap.library(expr.dotted)

    # --- objects

    def touch(self, values: Value, name: str) -> None:
        """The cell looks at these objects and at all inside of them."""
        todo = [number for number in values if number not in self.touched]
        while todo:
            number = todo.pop()
            if number in self.touched:
                continue
            self.touched[number] = name
            thing = self.heap.things[number]
            if thing.kind == READER:
                self.write(frozenset({number}))
                for steps, frame in thing.wakes:
                    self.woken(number, steps, frame)
                self._call_as_used(number)
            elif thing.kind == PLAIN:
                todo.extend(thing.related)  # a view looks at its dict
            elif thing.kind == INSTANCE:
                self._wake(number)
            todo.extend(self.heap.contents[number].difference(self.touched))

    def _call_as_used(self, number: int) -> None:
        """The functions that `map` and the like call as they are used."""
        inside, things = frozenset(self.heap.contents[number]), self.heap.things
        functions = things[number].related
        if methods := frozenset(n for n in functions if things[n].kind != FUNCTION):
            self.unknown_call(("used", number), methods | inside)
        if functions - methods:
            self.call_back(functions - methods, inside, ("used", number))

    def _wake(self, number: int) -> None:
        """Operators and builtin functions call methods that nobody writes down, as `__add__` and `__str__`."""
        for name in self.method_names(number):
            if name.startswith("__") and name.endswith("__") and name not in _DUNDERS_OF_MAKING:
                self.call_each(self.method(number, name), number, name)

    def write(self, values: Value) -> None:
        """The cell may change these objects."""
        things = self.heap.things
        self.particulars += bool(values)
        for number in values:
            if things[number].kind == LIBRARY:
                self.written |= {n for n in self.heap.closure((number,)) if "." not in things[n].dotted.lstrip(".")}
            elif things[number].kind in WRITABLE:
                self.written.add(number)

    def changeable(self, values: Value) -> list[int]:
        """Of some objects, those that can hold others."""
        return [number for number in values if self.heap.things[number].kind not in {BUILTIN, LIBRARY}]


_EXPRESSIONS: dict[type, Callable[[Evaluating, Any], Value]] = {
    p.Const: Evaluating._const,
    p.Load: Evaluating._load,
    p.Held: Evaluating._get_held,
    p.Build: Evaluating._build,
    p.Join: Evaluating._join,
    p.Look: Evaluating._look,
    p.OneOf: Evaluating._one_of,
    p.Part: Evaluating._part,
    p.Fresh: Evaluating._fresh,
    p.Call: Evaluating.call,
    p.Function: Evaluating._function,
    p.Class: Evaluating._class,
    p.Scope: Evaluating._scope,
    p.Run: Evaluating._run,
    p.Walrus: Evaluating._walrus,
    p.Await: Evaluating._await,
    p.Caught: Evaluating._caught,
    p.Imported: Evaluating._imported,
}
