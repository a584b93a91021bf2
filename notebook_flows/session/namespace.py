"""The names that one run of a task cell sees: those of the notebook, its inputs over them, and what it binds itself."""

from __future__ import annotations

import re
from types import FunctionType
from typing import TYPE_CHECKING, Any

from notebook_flows.session.latenames import global_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from notebook_flows.analysis import CellFacts

HISTORY = re.compile(
    r"_+|_i+|_i?\d+|_[iod]h|In|Out|exit|quit|get_ipython|__builtins__|__builtin__|__annotations__|__annotate__|__warningregistry__"
)
"""Names that IPython, and Python's own machinery, bind; they are nobody's values."""


class TaskNames(dict[str, Any]):
    """The globals of one run of a cell, and of the functions that it defines.

    While the cell runs, this is a dictionary like any other. Afterwards it becomes a `Window`: what was defined here and
    is still held somewhere, by a registry, a thread, a generator, sees the notebook's names from then on.

    Attributes:
        home: the notebook's namespace.
    """

    __slots__ = ("home",)

    home: dict[str, Any]

    def open_window(self, keep: Iterable[str]) -> None:
        """From now on, hold only these names; for all others look at the notebook."""
        kept = {name: self[name] for name in keep if name in self}
        self.__class__ = Window  # first: whoever reads meanwhile finds a name here or there
        for name in [name for name in self if name not in kept]:
            dict.pop(self, name, None)


class Window(TaskNames):
    """Globals of functions whose cell has ended: the names of the notebook, and those that have not landed yet."""

    __slots__ = ()

    def __missing__(self, name: str) -> Any:
        return self.home[name]

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or name in self.home

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, here or in the notebook."""
        return self[name] if name in self else default  # noqa: SIM401 - this is what get is made of

    def copy(self) -> dict[str, Any]:
        """All names, as a dictionary of their own; those who evaluate expressions begin with one."""
        return {**self.home, **self}

    def close(self) -> None:
        """Hold nothing any more: all has landed."""
        self.clear()


def start_names(
    facts: CellFacts, values: Mapping[str, Any], user_ns: Mapping[str, Any], absent: Iterable[str]
) -> dict[str, Any]:
    """The names with which a cell begins.

    All names of the notebook, for not all that reads them can be seen: expressions in strings, libraries that look at
    the caller's names. But what the cell may bind, and nobody reads before, is not there, so that afterwards its being
    there means that it was bound.
    """
    names = dict(user_ns)
    for name in absent:
        names.pop(name, None)
    names.update(values)
    unread = facts.may_bind - facts.reads - facts.late - facts.deletes - facts.builtins - values.keys()
    if unread:
        unread -= read_by_functions(tuple(names.values()))
    for name in unread:
        names.pop(name, None)
    return names


def read_by_functions(values: Iterable[Any]) -> frozenset[str]:
    """The global names that these functions, and the methods of these classes, read."""
    found: set[str] = set()
    for value in values:
        inside = (
            vars(value).values()
            if isinstance(value, type) and getattr(value, "__module__", None) == "__main__"
            else (value,)
        )
        for one in inside:
            function = one.__func__ if type(one) in {staticmethod, classmethod} else one
            if type(function) is FunctionType:
                found |= global_names(function.__code__)
    return frozenset(found)


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], facts: CellFacts
) -> tuple[dict[str, Any], frozenset[str]]:
    """What a cell has bound and what it has deleted, between two looks at its names.

    A name that it has bound itself before it has deleted it was never the notebook's.
    """
    missing = object()
    bound = {}
    for name, value in after.items():
        if HISTORY.fullmatch(name) and name not in facts.binds:
            continue
        surely = name in facts.binds and name not in facts.may_bind
        if surely or before.get(name, missing) is not value:
            bound[name] = value
    gone = {name for name in before if name not in after and not HISTORY.fullmatch(name)}
    return bound, frozenset(gone - facts.passing)
