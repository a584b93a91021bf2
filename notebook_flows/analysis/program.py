"""A cell as steps on names and objects: what is left of its text when all that touches no name is taken away.

An expression gives a set of objects; an expression that can only give something immutable gives the empty set. A
`site` is a number that is unique in its cell; an object that is made there carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from notebook_flows.analysis.files import FileUse, Paths, PathText


class Const(NamedTuple):
    """A number, a text: nothing that anybody can change."""


class Load(NamedTuple):
    """The value of a name."""

    name: str
    line: int


class Held(NamedTuple):
    """A value that a `Hold` has put aside."""

    slot: int


class Build(NamedTuple):
    """A new object that holds the parts: `[a, b]`."""

    site: int
    parts: tuple[Expr, ...]


class Join(NamedTuple):
    """A new object that holds what the parts hold: `a + b`."""

    site: int
    parts: tuple[Expr, ...]


class Look(NamedTuple):
    """Something immutable that is found by looking at the parts: `a == b`."""

    parts: tuple[Expr, ...]


class OneOf(NamedTuple):
    """One of the parts: `a or b`."""

    parts: tuple[Expr, ...]


class Part(NamedTuple):
    """Something inside of the object: `a[i]`, `a.b`; with `also` the expressions of the index."""

    value: Expr
    attribute: str | None
    also: tuple[Expr, ...]


class Fresh(NamedTuple):
    """A copy of some of the object, `table[table.x > 0]`: new outside, the same things inside."""

    site: int
    value: Expr
    also: tuple[Expr, ...]


class Call(NamedTuple):
    """A call: of `callee`, or of its attribute."""

    site: int
    line: int
    callee: Expr
    attribute: str | None
    args: tuple[Expr, ...]
    keywords: tuple[tuple[str | None, Expr], ...]
    texts: tuple[str | None, ...]  # of the first arguments, those that are plain text: the mode of open()
    flags: frozenset[str]  # keywords that are given as True: inplace=True
    is_spread: bool  # *args or **kwargs: who gets which is not known
    paths: Paths = {}  # what says of paths: arguments by place and keyword, and "self" # noqa: RUF012 - never changed


class Function(NamedTuple):
    """A function is made, with its default values."""

    site: int
    code: Code
    defaults: tuple[Expr, ...]


class Class(NamedTuple):
    """A class is made: its body runs in a scope of its own."""

    site: int
    name: str
    bases: tuple[Expr, ...]
    body: Block
    bound: frozenset[str]


class Scope(NamedTuple):
    """A comprehension: steps in a scope of their own, then a value."""

    site: int
    bound: frozenset[str]
    steps: Block
    value: Expr
    is_lazy: bool  # a generator: its steps run again wherever it is used


class Run(NamedTuple):
    """Steps in this scope, then a value."""

    steps: Block
    value: Expr


class Walrus(NamedTuple):
    """A value that also gets a name."""

    name: str
    value: Expr
    line: int


class Await(NamedTuple):
    """What comes out of an awaitable."""

    value: Expr


class Caught(NamedTuple):
    """The exception that a handler has caught."""

    site: int


class Imported(NamedTuple):
    """A module, or something in it."""

    dotted: str


Expr: TypeAlias = (
    "Const | Load | Held | Build | Join | Look | OneOf | Part | Fresh | Call | Function | Class | Scope | Run | Walrus"
    " | Await | Caught | Imported"
)


class Do(NamedTuple):
    """An expression for what it does."""

    value: Expr


class Hold(NamedTuple):
    """A value is put aside."""

    slot: int
    value: Expr


class Bind(NamedTuple):
    """A name gets a value."""

    name: str
    value: Expr
    line: int


class Augment(NamedTuple):
    """`name += value`."""

    site: int
    name: str
    value: Expr
    line: int


class Store(NamedTuple):
    """Something inside of the target is set or deleted: `a[i] = v`, `a.b = v`, `del a[i]`."""

    target: Expr
    attribute: str | None
    value: Expr
    line: int


class Delete(NamedTuple):
    """`del name`."""

    name: str
    line: int


class Enter(NamedTuple):
    """`with value`: what is entered possibly changes."""

    slot: int
    value: Expr


class Branch(NamedTuple):
    """One of the blocks runs."""

    blocks: tuple[Block, ...]


class Loop(NamedTuple):
    """The body runs any number of times, then perhaps the other block."""

    body: Block
    orelse: Block


class Try(NamedTuple):
    """The body may stop anywhere, and then one of the handlers runs."""

    body: Block
    handlers: tuple[Block, ...]
    orelse: Block
    final: Block


class Leave(NamedTuple):
    """`return`, `raise`, `break`, `continue`: what follows in this block does not run."""

    value: Expr
    is_return: bool


class Yield(NamedTuple):
    """A value that a generator hands out."""

    value: Expr


class Unseen(NamedTuple):
    """The cell cannot be seen through here."""

    reason: str


class Note(NamedTuple):
    """Something that happens outside of names and objects; the kind is a field of the facts."""

    kind: str
    text: str


class Uses(NamedTuple):
    """Files are read or written."""

    uses: tuple[FileUse, ...]


Step: TypeAlias = (
    "Do | Hold | Bind | Augment | Store | Delete | Enter | Branch | Loop | Try | Leave | Yield | Unseen | Note | Uses"
)
Block: TypeAlias = "tuple[Step, ...]"


@dataclass(kw_only=True, slots=True, eq=False)
class Code:
    """The body of a function.

    Attributes:
        bound: its own names.
        global_names: the names that it declares global.
        free: the names outside of it that it and the functions inside of it read.
        global_binds: the names that it and the functions inside of it bind by ``global``.
        has_inner: functions inside of it may keep its names alive.
        is_lazy: calling it runs nothing yet: a generator or a coroutine.
    """

    name: str
    params: tuple[str, ...]
    variadic: tuple[str, ...]
    body: Block = ()
    bound: frozenset[str] = frozenset()
    global_names: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    global_binds: frozenset[str] = frozenset()
    has_inner: bool = False
    is_lazy: bool = False
    method_of: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """The steps of one cell, with what its text alone tells.

    Attributes:
        codes: function or class name, as bound at the top of the cell -> the bodies that it runs.
        all_codes: every function in the cell, in the order of the text.
        texts: name -> what it says of a path, if it is bound once.
    """

    steps: Block = ()
    codes: dict[str, tuple[Code, ...]] = field(default_factory=dict)
    all_codes: tuple[Code, ...] = ()
    imports: dict[str, str] = field(default_factory=dict)
    star: tuple[str, ...] = ()
    magics: tuple[str, ...] = ()
    has_await: bool = False
    only_imports: bool = False
    functions: frozenset[str] = frozenset()
    texts: dict[str, PathText] = field(default_factory=dict)
