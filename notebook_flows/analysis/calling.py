"""Calls: of functions and classes of the notebook, which are walked through, and of libraries, which are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import known, program as p
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
    Frame,
    Heap,
    Value,
)
from notebook_flows.analysis.libraries import SHELL
from notebook_flows.analysis.remembering import Remembering

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from notebook_flows.analysis.program import Block, Code

_MOST_CALLS = 400  # of notebook functions within one cell; beyond it, what they get is taken to be changed
_ROUNDS = 10


class Calling(Remembering):
    """The walk's way through calls; `Walk` adds names and steps."""

    def __init__(self, heap: Heap, key: Hashable) -> None:
        super().__init__(heap, key)
        self._active: dict[int, Frame] = {}
        self._frames: dict[Hashable, Frame] = {}
        self._calls_left = _MOST_CALLS
        self._harmed: set[int] = set()

    # --- the parts of a call

    def call(self, expr: p.Call) -> Value:
        """What a call may give."""
        target = self.value(expr.callee)
        args = tuple(self.value(arg) for arg in expr.args)
        keywords = tuple((name, self.value(arg)) for name, arg in expr.keywords)
        every = NOTHING.union(*args, *(value for _, value in keywords))
        if expr.attribute is not None:
            return self._call_attribute(expr, target, args, keywords, every)
        found = NOTHING
        rest: set[int] = set()
        for number in target:
            if self.heap.things[number].kind in {FUNCTION, CLASS}:
                found |= self._call_one(number, args, keywords, expr, every)
            elif self.heap.things[number].kind == INSTANCE and (method := self.method(number, "__call__")):
                for function in method:
                    found |= self._call_one(function, (frozenset({number}), *args), keywords, expr, every)
            elif self.heap.things[number].kind == DEEP and self.heap.things[number].related:
                given = every | frozenset(self.heap.contents[number])
                found |= self.call_back(self.heap.things[number].related, given, expr.site)
            else:
                rest.add(number)
        if rest or not target:
            found |= self.call_known(expr, frozenset(rest), args, dict(keywords), every)
        return found

    def _call_attribute(
        self,
        expr: p.Call,
        target: Value,
        args: tuple[Value, ...],
        keywords: tuple[tuple[str | None, Value], ...],
        every: Value,
    ) -> Value:
        attribute = expr.attribute or ""
        found = NOTHING
        rest: set[int] = set()
        for number in target:
            thing = self.heap.things[number]
            methods = self.method(number, attribute) if thing.kind in {INSTANCE, CLASS} else NOTHING
            if thing.kind == INSTANCE and not methods:
                methods = frozenset(n for n in self.heap.contents[number] if self.heap.things[n].kind == FUNCTION)
                for function in methods:  # a function that was stored in the instance: it gets no self
                    found |= self._call_one(function, args, keywords, expr, every)
            else:
                for function in methods:
                    # Through a class, or decorated with staticmethod: who gets which argument is not known.
                    own = frozenset({number})
                    given = (own, *args) if thing.kind == INSTANCE and function not in self.heap.properties else None
                    found |= self._call_one(function, given, keywords, expr, every | own)
            if not methods or (_is_super(expr.callee) and self._has_unknown_class(number)):
                rest.add(number)
        if rest or not target:
            found |= self.call_method(expr, frozenset(rest), args, dict(keywords), every)
        return found

    def _call_one(
        self,
        number: int,
        args: tuple[Value, ...] | None,
        keywords: Sequence[tuple[str | None, Value]],
        expr: p.Call,
        every: Value,
    ) -> Value:
        thing = self.heap.things[number]
        if thing.kind == CLASS:
            return self._instance(number, args, keywords, expr, every)
        if thing.kind != FUNCTION or thing.code is None:
            return self.unknown_call(expr.site, every | {number})
        given = self._given(thing.code, args, keywords, is_spread=expr.is_spread, every=every)
        return self.invoke(number, given, expr.site)

    def _given(
        self,
        code: Code,
        args: tuple[Value, ...] | None,
        keywords: Sequence[tuple[str | None, Value]],
        *,
        is_spread: bool,
        every: Value,
    ) -> dict[str, Value]:
        """Which parameter gets what; with ``*args`` anywhere, each may get anything."""
        if args is None or is_spread:
            anything = every | self.heap.inside(every)
            return dict.fromkeys((*code.params, *code.variadic), anything)
        given = dict(zip(code.params, args, strict=False))
        spare = NOTHING.union(*args[len(code.params) :])
        for name, value in keywords:
            if name in code.params:
                given[name or ""] = given.get(name or "", NOTHING) | value
            else:
                spare |= value
        if len(args) and code.variadic:  # keyword-only parameters stand among the others here
            spare |= NOTHING.union(*args)
        for name in code.variadic:
            given[name] = spare
        return given

    # --- functions of the notebook

    def invoke(self, number: int, given: dict[str, Value], site: Hashable) -> Value:
        """Through the body of a function, with these arguments; what it may return."""
        thing = self.heap.things[number]
        code = thing.code
        assert code is not None
        defaults = frozenset(n for n in self.heap.contents[number] if thing.frame is None or n != thing.frame.own)
        for name in code.params:
            given[name] = given.get(name, NOTHING) | defaults
        frame = self._active.get(id(code))
        if frame is not None:  # it calls itself
            self._pour(frame, given)
            frame.is_reentered = True
            self.particulars += 1
            return self._outcome(number, code, frame, site)
        is_alike = thing.frame is None and not any(given.values())  # wherever it is called, as long as its names last
        if is_alike and (told := self.told_again(number)) is not None:
            return told
        if self._calls_left <= 0:
            return self._given_up(number, code, given)
        if not is_alike:
            return self._through(number, code, given, site)
        notes, found = self.begin_notes(), None
        try:
            found = self._through(number, code, given, site)
        finally:
            self.end_notes(notes, number, found)
        return found

    def _through(self, number: int, code: Code, given: dict[str, Value], site: Hashable) -> Value:
        thing = self.heap.things[number]
        path, self.path = self.path, (*self.path, (site, id(code)))
        frame = self._frame_of(code, thing.frame, thing.held)
        for name, value in given.items():
            frame.values[name] = value | (frame.values.get(name, NOTHING) if code.has_inner else NOTHING)
            if frame.keeps:
                self.heap.put((frame.own,), value)
        for name in code.variadic:
            frame.values[name] = self.made(("variadic", name), PLAIN, frame.values.get(name, NOTHING))
        self._active[id(code)] = frame
        self.calls.append(code.name)
        start = dict(frame.values)
        for _ in range(_ROUNDS):
            frame.grew = False
            self._calls_left -= 1
            self.in_frame(frame, code.body)
            if not (frame.grew and frame.is_reentered):
                break
            frame.values = {
                name: start.get(name, NOTHING) | frame.values.get(name, NOTHING) for name in {**start, **frame.values}
            }
        self.calls.pop()
        del self._active[id(code)]
        found = self._outcome(number, code, frame, site)
        self.path = path
        return found

    def _given_up(self, number: int, code: Code, given: dict[str, Value]) -> Value:
        """Too many calls to follow: the function may change all that it gets and reads."""
        self.particulars += 1
        for name in code.global_binds:
            self.bind_global(name, frozenset({number}) | NOTHING.union(*given.values()))
        around: set[str] = set()
        frame = self.heap.things[number].frame
        while frame is not None:
            around |= frame.bound
            frame = frame.parent
        free = NOTHING.union(*(self.load_global(name, 0) for name in code.free - around))
        return self.unknown_call("given up", NOTHING.union(*given.values()) | free | {number})

    def _pour(self, frame: Frame, given: dict[str, Value]) -> None:
        for name, value in given.items():
            old = frame.values.get(name, NOTHING)
            if not value <= old:
                frame.values[name] = old | value
                frame.grew = True

    def _frame_of(self, code: Code, parent: Frame | None, held: dict[int, Value]) -> Frame:
        key = (self.path, id(code))
        frame = self._frames.get(key)
        if frame is None:
            own = self.heap.at((self.key, "frame", *key), PLAIN)
            frame = self._frames[key] = Frame(
                kind="function",
                bound=code.bound,
                global_names=code.global_names,
                parent=parent,
                own=own,
                keeps=code.has_inner,
                held=held,
            )
            if parent is not None:
                self.heap.put((own,), frozenset({parent.own}))
        return frame

    def _outcome(self, number: int, code: Code, frame: Frame, site: Hashable) -> Value:
        """What comes out of a call: of a generator or a coroutine, something that runs the body when it is used."""
        if not code.is_lazy:
            return frame.returned
        (reader,) = self.made(("reader", site, id(code)), READER, frame.returned)
        if code.body and not self.heap.things[reader].wakes:
            self.heap.things[reader].wakes.append((code.body, frame))
        self.heap.put((reader,), frozenset({number, frame.own}) | NOTHING.union(*frame.values.values(), NOTHING))
        return frozenset({reader})

    def woken(self, number: int, steps: Block, frame: Frame) -> None:
        """Through the body of a generator that was made elsewhere, and is used here.

        What it makes is its own. Of generators that other generators make, those of one text make the same: they may make
        one another without end.
        """
        is_again = self.heap.things[number].is_from_generator
        step = ("woken again", id(steps)) if is_again else ("woken", number)
        before = self.path, self.is_in_generator
        self.path, self.is_in_generator = self.path if step in self.path else (*self.path, step), True
        self.calls.append("a generator")
        self.in_frame(frame, steps)
        self.calls.pop()
        self.path, self.is_in_generator = before
        self.heap.put((number,), frame.returned)

    def new_frame(self, kind: str, bound: frozenset[str], parent: Frame | None, site: int) -> Frame:
        """The names of a class body or a comprehension."""
        own = self.heap.at((self.key, self.path, "frame", site), PLAIN)
        if parent is not None:
            self.heap.put((own,), frozenset({parent.own}))
        return Frame(
            kind=kind, bound=bound, global_names=frozenset(), parent=parent, own=own, keeps=True, held=self.held
        )

    # --- classes of the notebook

    def _instance(
        self,
        number: int,
        args: tuple[Value, ...] | None,
        keywords: Sequence[tuple[str | None, Value]],
        expr: p.Call,
        every: Value,
    ) -> Value:
        found = self.made(("instance", expr.site, number), INSTANCE, frozenset({number}))
        (instance,) = found
        self.heap.things[instance].related = frozenset({number})
        makers = NOTHING.union(*(self.method(instance, name) for name in ("__init__", "__new__", "__post_init__")))
        for function in makers:
            given = (found, *args) if args is not None else None
            self._call_one(function, given, keywords, expr, every | found)
        if not makers or self._has_unknown_base(number):
            self.heap.put((instance,), every)
        return found

    def _has_unknown_class(self, number: int) -> bool:
        return any(self._has_unknown_base(cls) for cls in self._classes_of(number))

    def _has_unknown_base(self, number: int) -> bool:
        things = self.heap.things
        return any(
            things[base].kind != CLASS or self._has_unknown_base(base) for base in things[number].related - {number}
        )

    def method(self, number: int, name: str) -> Value:
        """The functions of this name in an instance's class, or in a class, and in all its bases."""
        found = NOTHING
        for cls in self._classes_of(number):
            frame = self.heap.things[cls].frame
            if frame is not None:
                found |= frame.values.get(name, NOTHING)
        return frozenset(n for n in found if self.heap.things[n].kind == FUNCTION)

    def method_names(self, number: int) -> list[str]:
        """The names of all methods of an instance's class and its bases."""
        frames = [self.heap.things[cls].frame for cls in self._classes_of(number)]
        return list(dict.fromkeys(name for frame in frames if frame is not None for name in frame.values))

    def _classes_of(self, number: int) -> list[int]:
        found: list[int] = []
        thing = self.heap.things[number]
        todo = [number] if thing.kind == CLASS else list(thing.related)
        while todo:
            cls = todo.pop()
            if cls not in found and self.heap.things[cls].kind == CLASS:
                found.append(cls)
                todo.extend(self.heap.things[cls].related)
        return found

    def part(self, value: Value, attribute: str | None) -> Value:
        """What `value.attribute` or `value[...]` may give."""
        place = self.heap.dotted(value)
        if place is not None and place.startswith(SHELL):
            self.note_unseen(f"{place}.{attribute}")
        if place is not None:
            return self.heap.library(f"{place}.{attribute}") if attribute else value
        if attribute in known.SAME_ATTRIBUTES:
            return value
        if attribute in known.IMMUTABLE_ATTRIBUTES and all(self.heap.things[n].kind != INSTANCE for n in value):
            return NOTHING
        found = self.heap.inside(value)
        for number in value:
            thing = self.heap.things[number]
            if attribute is not None and thing.kind == PLAIN:
                found |= {number}  # `put = rows.append`
            elif attribute is None and thing.dotted in known.FILLED_BY_LOOKING:
                self.write(frozenset({number}))
            elif attribute is not None and thing.kind == INSTANCE:
                methods = self.method(number, attribute)
                for function in methods & self.heap.properties:
                    found |= self.call_each(frozenset({function}), number, attribute)
                found |= methods | {number} if methods else NOTHING
        return found

    # --- calls that nobody writes down

    def call_each(self, functions: Value, number: int, site: Hashable) -> Value:
        """Methods that Python calls by itself; what they get besides the object is nothing of the notebook's."""
        found = NOTHING
        for function in functions:
            code = self.heap.things[function].code
            if code is not None:
                given = dict.fromkeys((*code.params, *code.variadic), NOTHING)
                if code.params:
                    given[code.params[0]] = frozenset({number})
                found |= self.invoke(function, given, ("by itself", site, number))
        return found

    def call_back(self, functions: Value, given: Value, site: Hashable) -> Value:
        """Functions of the notebook that somebody else may call, with anything out of ``given``."""
        found = NOTHING
        for number in functions:
            thing = self.heap.things[number]
            if thing.kind == FUNCTION and thing.code is not None:
                anything = given | self.heap.inside(given)
                params = dict.fromkeys((*thing.code.params, *thing.code.variadic), anything)
                found |= self.invoke(number, params, ("back", site))
            elif thing.kind == CLASS:
                expr = p.Call(-1, 0, p.Const(), None, (), (), (), frozenset(), True)
                found |= self._instance(number, None, (), expr, given)
        return found

    def unknown_call(self, site: Hashable, values: Value) -> Value:
        """A call of which nothing is known: it may change all that it gets, tie it together, and call what it finds."""
        self.particulars += 1
        reached = frozenset(self.heap.closure(values))
        self.spend(len(reached) // 8)
        self.touch(reached, "")
        self.write(frozenset(n for n in reached if self.heap.things[n].kind not in {LIBRARY, CLASS, FUNCTION, BUILTIN}))
        result = self.heap.summed(reached)
        if result == reached:
            result = self.made(("unknown", site), DEEP, reached)
        holders = [n for n in reached if self.heap.things[n].kind in {PLAIN, DEEP, INSTANCE, READER}]
        if len(holders) > 1:
            self.heap.put(holders, result)
        for number in reached:
            thing = self.heap.things[number]
            if number in self._harmed:
                continue
            self._harmed.add(number)
            if thing.kind == FUNCTION:
                self.call_back(frozenset({number}), reached, ("unknown", site))
            elif thing.kind == INSTANCE:
                for name in self.method_names(number):
                    if name not in {"__init__", "__new__"}:
                        self.call_back(self.method(number, name), reached, ("unknown", site))
        return result | reached


def _is_super(callee: p.Expr) -> bool:
    return isinstance(callee, p.Call) and isinstance(callee.callee, p.Load) and callee.callee.name == "super"
