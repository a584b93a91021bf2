"""The text of a function in a form where comments, layout and docstrings do not count: its syntax tree, written out.

A source file may have been edited since it was loaded. So the text counts only if it compiles to exactly the code that is
there to run; else the bytecode stands for it, which is as good while Python stays the same.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.libraries import PYTHON
from notebook_flows.fingerprints.names import Names, names_of, with_nested

if TYPE_CHECKING:
    from collections.abc import Iterator

type_of_function_node = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

MOST_KEPT = 4_096
_COMPILE_FLAGS_MASK = 0x1FF0000
"""The ``from __future__`` flags among a code's flags: its file was compiled with them."""
_NOT_TOLD = frozenset({"ctx", "type_comment", "kind", "lineno", "col_offset", "end_lineno", "end_col_offset"})


@dataclass(frozen=True, slots=True)
class CodeText:
    """What a function's own code says.

    Attributes:
        form: ``source``, or ``bytecode`` and the version of Python.
        text: the content.
        names: what it takes from outside.
    """

    form: str
    text: bytes
    names: Names


class _File:
    """A source file as it was read: its tree, and the code that it compiles to."""

    def __init__(self, name: str, lines: list[str], flags: int) -> None:
        self.lines = lines
        source = "".join(lines)
        self.tree = ast.parse(source, name)
        flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        whole = compile(source, name, "exec", flags=flags, dont_inherit=True)
        self.codes: dict[tuple[int, str], list[CodeType]] = {}
        for code in with_nested(whole):
            self.codes.setdefault((code.co_firstlineno, code.co_name), []).append(code)
        self.nodes: dict[tuple[int, str], list[type_of_function_node]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                self.nodes.setdefault((first, node.name), []).append(node)
            elif isinstance(node, ast.Lambda):
                self.nodes.setdefault((node.lineno, "<lambda>"), []).append(node)


_files: dict[tuple[str, int], _File | None] = {}
_texts: dict[int, tuple[CodeType, CodeText]] = {}


def text_of(code: CodeType, module_globals: dict[str, Any] | None = None) -> CodeText:
    """What a code object says. It is read once; the code is kept alive by being remembered."""
    known = _texts.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    node = _node_of(code, module_globals)
    if node is not None:
        text = CodeText("source", written(_without_outside(node)), names_of(code))
    else:
        text = CodeText(f"bytecode {PYTHON}", bytes_of_code(code), names_of(code))
    if len(_texts) >= MOST_KEPT:
        _texts.clear()
    _texts[id(code)] = (code, text)
    return text


def _node_of(code: CodeType, module_globals: dict[str, Any] | None) -> type_of_function_node | None:
    """The syntax tree of the function that this is the code of, if the text that can be found is its text."""
    file = _file_of(code, module_globals)
    if file is None:
        return None
    place = (code.co_firstlineno, code.co_name)
    if not any(one == code for one in file.codes.get(place, ())):
        return None
    nodes = file.nodes.get(place, [])
    if code.co_name == "<lambda>" and len(nodes) > 1:
        nodes = [node for node in nodes if isinstance(node, ast.Lambda) and _is_within(code, node.body)]
        nodes = [node for node in nodes if not any(one is not node and _holds(node, one) for one in nodes)]
    return nodes[0] if len(nodes) == 1 else None


def _file_of(code: CodeType, module_globals: dict[str, Any] | None) -> _File | None:
    name = code.co_filename
    lines = linecache.getlines(name, module_globals)
    if not lines:
        return None
    flags = code.co_flags & _COMPILE_FLAGS_MASK
    known = _files.get((name, flags))
    if known is not None and known.lines == lines:
        return known
    try:
        found = _File(name, lines, flags)
    except (SyntaxError, ValueError):  # edited since, or no Python: then there is no text for the code
        return None
    if len(_files) >= MOST_KEPT:
        _files.clear()
    _files[name, flags] = found
    return found


def _is_within(code: CodeType, body: ast.expr) -> bool:
    begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column
    ]
    return bool(spans) and all(begin <= first and last <= end for first, last in spans)


def _holds(outer: ast.AST, inner: ast.AST) -> bool:
    return any(node is inner for node in ast.walk(outer))


def _without_outside(node: type_of_function_node) -> Iterator[ast.AST | list[Any]]:
    """What counts of a function's own text: not its name and decorators, which act from outside, nor its defaults, which
    are values by now.
    """
    arguments = node.args
    yield [arguments.posonlyargs, arguments.args, arguments.vararg, arguments.kwonlyargs, arguments.kwarg]
    if isinstance(node, ast.Lambda):
        yield node.body
        return
    yield [type(node).__name__, node.returns]
    yield _without_docstring(node.body)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body


def written(parts: Any) -> bytes:
    """A syntax tree as text: node names and fields, without places in the file, empty fields and docstrings."""
    out: list[str] = []
    for part in parts:
        _write(part, out)
    return "".join(out).encode("utf-8", "surrogatepass")


def _write(one: Any, out: list[str]) -> None:
    if isinstance(one, ast.AST):
        out.append(type(one).__name__)
        out.append("(")
        for name in one._fields:
            value = getattr(one, name, None)
            if name in _NOT_TOLD or value == [] or (value is None and not isinstance(one, ast.Constant)):
                continue
            if name == "body" and isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                value = _without_docstring(value or [])
            out.append(f"{name}=")
            _write(value, out)
        out.append(")")
    elif isinstance(one, list | tuple):
        out.append("[")
        for item in one:
            _write(item, out)
        out.append("]")
    elif isinstance(one, frozenset):
        out.append(f"{{{','.join(sorted(map(repr, one)))}}}")
    else:
        out.append(f"{one!r};")


def bytes_of_code(code: CodeType) -> bytes:
    """The bytecode with its constants and names, without places in the file."""
    constants: list[Any] = []
    for one in code.co_consts:
        if isinstance(one, CodeType):
            constants.append(bytes_of_code(one))
        else:
            constants.append(_constant(one))
    told = (
        code.co_code,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_exceptiontable,
    )
    return repr(told).encode("utf-8", "surrogatepass")


def _constant(one: Any) -> Any:
    """A constant, told the same in every process; sets have another order in each."""
    if isinstance(one, frozenset):
        return ("frozenset", sorted(repr(_constant(item)) for item in one))
    if isinstance(one, tuple):
        return ("tuple", [_constant(item) for item in one])
    return (type(one).__name__, repr(one))
