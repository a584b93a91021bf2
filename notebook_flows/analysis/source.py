"""From the raw text of a cell to Python's syntax tree, with the lines that its author sees."""

from __future__ import annotations

import ast
import re
import warnings
from functools import cache
from keyword import iskeyword
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.analysis.taskcell import without_task_line

if TYPE_CHECKING:
    from IPython.core.inputtransformer2 import TransformerManager

# What only IPython's transformer understands. Where none of it is found, the plain parser gives the same tree sooner.
_NEEDS_IPYTHON = re.compile(
    r"^[ \t]*(?:[%!?,;/]|>>>|\.\.\.|In \[)|=[ \t]*[%!]|\?[ \t]*$|^[ \t]*\S*[ \t]*\?", re.MULTILINE
)
# What binds names, line by line: for text in which nothing else can be relied upon.
_TARGETS = re.compile(r"^\s*([A-Za-z_][\w, \t]*)(?::[^=\n]*)?(?:[-+*/%&|^@<>]{0,2})=(?!=)", re.MULTILINE)
_BINDERS = re.compile(
    r"\b(?:def|class|as)[ \t]+(\w+)|\b(\w+)[ \t]*:=|\bfor[ \t]+([\w, \t()]+?)[ \t]+in\b|^\s*import[ \t]+([\w, \t]+)"
    r"|\bimport[ \t]+\(?([\w, \t]+)",
    re.MULTILINE,
)
_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Parsed(NamedTuple):
    """A cell's tree, and how many lines stand above the tree's first line."""

    tree: ast.Module
    lines_above: int


def parsed(source: str) -> Parsed | None:
    """The cell's tree, or None if it is not Python."""
    text = without_task_line(source.replace("\N{NO-BREAK SPACE}", " "))
    lines = text.splitlines(keepends=True)
    lines_above = next((number for number, line in enumerate(lines) if line.strip()), 0)
    text = "".join(lines[lines_above:])
    tree = None if _NEEDS_IPYTHON.search(text) else _tree(text)
    if tree is None:  # also of plain cells that fail: an indented cell is fine for IPython
        tree = _transformed(text)
    return Parsed(tree, lines_above) if tree is not None else None


def mistake_in(source: str) -> str:
    r"""Why a cell is no Python, and where; empty if that cannot be told.

    >>> mistake_in("%%task load\nx = 1\ny = = 2")
    'invalid syntax, in line 3: `y = = 2`'
    """
    text = without_task_line(source.replace("\N{NO-BREAK SPACE}", " "))
    lines = text.splitlines()
    lines_above = next((number for number, line in enumerate(lines) if line.strip()), 0)
    text = "\n".join(lines[lines_above:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(_transformer().transform_cell(text), "<cell>", "exec", flags=_FLAGS, dont_inherit=True)
    except SyntaxError as error:
        number = lines_above + (error.lineno or 0)
        if error.lineno is None or not 0 < number <= len(lines):
            return error.msg
        return f"{error.msg}, in line {number}: `{lines[number - 1].strip()}`"
    except Exception as error:  # IPython's tokenizer meets text of any kind
        return str(error)
    return ""


def names_in(source: str) -> frozenset[str]:
    r"""The names that a text which is no Python seems to bind.

    >>> sorted(names_in("import numpy as np\na, b = 1, 2\nfor i in range(3:\n    x += 1"))
    ['a', 'b', 'i', 'np', 'numpy', 'x']
    """
    text = without_task_line(source)
    found = [*_TARGETS.findall(text), *(" ".join(groups) for groups in _BINDERS.findall(text))]
    words = re.findall(r"\w+", " ".join(found))
    return frozenset(word for word in words if word.isidentifier() and not iskeyword(word))


def _transformed(text: str) -> ast.Module | None:
    try:
        return _tree(_transformer().transform_cell(text))
    except Exception:  # IPython's tokenizer meets text of any kind; what it cannot read is no Python
        return None


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a user's string is for the run to tell
            tree = compile(text, "<cell>", "exec", flags=_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None
    assert isinstance(tree, ast.Module)
    return tree


@cache
def _transformer() -> TransformerManager:
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()  # type: ignore[no-untyped-call]  # IPython has types in places only
