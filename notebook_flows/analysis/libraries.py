"""Calls of what is not written in the notebook: builtins, libraries, and methods of whatever comes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.analysis import known, program as p
from notebook_flows.analysis.evaluated import EVALUATORS, TABLE_METHODS, names_at, names_in, visible
from notebook_flows.analysis.files import OPENERS, FileUse, function_use, method_use, opened, resolved, uses_at
from notebook_flows.analysis.heap import (
    BUILTIN,
    CLASS,
    DEEP,
    FUNCTION,
    LIBRARY,
    NOTHING,
    PLAIN,
    READER,
    Frame,
    Heap,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from notebook_flows.analysis.remembering import Loaded


_EXCEPTIONS = ("Error", "Exception", "ExceptionGroup", "Warning", "StopIteration", "KeyboardInterrupt", "SystemExit")
SHELL = "get_ipython()"


class Libraries:
    """What is found on the way besides names; `Calling` and `Walk` add the rest."""

    def __init__(self, heap: Heap, key: Hashable) -> None:
        self.heap = heap
        self.key = key
        self.path: tuple[Hashable, ...] = ()
        self.is_in_generator = False
        self.frame: Frame | None = None
        self.held: dict[int, Value] = {}
        self.calls: list[str] = []
        self.touched: dict[int, str] = {}
        self.written: set[int] = set()
        self.raised: Value = NOTHING
        self.hidden: set[str] = set()
        self.effects: dict[str, None] = {}
        self.files: dict[FileUse, None] = {}
        self.unseen: dict[str, None] = {}
        self.uses_pyplot = False
        self.loads: dict[str, Loaded] | None = None  # names of the notebook that the call that is noted has read
        self.particulars = 0  # counts what happens that notes of a call do not tell

    # What `Calling` and `Walk` bring.

    def value(self, expr: p.Expr) -> Value:
        """The objects that an expression may give."""
        raise NotImplementedError

    def load(self, name: str, line: int) -> Value:
        """The value of a name."""
        raise NotImplementedError

    def load_global(self, name: str, line: int) -> Value:
        """The value of a name of the notebook."""
        raise NotImplementedError

    def bind_global(self, name: str, value: Value) -> None:
        """A name of the notebook stands for the value from here on."""
        raise NotImplementedError

    def touch(self, values: Value, name: str) -> None:
        """The cell looks at these objects."""
        raise NotImplementedError

    def write(self, values: Value) -> None:
        """The cell may change these objects."""
        raise NotImplementedError

    def changeable(self, values: Value) -> list[int]:
        """Of some objects, those that can hold others."""
        raise NotImplementedError

    def in_frame(self, frame: Frame, block: p.Block) -> None:
        """Through some steps, with the names of the frame."""
        raise NotImplementedError

    def spend(self, steps: int) -> None:
        """Work that counts as so many steps."""
        raise NotImplementedError

    def joined(self, site: int, parts: tuple[Value, ...]) -> Value:
        """A new object made of others by an operator."""
        raise NotImplementedError

    def part(self, value: Value, attribute: str | None) -> Value:
        """What `value.attribute` or `value[...]` may give."""
        raise NotImplementedError

    def call_back(self, functions: Value, given: Value, site: Hashable) -> Value:
        """Functions of the notebook that somebody else calls."""
        raise NotImplementedError

    def unknown_call(self, site: Hashable, values: Value) -> Value:
        """A call of which nothing is known."""
        raise NotImplementedError

    def text_of(self, name: str) -> str | None:
        """The text that a name stands for, if it can be known."""
        raise NotImplementedError

    # --- notes

    def made(self, site: Hashable, kind: int, values: Value) -> Value:
        """The object that is made here, holding the values."""
        self.particulars += 1
        number = self.heap.at((self.key, self.path, site), kind)
        thing = self.heap.things[number]
        thing.maker, thing.is_from_generator = self.key, self.is_in_generator
        self.heap.put((number,), values)
        return frozenset({number})

    def reader(self, site: Hashable, values: Value, back: Value, functions: Value = NOTHING) -> Value:
        """Something that moves on as it is read, and calls these functions, and those among the values."""
        found = self.made(site, READER, self.heap.inside(values) | values | back)
        for number in found:
            self.heap.things[number].related |= frozenset(n for n in values if self.heap.things[n].kind == FUNCTION)
            self.heap.things[number].related |= functions
        return found

    def note_unseen(self, reason: str) -> None:
        """The cell cannot be seen through."""
        self.particulars += 1
        self.unseen[reason] = None

    def note_effect(self, text: str) -> None:
        """Something happens outside of the kernel's memory."""
        self.effects[text] = None

    def note_files(self, expr: p.Call, kinds: tuple[str, ...], where: str | int | None) -> None:
        """Files are used; which, says an argument."""
        if kinds:
            self.particulars += 1
            path = lambda place: None if expr.is_spread else resolved(expr.paths.get(place), self.text_of)  # noqa: E731 - one line, used once
            self.files.update(dict.fromkeys(uses_at(kinds, where, path)))

    def note_evaluated(self, expr: p.Call, shown: str, *, is_table: bool) -> None:
        """A text is evaluated where the names of the notebook are seen; if it is not known, neither is what it reads."""
        where = 0 if expr.args else next((name for name, _ in expr.keywords if name in {"expr", "ex"}), None)
        if (where is not None or expr.is_spread) and not self._read_evaluated(expr, where, is_table=is_table):
            self.note_unseen(f"names in the text of {shown}()")

    def _read_evaluated(self, expr: p.Call, where: str | int | None, *, is_table: bool) -> bool:
        """Read the names in a text, as far as it is known; whether all of it is."""
        given = None if expr.is_spread or where is None else expr.paths.get(where)
        text = resolved(given, self.text_of)
        seen = text if text is not None else visible(given)
        names = names_at(seen) if is_table else names_in(seen)
        for name in sorted(names if names is not None else names_at(seen)):
            self.load(name, expr.line)
        return text is not None and names is not None

    def note_place(self, dotted: str) -> None:
        """Something in a library is set or changed."""
        for place, kind in known.HIDDEN_PLACES.items():
            if dotted == place or dotted.startswith(f"{place}."):
                self.hidden.add(kind)

    # --- functions

    def call_known(
        self, expr: p.Call, target: Value, args: tuple[Value, ...], keywords: Mapping[str | None, Value], every: Value
    ) -> Value:
        """A call of anything but functions and classes of the notebook."""
        found = NOTHING
        for number in target:
            thing = self.heap.things[number]
            if thing.kind == BUILTIN:
                found |= self._builtin(expr, thing.dotted, args, keywords, every)
            elif thing.kind == LIBRARY:
                found |= self._library(expr, thing.dotted, args, keywords, every)
            else:
                found |= self.unknown_call(expr.site, every | {number})
        return found if target else self.unknown_call(expr.site, every)

    def _builtin(
        self, expr: p.Call, name: str, args: tuple[Value, ...], keywords: Mapping[str | None, Value], every: Value
    ) -> Value:
        heap = self.heap
        if name in known.CALLBACK_BUILTINS and self._hands_to_unknown(args[:1], keywords):
            return self.unknown_call(expr.site, every)
        if name in known.LOOKS:
            return NOTHING
        back = self._call_arguments_back(expr, every)
        if name in known.BLIND or (name == "vars" and not args):
            self.note_unseen(f"{name}()")
            if name == "eval":
                self._read_evaluated(expr, 0, is_table=False)
            return self.unknown_call(expr.site, every)
        if name == "get_ipython":
            return heap.library(SHELL)
        if name == "open":
            self._note_open(expr, 0)
            return self.made(expr.site, READER, NOTHING)
        if name == "super":
            frame = self.frame
            while frame is not None and frame.kind != "function":
                frame = frame.parent
            return NOTHING.union(*frame.values.values()) if frame is not None else NOTHING
        if name in {"setattr", "delattr"}:
            self.write(args[0] if args else NOTHING)
            heap.put(self.changeable(args[0] if args else NOTHING), every)
            return NOTHING
        if name == "next":
            self.write(every)
            return heap.inside(every)
        if name in known.SAME:
            heap.properties |= every
            return every
        if name in known.JOINS:
            return self.joined(expr.site, args)
        if name in known.PARTS or name == "vars":
            return every | heap.inside(every) | back
        if name in known.BUILDS:
            return self.made(expr.site, PLAIN, heap.inside(every) | every | back)
        if name in known.ITERATORS:
            called = args[0] if args and name in {"map", "filter"} else NOTHING
            methods = frozenset(number for number in called if heap.things[number].kind == PLAIN)  # `rows.append`
            return self.reader(expr.site, every, back, methods)
        if name.endswith(_EXCEPTIONS):
            return self.made(expr.site, PLAIN, every)
        if name[:1].isupper() or name.startswith("__"):
            return NOTHING  # what the kernel keeps
        return self.unknown_call(expr.site, every)

    def _call_arguments_back(self, expr: p.Call, every: Value, given: Value = NOTHING) -> Value:
        if any(self.heap.things[number].kind == FUNCTION for number in every):
            return self.call_back(every, every | given, expr.site)
        return NOTHING

    def _hands_to_unknown(self, args: tuple[Value, ...], keywords: Mapping[str | None, Value]) -> bool:
        """Whether a function of a module that nobody knows is among what a call hands its things to."""
        given = (*args, *(value for name, value in keywords.items() if name is None or name in known.CALLBACK_KEYWORDS))
        return any(self._is_strange(number) for number in NOTHING.union(*given))

    def _is_understood(self, functions: Value) -> bool:
        """Whether these are functions of the notebook, whose bodies have been walked through, or of known modules."""
        kinds = {self.heap.things[number].kind for number in functions}
        return bool(kinds) and kinds <= {FUNCTION, BUILTIN, LIBRARY} and not any(map(self._is_strange, functions))

    def _is_strange(self, number: int) -> bool:
        thing = self.heap.things[number]
        module, name = thing.dotted.partition(".")[0], thing.dotted.rpartition(".")[2]
        return thing.kind == LIBRARY and module not in known.GENTLE_MODULES and "." in thing.dotted and name.islower()

    def _note_open(self, expr: p.Call, where: str | int) -> None:
        has_mode = len(expr.texts) > 1
        mode = next((text for text in expr.texts[1:] if text), None) if has_mode else "r"
        self.note_files(expr, opened(mode), where)
        if any(set("wax+") & set(text) for text in expr.texts[1:] if text and len(text) < 5):
            self.note_effect("open() for writing")

    def _library(
        self,
        expr: p.Call,
        dotted: str,
        args: tuple[Value, ...],
        keywords: Mapping[str | None, Value],
        every: Value,
    ) -> Value:
        if dotted.startswith(SHELL):
            self.note_unseen(dotted if dotted == SHELL else f"{dotted}()")
            return self.unknown_call(expr.site, every)
        self._note_library(expr, dotted)
        heap, module, name = self.heap, dotted.partition(".")[0], dotted.rpartition(".")[2]
        if dotted in known.WRAPPERS:
            return every or heap.library(dotted)  # with options only, it is what wraps later
        if dotted in known.PROPERTIES:
            heap.properties |= every
            return every
        if dotted in known.PARTIALS:
            found = self.made(expr.site, DEEP, every)
            for number in found:
                heap.things[number].related = frozenset(n for n in every if heap.things[n].kind == FUNCTION)
            return found
        back = self._call_arguments_back(expr, every)
        self._change_arguments(expr, dotted, args, keywords, every)
        if dotted in known.ROUGH and not (dotted == "functools.reduce" and args and self._is_understood(args[0])):
            return self.unknown_call(expr.site, every)
        is_piecewise = bool(expr.flags & known.PIECEWISE) and name.startswith("read_")
        if is_piecewise or dotted in known.READERS or module in known.READER_MODULES:
            return self.reader(expr.site, every, back)
        if dotted in known.IMMUTABLE_RESULT or (
            module in known.IMMUTABLE_RESULT_MODULES and module in known.GENTLE_MODULES
        ):
            return NOTHING
        if dotted in known.MAY_VIEW:
            every = frozenset(number for number in every if heap.things[number].kind == DEEP)
            return self.made(expr.site, DEEP, every) | every
        if dotted in known.OWN_RESULT and not _copies_not(expr):
            return self.made(expr.site, DEEP, NOTHING)
        if dotted in known.FITS_WHAT_IT_GETS:
            every |= heap.inside(heap.inside(every))
        is_gentle = module in known.GENTLE_MODULES
        if not is_gentle and not name[:1].isupper():
            place = dotted.rpartition(".")[0]
            if name in known.CHANGING_METHODS and place:
                self.write(heap.library(place))
            return self.unknown_call(expr.site, every)
        found = self.made(expr.site, DEEP, every | back)
        (number,) = found
        heap.things[number].dotted = dotted if dotted in known.FILLED_BY_LOOKING else ""
        heap.things[number].is_figure |= dotted.startswith(known.FIGURE_MAKERS)
        heap.things[number].is_in_place |= name[:1].isupper() and bool(_copies_not(expr))
        if dotted.startswith(known.FIGURE_MAKERS):  # what is drawn on comes back, never what is drawn
            return found | keywords.get("ax", NOTHING) | (back if name[:1].islower() else NOTHING)
        is_own = name[:1].isupper() and module in known.OWN_OBJECT_MODULES and dotted not in known.FITS_WHAT_IT_GETS
        return found | every if is_gentle and not is_own else found

    def _note_library(self, expr: p.Call, dotted: str) -> None:
        parts = dotted.split(".")
        starts = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        if not any(start in known.OWN_STATE for start in starts):
            self.hidden.update(known.HIDDEN[start] for start in starts[:-1] if start in known.HIDDEN)
            if parts[0] == "random" and len(parts) > 1:
                self.hidden.add("random")
        if dotted in known.DRAWS and not _is_seeded(expr):
            self.hidden.add("random")
        if dotted in known.FRAME_LOOKERS:
            self.note_unseen(f"{dotted}()")
        if dotted.startswith(known.PYPLOT) and not any(start in known.PYPLOT_GENTLE for start in starts):
            self.uses_pyplot = True
        if dotted in known.WRITERS or parts[0] in known.WRITER_MODULES:
            self.note_effect(f"{dotted}()")
        if dotted in EVALUATORS:
            self.note_evaluated(expr, dotted, is_table=False)
        if dotted in OPENERS:
            self._note_open(expr, 0)
        self.note_files(expr, *function_use(dotted))
        if parts[-1] in known.CHANGING_METHODS:
            self.note_place(".".join(parts[:-1]))

    def _change_arguments(
        self,
        expr: p.Call,
        dotted: str,
        args: tuple[Value, ...],
        keywords: Mapping[str | None, Value],
        every: Value,
    ) -> None:
        if dotted in known.CHANGES_FIRST and args:
            self.write(args[0])
            self.heap.put(self.changeable(args[0]), every - args[0])
        if "out" in keywords:
            self.write(keywords["out"])
        if "ax" in keywords:
            self.write(keywords["ax"])
        if "inplace" in expr.flags and args:
            self.write(args[0])
        is_shared = dotted in known.SHARE_WITHOUT_COPY or dotted.partition(".")[0] in known.SHARE_WITHOUT_COPY
        is_called = dotted and not dotted.rpartition(".")[2][:1].isupper()
        if is_called and not is_shared and (_copies_not(expr) or expr.flags & known.IN_PLACE):
            self.write(every)

    # --- methods

    def call_method(
        self, expr: p.Call, target: Value, args: tuple[Value, ...], keywords: Mapping[str | None, Value], every: Value
    ) -> Value:
        """A call of an attribute of anything but instances and classes of the notebook."""
        name = expr.attribute or ""
        place = self.heap.dotted(target)
        if place is not None:
            return self._library(expr, f"{place}.{name}", args, keywords, every)
        self._note_method(expr, name, target, args[0] if args else NOTHING)
        back = self._call_arguments_back(expr, every, target)
        self._change_arguments(expr, "", args, keywords, every)
        if "inplace" in expr.flags or (name == "pop" and not target):
            self.write(target)
        if any(self.heap.things[number].is_in_place for number in target):
            self.write(every)  # `StandardScaler(copy=False).fit_transform(X)`
        if name in known.CALLBACK_METHODS and (
            self._hands_to_unknown(args[:1], keywords)
            or (name == "pipe" and not self._is_understood(args[0] if args else NOTHING))
        ):
            return self.unknown_call(expr.site, target | every)
        if not target and name not in known.CHANGING_METHODS:  # of a text or a number
            return self.made(expr.site, PLAIN, self.heap.inside(every) | back)
        return self._known_method(expr, name, target, keywords, every, back)

    def _known_method(
        self,
        expr: p.Call,
        name: str,
        target: Value,
        keywords: Mapping[str | None, Value],
        every: Value,
        back: Value,
    ) -> Value:
        heap = self.heap
        if name in known.FIGURE_METHODS or name.startswith("set_"):
            target = frozenset(number for number in target if heap.things[number].is_figure) or target
        if name in known.DRAWING_METHODS:
            if self._draws_on(expr, target):
                self.write(target)
                heap.put(self.changeable(target), every)
            return self.made(expr.site, DEEP, target | every)
        if name == "eval" and expr.args:  # of tables; without arguments it is that of models, and changes them
            return self.made(expr.site, DEEP, back)
        is_drawing = name not in _GIVING_METHODS and self._draws_on(expr, target)
        if name in known.CHANGING_METHODS or is_drawing:
            self.write(target | (keywords.get("ax", NOTHING)))
            heap.put(self.changeable(target), every | heap.inside(every) | back)
            return target | heap.inside(target) | every | self.made(expr.site, DEEP, every)
        if name in known.VIEWS:
            found = self.made(expr.site, PLAIN, heap.inside(target))
            for number in found:
                heap.things[number].related |= target
            return found
        if name in known.ITERATING_METHODS:
            return self.reader(expr.site, target | every, back)
        if name in known.LOOKING_METHODS or name in known.FRESH_METHODS or name in known.WRITING_METHODS:
            return self.made(expr.site, DEEP, back)
        if name in known.SHARING_METHODS:
            inside = heap.inside(target)
            made = self.made(expr.site, PLAIN if name == "copy" else DEEP, inside | every | back)
            return made if name == "copy" else made | inside | every | back
        if name.startswith(known.GENTLE_PREFIXES):
            return self.made(expr.site, DEEP, target | every) | target
        return self.unknown_call(expr.site, target | every)

    def _draws_on(self, expr: p.Call, target: Value) -> bool:
        """Whether a method that draws does so on its object: on axes, not on a table."""
        root = expr.callee
        while isinstance(root, p.Part):
            root = root.value
        if isinstance(root, p.Load) and root.name.lower().startswith(known.AXES_NAMES):
            return True
        return any(self.heap.things[number].is_figure for number in self.heap.closure(target))

    def _is_of_classes(self, given: Value) -> bool:
        """Whether no text is given: `session.query(User)`."""
        return bool(given) and all(self.heap.things[number].kind == CLASS for number in given)

    def _note_method(self, expr: p.Call, name: str, target: Value, given: Value) -> None:
        if name in known.DRAWING_METHODS and not self._draws_on(expr, target):
            self.uses_pyplot |= name in {"plot", "hist", "boxplot"} or _is_plot_accessor(expr.callee)
        if name in known.DRAWING_SAMPLES and target and not _is_seeded(expr):
            self.hidden.add("random")
        has_argument = bool(expr.args or expr.keywords)
        if name in TABLE_METHODS and has_argument and not self._is_of_classes(given):
            self.note_evaluated(expr, f".{name}", is_table=True)
        if name in known.WRITING_METHODS or (name in known.WRITING_WITH_ARGUMENT and has_argument):
            self.note_effect(f".{name}()")
        if name == "open":
            self._note_open(expr._replace(texts=(None, *expr.texts)), "self")
        use = method_use(
            name,
            is_given=has_argument,
            is_plain=not target,
            count=len(expr.args),
            is_named=resolved(expr.paths.get(0), self.text_of) is not None,
        )
        self.note_files(expr, *use)


_GIVING_METHODS = known.LOOKING_METHODS | known.FRESH_METHODS | known.SHARING_METHODS | known.WRITING_METHODS


def _copies_not(expr: p.Call) -> bool:
    """Whether ``copy=False`` is said, or something like it."""
    return any(name in known.COPIES and name not in expr.flags and value == p.Const() for name, value in expr.keywords)


def _is_seeded(expr: p.Call) -> bool:
    return any(name is None or name in known.SEEDS for name, _ in expr.keywords)


def _is_plot_accessor(callee: p.Expr) -> bool:
    return isinstance(callee, p.Part) and callee.attribute == "plot"
