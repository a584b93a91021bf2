"""What has no fingerprint, and why."""

from __future__ import annotations

from notebook_flows.errors import FlowError


class Unhashable(FlowError, TypeError):  # noqa: N818 - the sentence that people read
    """A value, or something that a function uses, whose content cannot be told.

    Attributes:
        reason: why, beginning with what it is.
        where: the way to it, from the outside in; empty if it is the value itself.
    """

    def __init__(self, reason: str, where: tuple[str, ...] = ()) -> None:
        super().__init__(reason, where)
        self.reason = reason
        self.where = where

    def inside(self, place: str) -> Unhashable:
        """The same, seen from one step further out."""
        return Unhashable(self.reason, (place, *self.where))

    def __str__(self) -> str:
        return f"{', '.join(self.where)}: {self.reason}" if self.where else self.reason


class Entangled(Unhashable):
    """Objects that all lead to one another: the way to where somebody lost patience says nothing."""

    def inside(self, place: str) -> Unhashable:
        """The same, from wherever it is seen."""
        return self
