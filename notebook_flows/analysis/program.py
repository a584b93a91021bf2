"""A cell as steps on names and objects: what is left of its text when all that touches no name is taken away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """The steps of one cell."""
