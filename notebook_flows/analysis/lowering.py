"""From the syntax tree of a cell to its steps: statements. Expressions are in `expressions`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import program as p
from notebook_flows.analysis.expressions import CONST, Expressions
from notebook_flows.analysis.files import texts_of
from notebook_flows.analysis.source import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_TEXT_AND_IMPORTS = (ast.Import, ast.ImportFrom, ast.Pass)


def lowered(source: str) -> p.Program | None:
    """The cell's steps, or None if it does not parse."""
    cell = parsed(source)
    if cell is None:
        return None
    lowering = Lowering(lines_above=cell.lines_above)
    steps = lowering.block(cell.tree.body)
    names = lowering.names
    return p.Program(
        steps=steps,
        codes={name: tuple(codes) for name, codes in lowering.codes_of.items()},
        all_codes=tuple(names.codes),
        imports=lowering.imports,
        star=tuple(lowering.star),
        magics=tuple(dict.fromkeys(lowering.magics)),
        has_await=lowering.has_await,
        only_imports=bool(cell.tree.body) and all(_is_text_or_import(node) for node in cell.tree.body),
        functions=frozenset(lowering.functions),
        texts=texts_of(cell.tree),
    )


def _is_text_or_import(node: ast.stmt) -> bool:
    return isinstance(node, _TEXT_AND_IMPORTS) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


