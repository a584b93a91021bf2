"""What the analysis knows of one cell: which names it reads, binds and mutates, and what it cannot see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis.files import FileUse
    from notebook_flows.analysis.program import Program


@dataclass(frozen=True, kw_only=True, slots=True)
class CellFacts:
    """One cell on its own, as if nothing were known of the cells around it.

    Attributes:
        reads: names whose values are needed to run the cell.
        late: names read only inside functions that are defined here: needed by who calls them.
        builtins: names of Python's own that are read, unless an earlier cell binds them.
        binds: names that the cell binds, surely or on some path.
        may_bind: those of ``binds`` that are bound on some path only.
        deletes: names of other cells that are deleted here.
        passing: names that the cell binds and then deletes: it has them for itself alone.
        mutates: names of other cells whose object is possibly changed.
        aliases: bound name -> names of other cells whose object it may share or hold.
        function_late: function or class -> the names that its body reads when it runs.
        function_writes: function -> names that it binds by ``global``.
        opaque: why the cell cannot be seen through: "syntax", "exec()", "%run"...; empty if it can.
        mistake: of a cell that is no Python: what is wrong, and where.
        star: modules of ``import *``.
        magics: magics that need the kernel's main thread.
        has_await: there is an ``await``, ``async for`` or ``async with`` outside of functions.
        uses_pyplot: it draws on the figure that pyplot holds.
        hidden_state: of "random", "cwd", "environ", "warnings", "locale", "signals", "modules", "async": what it uses of them;
            "async" is the running event loop, of which it begins tasks, or asks something.
        effects: what it does outside of Python's memory: "!", "open() for writing", "to_csv()"...
        files: the files that it reads and writes, as far as the cell alone tells.
        history: names of IPython's history that are read, as ``_`` and ``Out``.
        imports: name -> module (with the name in it, dotted) that an import binds to it.
        only_imports: there is nothing in the cell but imports and text.
        functions: names of the functions and classes that the cell defines.
        lines: name -> first line, from 1 and in the raw cell, on which it is read, bound or mutated.
        program: the cell as `connect` reads it; nothing for others.
    """

    reads: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    builtins: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    function_late: Mapping[str, frozenset[str]] = field(default_factory=dict)
    function_writes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    opaque: tuple[str, ...] = ()
    mistake: str = ""
    star: tuple[str, ...] = ()
    magics: tuple[str, ...] = ()
    has_await: bool = False
    uses_pyplot: bool = False
    hidden_state: frozenset[str] = frozenset()
    effects: tuple[str, ...] = ()
    files: frozenset[FileUse] = frozenset()
    history: frozenset[str] = frozenset()
    imports: Mapping[str, str] = field(default_factory=dict)
    only_imports: bool = False
    functions: frozenset[str] = frozenset()
    lines: Mapping[str, int] = field(default_factory=dict)
    program: Program | None = field(default=None, repr=False, compare=False)
