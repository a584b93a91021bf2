"""Names inside of texts that are evaluated: ``table.query("a > @n")``, ``pandas.eval("n + 1")``, ``eval("n")``."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from notebook_flows.analysis.files import Joined, Named

if TYPE_CHECKING:
    from notebook_flows.analysis.files import PathText

TABLE_METHODS = frozenset({"query", "eval"})
"""Methods of tables to which names of the caller are told by an @."""
EVALUATORS = frozenset({"pandas.eval", "pandas.core.computation.api.eval", "numexpr.evaluate"})
"""Functions that look up all names of a text where they are called."""
_AT = re.compile(r"(?<!\w)@\s*([^\W\d]\w*)")


def names_at(text: str) -> frozenset[str]:
    """The names after an @, which mean those of the caller.

    >>> sorted(names_at("a > @n and b in @lists.short"))
    ['lists', 'n']
    """
    return frozenset(_AT.findall(text))


def names_in(text: str) -> frozenset[str] | None:
    """The names that a text of Python reads, where an @ before a name means nothing; None: it is no Python.

    >>> sorted(names_in("n + @m") or ())
    ['m', 'n']
    >>> sorted(names_in("[k for k in rows]") or ())
    ['rows']
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who runs the cell is told what its text deserves
        try:
            tree = ast.parse(_AT.sub(r" \1", text).strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {node.id for node in names if not isinstance(node.ctx, ast.Load)}  # of comprehensions, and `z = x + y`
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names) - own


def visible(text: PathText | None) -> str:
    """What can be seen of a text of which not all is known."""
    if isinstance(text, Joined):
        return " ".join(map(visible, text.parts))
    return "" if text is None or isinstance(text, Named) else text