class Lowering(Expressions):
    """The walk over one cell's tree."""

    def __init__(self, *, lines_above: int) -> None:
        super().__init__(lines_above=lines_above)
        self.codes_of: dict[str, list[p.Code]] = {}
        self.imports: dict[str, str] = {}
        self.star: list[str] = []
        self.functions: set[str] = set()

    def block(self, statements: Sequence[ast.stmt]) -> p.Block:
        """The steps of some statements."""
        above, self.steps = self.steps, []
        for statement in statements:
            _STATEMENTS[type(statement)](self, statement)
        found, self.steps = tuple(self.steps), above
        return found

    def _expression(self, node: ast.Expr) -> None:
        value = self.value(node.value)
        if value is not CONST:
            self.steps.append(p.Do(value))

    def _assign(self, node: ast.Assign) -> None:
        known = len(self.names.codes)
        self.assign(node.targets, node.value)
        if self._is_top and len(self.names.codes) > known:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.codes_of.setdefault(target.id, []).extend(self.names.codes[known:])

    @property
    def _is_top(self) -> bool:
        return self.names.parent is None

    def _annotated(self, node: ast.AnnAssign) -> None:
        if self._is_top or self.names.kind == "class":
            self.steps.append(p.Do(self.value(node.annotation)))
        if node.value is not None:
            self.assign([node.target], node.value)
        elif isinstance(node.target, ast.Name) and self.names.kind == "function":
            self.names.bind(node.target.id)

    def _augmented(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        if isinstance(node.target, ast.Name):
            self.names.load(node.target.id)
            self.names.bind(node.target.id)
            self.steps.append(p.Augment(self.site(), node.target.id, value, self.line(node)))
        else:
            held = self.hold(value)
            self.steps.append(p.Store(self.value(node.target), None, held, self.line(node)))  # a list grows in place
            self.store(node.target, held)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._delete_one(target)

    def _delete_one(self, target: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._delete_one(element)
        elif isinstance(target, ast.Name):
            self.names.bind(target.id)
            self.steps.append(p.Delete(target.id, self.line(target)))
        else:
            self.store(target, CONST)

    def _if(self, node: ast.If) -> None:
        self.steps.append(p.Do(self.value(node.test)))
        self.steps.append(p.Branch((self.block(node.body), self.block(node.orelse))))

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        if isinstance(node, ast.AsyncFor):
            self.note_await()
        items = self.hold(self.value(node.iter))
        above, self.steps = self.steps, []
        self.store(node.target, p.Part(items, None, ()))
        target, self.steps = tuple(self.steps), above
        self.steps.append(p.Loop((*target, *self.block(node.body)), self.block(node.orelse)))

    def _while(self, node: ast.While) -> None:
        test = p.Do(self.value(node.test))
        self.steps.append(test)
        self.steps.append(p.Loop((*self.block(node.body), test), self.block(node.orelse)))

    def _try(self, node: ast.Try) -> None:
        handlers = tuple(self._handler(handler) for handler in node.handlers)
        self.steps.append(p.Try(self.block(node.body), handlers, self.block(node.orelse), self.block(node.finalbody)))

    def _handler(self, node: ast.ExceptHandler) -> p.Block:
        steps: list[p.Step] = []
        if node.type is not None:
            steps.append(p.Do(self.value(node.type)))
        if node.name is None:
            return (*steps, *self.block(node.body))
        self.names.bind(node.name)
        steps.append(p.Bind(node.name, p.Caught(self.site()), self.line(node)))
        return (*steps, *self.block(node.body), p.Delete(node.name, self.line(node)))

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, ast.AsyncWith):
            self.note_await()
        for item in node.items:
            slot = self.site()
            self.steps.append(p.Enter(slot, self.value(item.context_expr)))
            if item.optional_vars is not None:
                held = p.Held(slot)
                self.store(item.optional_vars, p.OneOf((held, p.Part(held, None, ()))))
        self.steps.extend(self.block(node.body))

    def _match(self, node: ast.Match) -> None:
        subject = self.hold(self.value(node.subject))
        blocks: list[p.Block] = []
        is_sure = False
        for case in node.cases:
            above, self.steps = self.steps, []
            self._pattern(case.pattern, subject)
            captures, self.steps = tuple(self.steps), above
            if captures:  # a guard that says no leaves what its pattern has bound
                self.steps.append(p.Branch((captures, ())))
            guard = () if case.guard is None else (p.Do(self.value(case.guard)),)
            blocks.append((*captures, *guard, *self.block(case.body)))
            is_sure |= case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
        self.steps.append(p.Branch(tuple(blocks) if is_sure else (*blocks, ())))

    def _pattern(self, node: ast.pattern, subject: p.Expr) -> None:
        for part in ast.walk(node):
            if isinstance(part, (ast.MatchValue, ast.MatchClass)):
                self.steps.append(p.Do(self.value(part.value if isinstance(part, ast.MatchValue) else part.cls)))
            name = part.rest if isinstance(part, ast.MatchMapping) else getattr(part, "name", None)
            if isinstance(name, str):
                self.names.bind(name)
                inside = p.Part(subject, None, ())
                self.steps.append(p.Bind(name, p.OneOf((subject, inside)), self.line(part)))

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._imported(name, alias.name if alias.asname else name, node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        if module == "__future__":
            self.skips_annotations |= any(alias.name == "annotations" for alias in node.names)
        for alias in node.names:
            if alias.name == "*":
                self.star.append(module)
                self.steps.append(p.Note("star", module))
            else:
                self._imported(alias.asname or alias.name, f"{module}.{alias.name}", node)

    def _imported(self, name: str, dotted: str, node: ast.stmt) -> None:
        self.names.bind(name)
        if self._is_top:
            self.imports[name] = dotted
        self.steps.append(p.Bind(name, p.Imported(dotted), self.line(node)))
        if dotted == "__main__":
            self.steps.append(p.Unseen("import __main__"))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        value: p.Expr = self.function(node)
        for decorator in reversed(node.decorator_list):
            called = self.value(decorator)
            value = p.Call(self.site(), self.line(node), called, None, (value,), (), (None,), frozenset(), False)
        self._define(node.name, value, node)

    def _define(self, name: str, value: p.Expr, node: ast.stmt) -> None:
        self.names.bind(name)
        self.steps.append(p.Bind(name, value, self.line(node)))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> p.Expr:
        """The function that a `def` makes, before it is decorated."""
        if not self.skips_annotations:
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            notes = [arg.annotation for arg in every if arg is not None] + [node.returns]
            if read := tuple(self.value(note) for note in notes if note is not None):
                self.steps.append(p.Do(p.Look(read)))
        is_async = isinstance(node, ast.AsyncFunctionDef)
        known = len(self.names.codes)
        found = self.function_of(node.name, node.args, lambda: self.block(node.body), is_async=is_async, node=node)
        if self._is_top:
            self.functions.add(node.name)
            self.codes_of.setdefault(node.name, []).extend(self.names.codes[known:])
        return found

    def _class(self, node: ast.ClassDef) -> None:
        bases = tuple(self.value(base) for base in (*node.bases, *(keyword.value for keyword in node.keywords)))
        is_top, known = self._is_top, len(self.names.codes)
        with self.scope("class") as names:
            names.bound |= {"__module__", "__qualname__"}
            body = self.block(node.body)
        if is_top:
            self.functions.add(node.name)
            self.codes_of.setdefault(node.name, []).extend(self.names.codes[known:])
        value: p.Expr = p.Class(self.site(), node.name, bases, body, frozenset(names.bound))
        for decorator in reversed(node.decorator_list):
            called = self.value(decorator)
            value = p.Call(self.site(), self.line(node), called, None, (value,), (), (None,), frozenset(), False)
        self._define(node.name, value, node)

    def _return(self, node: ast.Return) -> None:
        self.steps.append(p.Leave(self.value(node.value) if node.value is not None else CONST, True))

    def _raise(self, node: ast.Raise) -> None:
        parts = tuple(self.value(part) for part in (node.exc, node.cause) if part is not None)
        self.steps.append(p.Leave(p.OneOf(parts), False))

    def _jump(self, node: ast.Break | ast.Continue) -> None:
        self.steps.append(p.Leave(CONST, False))

    def _assert(self, node: ast.Assert) -> None:
        parts = tuple(self.value(part) for part in (node.test, node.msg) if part is not None)
        self.steps.append(p.Do(p.Look(parts)))

    def _global(self, node: ast.Global) -> None:
        if self.names.kind != "cell":
            self.names.global_names.update(node.names)

    def _nonlocal(self, node: ast.Nonlocal) -> None:
        self.names.nonlocal_names.update(node.names)

    def _pass(self, node: ast.Pass) -> None:
        pass

    def _type_alias(self, node: Any) -> None:  # Python 3.12 knows its class, 3.11 does not
        self._define(node.name.id, p.Build(self.site(), ()), node)

    def nested(self, code: str, line: int) -> p.Block | None:
        """The steps of Python code that a magic on this line runs; None if it does not parse."""
        cell = parsed(code)
        if cell is None:
            return None
        above, self.lines_above = self.lines_above, line - 1 + cell.lines_above
        steps = self.block(cell.tree.body)
        self.lines_above = above
        return steps


_STATEMENTS: dict[type, Callable[[Lowering, Any], None]] = {
    ast.Expr: Lowering._expression,
    ast.Assign: Lowering._assign,
    ast.AnnAssign: Lowering._annotated,
    ast.AugAssign: Lowering._augmented,
    ast.Delete: Lowering._delete,
    ast.If: Lowering._if,
    ast.For: Lowering._for,
    ast.AsyncFor: Lowering._for,
    ast.While: Lowering._while,
    ast.Try: Lowering._try,
    ast.TryStar: Lowering._try,
    ast.With: Lowering._with,
    ast.AsyncWith: Lowering._with,
    ast.Match: Lowering._match,
    ast.Import: Lowering._import,
    ast.ImportFrom: Lowering._import_from,
    ast.FunctionDef: Lowering._function,
    ast.AsyncFunctionDef: Lowering._function,
    ast.ClassDef: Lowering._class,
    ast.Return: Lowering._return,
    ast.Raise: Lowering._raise,
    ast.Break: Lowering._jump,
    ast.Continue: Lowering._jump,
    ast.Assert: Lowering._assert,
    ast.Global: Lowering._global,
    ast.Nonlocal: Lowering._nonlocal,
    ast.Pass: Lowering._pass,
}
if hasattr(ast, "TypeAlias"):
    _STATEMENTS[ast.TypeAlias] = Lowering._type_alias
