"""A cell ready to run: what IPython would make of its text, compiled once, so that any thread or process may run it."""

from __future__ import annotations

import ast
import inspect
import linecache
import marshal
import tokenize
from codeop import Compile
from dataclasses import dataclass, replace
from io import StringIO
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.analysis import CellFacts


class Step(NamedTuple):
    """One statement of a cell.

    Attributes:
        shows: it is an expression whose value is displayed.
    """

    code: CodeType
    shows: bool

    @property
    def awaits(self) -> bool:
        """It is a coroutine, to be awaited."""
        return bool(self.code.co_flags & inspect.CO_COROUTINE)

    def __reduce__(self) -> Any:
        return _step_from, (marshal.dumps(self.code), self.shows)


def _step_from(data: bytes, shows: bool) -> Step:
    return Step(marshal.loads(data), shows)  # noqa: S302 - written by this interpreter, for its own child


@dataclass(frozen=True, kw_only=True)
class CellCode:
    """The code of one cell.

    Attributes:
        key: of the cell, in its notebook.
        name: what people call it.
        python: its text as IPython turns it into Python; what tracebacks show.
        steps: its statements.
        problem: why it cannot be compiled; raised when it is run.
        facts: what the analysis says of it.
        filename: under which tracebacks find its lines; `register` tells linecache.
        label: how tracebacks call the place: ``Cell In[3]``.
    """

    key: str
    name: str
    python: str
    steps: tuple[Step, ...]
    facts: CellFacts
    filename: str
    label: str
    problem: SyntaxError | None = None

    @property
    def awaits(self) -> bool:
        """It needs an event loop."""
        return any(step.awaits for step in self.steps)

    def register(self) -> None:
        """Let tracebacks find its lines."""
        lines = [f"{line}\n" for line in self.python.splitlines()]
        linecache.cache[self.filename] = (len(self.python), None, lines, self.filename)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process needs: not how the analysis came to its facts."""
        return {**self.__dict__, "facts": replace(self.facts, program=None)}


def prepare(
    body: str,
    *,
    key: str,
    name: str,
    facts: CellFacts | None = None,
    shell: Any = None,
    number: int | None = None,
    source: str | None = None,
) -> CellCode:
    """Make a cell ready; on the main thread, as the transformers that users have added to IPython run here.

    Args:
        body: the cell's text, its task line blanked.
        key: of the cell, in its notebook.
        name: what people call it.
        facts: what `analyse` says of it; looked up unless given.
        shell: IPython's; without one, the transformations are IPython's own.
        number: of its execution, for tracebacks: ``Cell In[3]``; without one they call it by its name.
        source: its text as it was executed, with its task line: names the file, as a kernel's debugger does.
    """
    if facts is None:
        from notebook_flows.analysis import analyse

        facts = analyse(body)
    python = _as_python(body, shell)
    said = name if number is None else number
    if shell is None:
        filename = f"<cell {name}>" if name == key else f"<cell {name} ({key})>"
    else:
        filename = shell.compile.cache(python, said, raw_code=body if source is None else source)
    problem = None
    try:
        steps = tuple(_compiled(python, filename, shell))
    except SyntaxError as error:
        steps, problem = (), error
    except ValueError as error:  # a null character, in Python 3.11
        steps, problem = (), SyntaxError(str(error))
    code = CellCode(
        key=key,
        name=name,
        python=python,
        steps=steps,
        facts=facts,
        filename=filename,
        label=f"Cell In[{said}]",
        problem=problem,
    )
    if shell is None:
        code.register()
    return code


def _as_python(body: str, shell: Any) -> str:
    if shell is not None:
        transform = shell.transform_cell
    else:
        from IPython.core.inputtransformer2 import TransformerManager

        transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call] # IPython's own
    try:
        text: str = transform(body)
    except SyntaxError:  # compiling says where
        return body
    return text


def _compiled(python: str, filename: str, shell: Any) -> Iterator[Step]:
    """The steps of a cell; a future that one of them imports holds for those after it."""
    compiler = Compile()
    if shell is not None:
        compiler.flags = shell.compile.flags
    tree = compile(python, filename, "exec", compiler.flags | ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
    assert isinstance(tree, ast.Module)
    if shell is not None:
        tree = shell.transform_ast(tree)
    compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    how = "last_expr" if shell is None else shell.ast_node_interactivity
    statements = list(tree.body)
    if how == "last_expr_or_assign" and statements and (name := _assigned(statements[-1])) is not None:
        statements.append(ast.fix_missing_locations(ast.Expr(ast.Name(name, ast.Load()))))
    for number, statement in enumerate(statements, 1):
        if _loads_us(statement):
            continue
        shows = how != "none" and (how == "all" or number == len(statements)) and not _is_quiet(python)
        if shows and isinstance(statement, ast.Expr):
            yield Step(_code(compiler, ast.Expression(statement.value), filename, "eval"), shows=True)
        else:
            yield Step(_code(compiler, ast.Module([statement], []), filename, "exec"), shows=False)


def _loads_us(statement: ast.stmt) -> bool:
    """Left out: what runs cells is loaded already, and must not be loaded anew under their feet."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(attr="run_line_magic"), [ast.Constant(how), ast.Constant(what)])):
            return how in {"load_ext", "reload_ext"} and what == "notebook_flows"
    return False


def _code(compiler: Compile, tree: ast.AST, filename: str, mode: str) -> CodeType:
    code = compiler(tree, filename, mode)  # type: ignore[arg-type] # it takes trees as well as text
    assert isinstance(code, CodeType)
    return code


def _assigned(statement: ast.stmt) -> str | None:
    """The one name that a statement assigns to."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        targets = [statement.target]
    if len(targets) == 1 and isinstance(targets[0], ast.Name):
        return targets[0].id
    return None


def _is_quiet(python: str) -> bool:
    """Whether the text ends in a semicolon: then nothing is displayed."""
    try:
        tokens = list(tokenize.generate_tokens(StringIO(python).readline))
    except (tokenize.TokenError, SyntaxError):
        return False
    for token in reversed(tokens):
        if token.type in {tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}:
            continue
        return token.type == tokenize.OP and token.string == ";"
    return False
