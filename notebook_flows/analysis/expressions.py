"""From the syntax tree of a cell to its steps: expressions, targets and calls of magics."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import program as p
from notebook_flows.analysis.files import PathText, path_text
from notebook_flows.analysis.magics import Magic, effect_of
from notebook_flows.analysis.scopes import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONST = p.Const()
_NOTHING: tuple[Any, ...] = ()
_MAGIC_CALLS = {
    "run_line_magic": "line",
    "run_cell_magic": "cell",
    "system": "system",
    "getoutput": "getoutput",
}


class Expressions:
    """The walk over expressions; `Lowering` adds statements."""

    def __init__(self, *, lines_above: int) -> None:
        self.lines_above = lines_above
        self.steps: list[p.Step] = []
        self.names = Names(kind="cell")
        self.magics: list[str] = []
        self.has_await = False
        self.skips_annotations = False
        self._sites = 0

    def site(self) -> int:
        """A number that no other place in the cell has."""
        self._sites += 1
        return self._sites

    def line(self, node: Any) -> int:
        """The line in the raw cell."""
        return int(node.lineno) + self.lines_above

    @contextmanager
    def scope(self, kind: str) -> Iterator[Names]:
        """A scope inside of this one."""
        self.names = Names(kind=kind, parent=self.names)
        inner = self.names
        yield inner
        assert inner.parent is not None
        inner.leave()
        self.names = inner.parent

    def nested(self, code: str, line: int) -> p.Block | None:
        """The steps of code inside of the cell's code."""
        raise NotImplementedError

    def block(self, statements: Sequence[ast.stmt]) -> p.Block:
        """The steps of some statements."""
        raise NotImplementedError

    def note_await(self) -> None:
        """Something is awaited here."""
        scope: Names | None = self.names
        while scope is not None and scope.kind == "comprehension":
            scope = scope.parent
        if scope is None or scope.kind == "cell":
            self.has_await = True

    def hold(self, value: p.Expr) -> p.Expr:
        """The value, put aside, so that it can be used more than once."""
        if isinstance(value, (p.Const, p.Held)):
            return value
        slot = self.site()
        self.steps.append(p.Hold(slot, value))
        return p.Held(slot)

    # --- targets

    def assign(self, targets: Sequence[ast.expr], node: ast.expr) -> None:
        """`target = target = node`."""
        if len(targets) == 1 and (pairs := _pairs(targets[0], node)):
            held = [(target, self.hold(self.value(value))) for target, value in pairs]
            for target, value in held:
                self.store(target, value)
            return
        value = self.value(node)
        if len(targets) > 1 or not isinstance(targets[0], ast.Name):
            value = self.hold(value)
        for target in targets:
            self.store(target, value)

    def store(self, target: ast.expr, value: p.Expr) -> None:
        """The target gets the value."""
        if isinstance(target, ast.Name):
            self.names.bind(target.id)
            self.steps.append(p.Bind(target.id, value, self.line(target)))
        elif isinstance(target, (ast.Tuple, ast.List)):
            held = self.hold(value)
            for element in target.elts:
                self.store(element, p.Part(held, None, ()))
        elif isinstance(target, ast.Starred):
            self.store(target.value, p.Build(self.site(), (value,)))
        elif isinstance(target, ast.Attribute):
            self.steps.append(p.Store(self.value(target.value), target.attr, value, self.line(target)))
        elif isinstance(target, ast.Subscript):
            index = self.value(target.slice)
            if index is not CONST:
                self.steps.append(p.Do(p.Look((index,))))
            self.steps.append(p.Store(self.value(target.value), None, value, self.line(target)))

    # --- expressions

    def value(self, node: ast.expr) -> p.Expr:
        """The steps' way to the value of an expression."""
        return _EXPRESSIONS[type(node)](self, node)

    def values(self, nodes: Sequence[ast.expr | None]) -> tuple[p.Expr, ...]:
        """Of several, those that are not constant."""
        found = (self.value(node) for node in nodes if node is not None)
        return tuple(value for value in found if value is not CONST)

    def _constant(self, node: ast.Constant) -> p.Expr:
        return CONST

    def _name(self, node: ast.Name) -> p.Expr:
        self.names.load(node.id)
        return p.Load(node.id, self.line(node))

    def _attribute(self, node: ast.Attribute) -> p.Expr:
        value = self.value(node.value)
        return value if value is CONST else p.Part(value, node.attr, ())

    def _subscript(self, node: ast.Subscript) -> p.Expr:
        value, also = self.value(node.value), self.values([node.slice])
        if (name := _name_looked_up(node)) is not None:  # `globals()["n"]`
            self.names.load(name)
            also = (*also, p.Load(name, self.line(node)))
        if _is_selection(node):
            return p.Fresh(self.site(), value, also)
        part = p.Part(value, None, also)
        if isinstance(node.slice, ast.Slice):  # of a list a new one, of an array a view
            return p.OneOf((part, p.Fresh(self.site(), value, ())))
        return part

    def _look(self, node: ast.expr) -> p.Expr:
        """Comparisons, negations, texts with values in them."""
        parts = self.values([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)])
        return p.Look(parts) if parts else CONST

    def _compare(self, node: ast.Compare) -> p.Expr:
        parts = self.values([node.left, *node.comparators])
        if not parts:
            return CONST
        # Of tables and arrays, `a > b` is a new table; `is` and `in` are never more than yes or no.
        is_plain = all(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops)
        return p.Look(parts) if is_plain else p.Join(self.site(), parts)

    def _binary(self, node: ast.BinOp) -> p.Expr:
        parts = self.values([node.left, node.right])
        return p.Join(self.site(), parts) if parts else CONST

    def _unary(self, node: ast.UnaryOp) -> p.Expr:
        parts = self.values([node.operand])
        return p.Join(self.site(), parts) if parts else CONST

    def _one_of(self, node: ast.BoolOp) -> p.Expr:
        parts = self.values(node.values)
        return p.OneOf(parts) if parts else CONST

    def _if_else(self, node: ast.IfExp) -> p.Expr:
        test, parts = self.values([node.test]), self.values([node.body, node.orelse])
        found = p.OneOf(parts) if parts else CONST
        return p.Run((p.Do(p.Look(test)),), found) if test else found

    def _tuple(self, node: ast.Tuple) -> p.Expr:
        parts = self.values(node.elts)
        return p.Build(self.site(), parts) if parts else CONST

    def _collection(self, node: ast.List | ast.Set) -> p.Expr:
        return p.Build(self.site(), self.values(node.elts))

    def _dict(self, node: ast.Dict) -> p.Expr:
        return p.Build(self.site(), self.values([*node.keys, *node.values]))

    def _starred(self, node: ast.Starred) -> p.Expr:
        value = self.value(node.value)
        return value if value is CONST else p.OneOf((value, p.Part(value, None, ())))

    def _slice(self, node: ast.Slice) -> p.Expr:
        parts = self.values([node.lower, node.upper, node.step])
        return p.Look(parts) if parts else CONST

    def _walrus(self, node: ast.NamedExpr) -> p.Expr:
        value = self.value(node.value)
        self.names.bind_walrus(node.target.id)
        return p.Walrus(node.target.id, value, self.line(node))

    def _await(self, node: ast.Await) -> p.Expr:
        self.note_await()
        return p.Await(self.value(node.value))

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> p.Expr:
        value = self.value(node.value) if node.value is not None else CONST
        self.names.is_lazy = True
        if isinstance(node, ast.YieldFrom):
            value = p.Part(value, None, ())
        return p.Run((p.Yield(value),), CONST)

    def _lambda(self, node: ast.Lambda) -> p.Expr:
        body = lambda: (p.Leave(self.value(node.body), True),)  # noqa: E731 - a block that is made later
        return self.function_of("<lambda>", node.args, body, is_async=False, node=node)

    def function_of(
        self, name: str, args: ast.arguments, body: Callable[[], p.Block], *, is_async: bool, node: ast.AST
    ) -> p.Function:
        """A function with these parameters; the body is lowered in its scope."""
        site = self.site()
        defaults = self.values([*args.defaults, *args.kw_defaults])
        plain = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
        variadic = [arg.arg for arg in (args.vararg, args.kwarg) if arg is not None]
        code = p.Code(name=name, params=tuple(plain), variadic=tuple(variadic))
        above, self.steps = self.steps, []
        with self.scope("function") as names:
            names.bound.update(plain, variadic)
            names.bound.update(parameter.name for parameter in getattr(node, "type_params", ()))
            code.body = body()
        self.steps = above
        code.bound = frozenset(names.bound)
        code.global_names = frozenset(names.global_names)
        code.free = names.free
        code.global_binds = frozenset(names.global_binds)
        code.has_inner = bool(names.inner_loads)
        code.is_lazy = names.is_lazy or is_async
        self.names.codes.append(code)
        return p.Function(site, code, defaults)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> p.Expr:
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        items = self.hold(self.value(node.generators[0].iter))
        above, self.steps = self.steps, []
        with self.scope("comprehension") as names:
            kept = [self.site() for _ in elements]
            steps = self._generators(node.generators, items, elements, kept)
        self.steps = above
        # What it reads, it reads now: not as a function inside would.
        self.names.loads |= names.free
        is_lazy = isinstance(node, ast.GeneratorExp)
        parts = tuple(p.Held(slot) for slot in kept)
        value = p.Build(self.site(), (*parts, items) if is_lazy and items is not CONST else parts)
        return p.Scope(self.site(), frozenset(names.bound), steps, value, is_lazy)

    def _generators(
        self, rest: Sequence[ast.comprehension], items: p.Expr, elements: Sequence[ast.expr], kept: Sequence[int]
    ) -> p.Block:
        first, *others = rest
        if first.is_async:
            self.note_await()
        above, self.steps = self.steps, []
        self.store(first.target, p.Part(items, None, ()))
        for test in first.ifs:
            self.steps.append(p.Do(self.value(test)))
        if others:
            inner = self.hold(self.value(others[0].iter))
            self.steps.extend(self._generators(others, inner, elements, kept))
        else:
            for slot, element in zip(kept, elements, strict=True):
                self.steps.append(p.Hold(slot, self.value(element)))
        body, self.steps = tuple(self.steps), above
        return (p.Loop(body, ()),)

    # --- calls

    def _call(self, node: ast.Call) -> p.Expr:
        magic = _magic_of(node)
        if magic is not None:
            return self._magic(magic, self.line(node))
        attribute: str | None = None
        if isinstance(node.func, ast.Attribute):
            attribute = node.func.attr
            callee = self.value(node.func.value)
        else:
            callee = self.value(node.func)
        args = tuple(self.value(arg) for arg in node.args)
        keywords = tuple((keyword.arg, self.value(keyword.value)) for keyword in node.keywords)
        texts = tuple(_text(arg) for arg in node.args[:2])
        texts += tuple(_text(keyword.value) for keyword in node.keywords if keyword.arg == "mode")
        flags = frozenset(
            keyword.arg
            for keyword in node.keywords
            if keyword.arg and not (isinstance(keyword.value, ast.Constant) and keyword.value.value in {False, None})
        )
        is_spread = any(isinstance(arg, ast.Starred) for arg in node.args) or any(not k.arg for k in node.keywords)
        paths = _paths(node)
        return p.Call(self.site(), self.line(node), callee, attribute, args, keywords, texts, flags, is_spread, paths)

    def _magic(self, magic: Magic, line: int) -> p.Expr:
        effect = effect_of(magic)
        if effect.needs_main:
            self.magics.append(magic.shown)
        steps: list[p.Step] = [p.Note("hidden", kind) for kind in effect.hidden]
        steps += [p.Note("effect", text) for text in effect.effects]
        if effect.files:
            steps.append(p.Uses(effect.files))
        for text in effect.expressions:
            found = self.nested(text.strip(), line)
            steps += found if found is not None else (p.Unseen(f"{magic.shown}: {{{text}}}"),)
        if effect.code is not None:
            steps += self._magic_code(magic, effect.code, effect.keeps_names, line + effect.code_line)
        for name in effect.binds:
            self.names.bind(name)
            steps.append(p.Bind(name, p.Build(self.site(), ()) if name != "_exit_code" else CONST, line))
        if effect.unseen is not None:
            steps.append(p.Unseen(effect.unseen))
        return p.Run(tuple(steps), p.Build(self.site(), ()))

    def _magic_code(self, magic: Magic, code: str, keeps_names: bool, line: int) -> p.Block:
        if keeps_names:
            found = self.nested(code, line)
        else:
            above, self.steps = self.steps, []
            with self.scope("comprehension") as names:
                found = self.nested(code, line)
            self.names.loads |= names.free
            self.steps = above
            if found is not None:
                found = (p.Do(p.Scope(self.site(), frozenset(names.bound), found, CONST, False)),)
        return found if found is not None else (p.Unseen(f"syntax in {magic.shown}"),)


