"""A cell is walked through without being run: which names and objects it reads, binds and may change on the way.

It goes through the steps in order, joins what branches leave, and goes round loops until nothing is new. Functions of
the notebook are walked through where they are called.
"""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.analysis import known, program as p
from notebook_flows.analysis.calling import Calling
from notebook_flows.analysis.files import resolved
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
    Frame,
    Heap,
    Value,
)
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from notebook_flows.analysis.files import PathText

BUILTIN_NAMES = frozenset(dir(builtins)) | known.ALWAYS
_NUMBERED_HISTORY = re.compile(r"_i?\d+$")
_ROUNDS = 12  # a loop that is not at rest by then hands its values round a ring longer than anybody writes
_MOST_STEPS = 60_000  # in one cell, those of the functions that it calls included: about half a second
_DUNDERS_OF_MAKING = frozenset({"__init__", "__new__", "__post_init__", "__del__", "__init_subclass__"})


def is_history(name: str) -> bool:
    """Whether IPython keeps a value of past cells under this name."""
    return name in known.HISTORY or _NUMBERED_HISTORY.match(name) is not None


class TooIntricateError(FlowError):
    """The functions of the notebook call one another in more ways than can be followed; the cell becomes opaque."""


class _State(NamedTuple):
    """What branches share out and join: names of the cell and of the innermost frame."""

    values: dict[str, Value]
    sure: frozenset[str]
    gone: frozenset[str]
    local: dict[str, Value]
    is_dead: bool


class Walk(Calling):
    """The walk through one cell; what was found stands in its attributes.

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
        self._is_dead = False
        self._steps_left = _MOST_STEPS

    def through(self, program: p.Program) -> None:
        """Through a whole cell; however long its text is, it is gone through once."""
        self._steps_left += len(program.steps)
        self.run(program.steps)

    # --- names

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
        return found

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
        if self.calls:
            self.global_writes.add(name)
        self.values[name] = value
        self.sure.add(name)
        self.gone.discard(name)

    def _delete(self, step: p.Delete) -> None:
        name = step.name
        if self.frame is not None and name not in self.frame.global_names:
            return  # the name is gone with the frame anyway
        if name not in self.sure:
            self.load_global(name, step.line)
            self.gone.add(name)
        elif name in self.taken or name in self.reads:
            self.gone.add(name)
        else:
            self.passing.add(name)
        self.values.pop(name, None)
        self.sure.discard(name)

    # --- steps

    def spend(self, steps: int) -> None:
        """Work that counts as so many steps.

        Raises:
            TooIntricateError: there were too many.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            raise TooIntricateError

    def run(self, block: p.Block) -> None:
        """Through some steps, in order."""
        self.spend(len(block))
        for step in block:
            _STEPS[type(step)](self, step)

    def _do(self, step: p.Do) -> None:
        self.value(step.value)

    def _hold(self, step: p.Hold) -> None:
        self.held[step.slot] = self.value(step.value)

    def _bind(self, step: p.Bind) -> None:
        self.bind(step.name, self.value(step.value), step.line)

    def _augment(self, step: p.Augment) -> None:
        old, new = self.load(step.name, step.line), self.value(step.value)
        self.write(old)
        self.heap.put(self.changeable(old), self.heap.inside(new) | new)
        self.bind(step.name, old | self.joined(step.site, (old, new)), step.line)

    def _store(self, step: p.Store) -> None:
        target, value = self.value(step.target), self.value(step.value)
        place = self.heap.dotted(target)
        if place is not None:
            self.note_place(f"{place}.{step.attribute}" if step.attribute else place)
        self.write(target)
        self.heap.put(self.changeable(target), value)

    def _enter(self, step: p.Enter) -> None:
        value = self.value(step.value)
        self.held[step.slot] = value
        if self.heap.dotted(value) is None:
            for number in value:
                if self.heap.things[number].kind == INSTANCE:
                    for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                        found = self.method(number, name)
                        self.held[step.slot] |= self.call_each(found, number, step.slot)
            self.write(frozenset(n for n in value if self.heap.things[n].kind in {PLAIN, DEEP, READER}))

    def _branch(self, step: p.Branch) -> None:
        start = self._state()
        ends = []
        for block in step.blocks:
            self._go_to(start)
            self.run(block)
            ends.append(self._state())
        self._go_to(_joined(ends))

    def _loop(self, step: p.Loop) -> None:
        start = self._state()
        for _ in range(_ROUNDS):
            growth = self.heap.growth
            self.run(step.body)
            after = self._state()._replace(is_dead=False)
            joined = _joined([start, after])
            is_at_rest = growth == self.heap.growth and joined.values == start.values and joined.local == start.local
            start = joined
            self._go_to(joined)
            if is_at_rest:
                break
        self._branch(p.Branch((step.orelse, ())))

    def _try(self, step: p.Try) -> None:
        start = self._state()
        self.run(step.body)
        after = self._state()
        broken = _joined([start, after._replace(is_dead=False)])._replace(is_dead=False)
        self.run(step.orelse)
        ends = [self._state()]
        for handler in step.handlers:
            self._go_to(broken)
            self.run(handler)
            ends.append(self._state())
        self._go_to(_joined(ends))
        is_dead, self._is_dead = self._is_dead, False
        self.run(step.final)
        self._is_dead |= is_dead

    def _leave(self, step: p.Leave) -> None:
        value = self.value(step.value)
        if step.is_return:
            self.give_back(value)
        else:
            self.raised |= value
        self._is_dead = True

    def _yield(self, step: p.Yield) -> None:
        self.give_back(self.value(step.value))

    def give_back(self, value: Value) -> None:
        """What a function hands to who has called it."""
        frame = self.frame
        while frame is not None and frame.kind != "function":
            frame = frame.parent
        if frame is not None and not value <= frame.returned:
            frame.returned |= value
            frame.grew = True

    def _unseen(self, step: p.Unseen) -> None:
        self.note_unseen(step.reason)

    def _note(self, step: p.Note) -> None:
        if step.kind == "star":
            self.star.append(step.text)
        elif step.kind == "hidden":
            self.hidden.add(step.text)
        else:
            self.note_effect(step.text)

    def _uses(self, step: p.Uses) -> None:
        self.files.update(dict.fromkeys(step.uses))

    def text_of(self, name: str) -> str | None:
        """The text that a name stands for here, if it is the only one that it may stand for."""
        frame = self.frame
        while frame is not None and name not in frame.global_names:
            if name in frame.bound:
                return None
            frame = frame.parent
        if name not in self.values and name not in self.own_names:
            return self.text_above(name)
        is_known = name in self.sure and name not in self.global_writes and name in self.own_texts
        return resolved(self.own_texts[name], self.text_of) if is_known else None

    # --- branches

    def _state(self) -> _State:
        local = dict(self.frame.values) if self.frame is not None else {}
        return _State(dict(self.values), frozenset(self.sure), frozenset(self.gone), local, self._is_dead)

    def _go_to(self, state: _State) -> None:
        self.values, self.sure, self.gone = dict(state.values), set(state.sure), set(state.gone)
        if self.frame is not None:
            self.frame.values = dict(state.local)
        self._is_dead = state.is_dead

    def in_frame(self, frame: Frame, block: p.Block) -> None:
        """Through some steps, with the names of the frame."""
        above = self.frame, self._is_dead, self.held
        self.frame, self._is_dead, self.held = frame, False, frame.held
        self.run(block)
        self.frame, self._is_dead, self.held = above

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
        return self.joined(expr.site, tuple(self.value(part) for part in expr.parts))

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
        for number in values:
            if things[number].kind == LIBRARY:
                self.written |= {n for n in self.heap.closure((number,)) if "." not in things[n].dotted.lstrip(".")}
            elif things[number].kind in WRITABLE:
                self.written.add(number)

    def changeable(self, values: Value) -> list[int]:
        """Of some objects, those that can hold others."""
        return [number for number in values if self.heap.things[number].kind not in {BUILTIN, LIBRARY}]


