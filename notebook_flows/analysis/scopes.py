"""Whose name a name is: the scopes of a cell while its tree is walked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_flows.analysis.program import Code


@dataclass(kw_only=True, slots=True)
class Names:
    """The names of one scope: of a function, a class body, a comprehension, or (without a parent) of the cell.

    Attributes:
        loads: names that are read here or, free, in the scopes inside.
        bound: names that are bound here.
        inner_binds: names that functions inside declare global and bind.
    """

    kind: str  # "cell", "function", "class", "comprehension"
    parent: Names | None = None
    loads: set[str] = field(default_factory=set)
    inner_loads: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    global_loads: set[str] = field(default_factory=set)
    global_binds: set[str] = field(default_factory=set)
    codes: list[Code] = field(default_factory=list)
    is_lazy: bool = False

    def load(self, name: str) -> None:
        """A name is read here."""
        (self.global_loads if name in self.global_names else self.loads).add(name)

    def bind(self, name: str) -> None:
        """A name is bound here, or where `global` and `nonlocal` say."""
        if name in self.global_names:
            self.global_binds.add(name)
        elif name not in self.nonlocal_names:
            self.bound.add(name)

    def bind_walrus(self, name: str) -> None:
        """A name is bound by `:=`: in the nearest scope that is no comprehension."""
        scope = self
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        scope.bind(name)

    @property
    def free(self) -> frozenset[str]:
        """The names that this scope, and those inside of it, read from outside."""
        inner = self.inner_loads if self.kind == "class" else self.inner_loads - self.bound
        return frozenset((self.loads - self.bound) | inner | self.global_loads)

    def leave(self) -> None:
        """The scope is complete: what is free in it is read, from inside, in the scope around it."""
        if self.parent is not None:
            # What a comprehension reads is read at once; what a function reads, when it is called.
            self.parent.inner_loads |= self.free
            self.parent.global_binds |= self.global_binds
            if self.kind != "function":  # what is free in a function inside of a function is free in that one, too
                self.parent.codes += self.codes