def _pairs(target: ast.expr, node: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """`a, b = x, y` as pairs; nothing if it is not of this form."""
    if not isinstance(target, (ast.Tuple, ast.List)) or not isinstance(node, (ast.Tuple, ast.List)):
        return []
    every = (*target.elts, *node.elts)
    if len(target.elts) != len(node.elts) or any(isinstance(part, ast.Starred) for part in every):
        return []
    return list(zip(target.elts, node.elts, strict=True))


def _name_looked_up(node: ast.Subscript) -> str | None:
    """The name that is looked up in the names themselves."""
    match node.value:
        case ast.Call(func=ast.Name(id="globals" | "locals" | "vars"), args=[], keywords=[]):
            return _text(node.slice)
    return None


def _is_selection(node: ast.Subscript) -> bool:
    """`table[table.x > 0]` and `table[["x", "y"]]`: only tables and arrays take these, and they give copies."""
    index = node.slice
    if isinstance(index, ast.List):
        return True
    root = ast.unparse(node.value) if isinstance(node.value, ast.Name) else None
    return (
        root is not None
        and isinstance(index, (ast.Compare, ast.BinOp, ast.UnaryOp))
        and any(
            isinstance(part, (ast.Attribute, ast.Subscript))
            and isinstance(part.value, ast.Name)
            and part.value.id == root
            for part in ast.walk(index)
        )
        and any(isinstance(part, ast.Compare) for part in ast.walk(index))
    )


def _paths(node: ast.Call) -> dict[str | int, PathText]:
    """What the parts of a call say of paths."""
    given: list[tuple[str | int, ast.expr]] = list(enumerate(node.args[:2]))
    given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
    if isinstance(node.func, ast.Attribute):
        given.append(("self", node.func.value))
    return {place: text for place, part in given if (text := path_text(part)) is not None}


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _magic_of(node: ast.Call) -> Magic | None:
    func = node.func
    if not (isinstance(func, ast.Attribute) and func.attr in _MAGIC_CALLS and isinstance(func.value, ast.Call)):
        return None
    maker = func.value.func
    if not (isinstance(maker, ast.Name) and maker.id == "get_ipython") or node.keywords:
        return None
    texts = [_text(arg) for arg in node.args]
    kind = _MAGIC_CALLS[func.attr]
    if len(texts) != {"line": 2, "cell": 3}.get(kind, 1) or None in texts:
        return None
    words = [text or "" for text in texts]
    if kind in {"system", "getoutput"}:
        return Magic(kind, "!", words[0], "")
    return Magic(kind, words[0], words[1], words[2] if kind == "cell" else "")


_EXPRESSIONS: dict[type, Callable[[Expressions, Any], p.Expr]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._subscript,
    ast.Compare: Expressions._compare,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._one_of,
    ast.IfExp: Expressions._if_else,
    ast.JoinedStr: Expressions._look,
    ast.FormattedValue: Expressions._look,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._collection,
    ast.Set: Expressions._collection,
    ast.Dict: Expressions._dict,
    ast.Starred: Expressions._starred,
    ast.Slice: Expressions._slice,
    ast.NamedExpr: Expressions._walrus,
    ast.Await: Expressions._await,
    ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield,
    ast.Lambda: Expressions._lambda,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
    ast.Call: Expressions._call,
}