def _joined(states: list[_State]) -> _State:
    """What is known where several ways meet; ways that end in `raise` or `return` say nothing on what is sure."""
    live = [state for state in states if not state.is_dead] or states
    values: dict[str, Value] = {}
    local: dict[str, Value] = {}
    for state in states:
        for name, value in state.values.items():
            values[name] = values.get(name, NOTHING) | value
        for name, value in state.local.items():
            local[name] = local.get(name, NOTHING) | value
    sure = frozenset.intersection(*(state.sure for state in live))
    gone = frozenset().union(*(state.gone for state in live))
    return _State(values, sure, gone, local, all(state.is_dead for state in states))


_STEPS: dict[type, Callable[[Walk, Any], None]] = {
    p.Do: Walk._do,
    p.Hold: Walk._hold,
    p.Bind: Walk._bind,
    p.Augment: Walk._augment,
    p.Store: Walk._store,
    p.Delete: Walk._delete,
    p.Enter: Walk._enter,
    p.Branch: Walk._branch,
    p.Loop: Walk._loop,
    p.Try: Walk._try,
    p.Leave: Walk._leave,
    p.Yield: Walk._yield,
    p.Unseen: Walk._unseen,
    p.Note: Walk._note,
    p.Uses: Walk._uses,
}
_EXPRESSIONS: dict[type, Callable[[Walk, Any], Value]] = {
    p.Const: Walk._const,
    p.Load: Walk._load,
    p.Held: Walk._get_held,
    p.Build: Walk._build,
    p.Join: Walk._join,
    p.Look: Walk._look,
    p.OneOf: Walk._one_of,
    p.Part: Walk._part,
    p.Fresh: Walk._fresh,
    p.Call: Walk.call,
    p.Function: Walk._function,
    p.Class: Walk._class,
    p.Scope: Walk._scope,
    p.Run: Walk._run,
    p.Walrus: Walk._walrus,
    p.Await: Walk._await,
    p.Caught: Walk._caught,
    p.Imported: Walk._imported,
}
