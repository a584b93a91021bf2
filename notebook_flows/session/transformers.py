"""What we have put into IPython's lists of transformers: it is put there again where somebody has lost it."""

from __future__ import annotations

from typing import Any


class Transformers:
    """Ours, and the lists that they belong into.

    ipyflow gives IPython other lists for the time of a cell, so that what a cell puts there, as `%load_ext notebook_flows`
    does, is gone at its end. IPython itself drops AST transformers that have failed.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._ours: list[tuple[str, Any]] = []

    def add(self, kind: str, transformer: Any) -> None:
        """Put one at the end of a list, `ast_transformers` for example; done twice, it is done once."""
        if (kind, transformer) not in self._ours:
            self._ours.append((kind, transformer))
        self.restore()

    def restore(self) -> None:
        """Put those there again that are missing."""
        for kind, transformer in self._ours:
            found = getattr(self._shell, kind)
            if transformer not in found:
                found.append(transformer)

    def remove(self, kind: str, transformer: Any) -> None:
        """Take one out."""
        self._ours = [one for one in self._ours if one != (kind, transformer)]
        found = getattr(self._shell, kind)
        while transformer in found:
            found.remove(transformer)
