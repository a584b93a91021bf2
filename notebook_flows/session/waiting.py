"""An attempt that waits for others, as for its turn with pyplot or to be alone, does not use up its own time meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock(Protocol):
    """Counts the time of one attempt; any thread may call it."""

    def stop(self) -> None:
        """It waits: no time passes for it."""

    def go_on(self) -> None:
        """It has waited: what is left of its time passes again."""


_clock: ContextVar[Clock | None] = ContextVar("notebook_flows_clock", default=None)


@contextmanager
def timed_by(clock: Clock | None) -> Iterator[None]:
    """Inside, this is the clock of the attempt; None: nobody limits its time."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


@contextmanager
def waiting() -> Iterator[Clock | None]:
    """Inside, the calling attempt waits for others; it may have its clock go on before the end."""
    clock = _clock.get()
    if clock is None:
        yield None
        return
    clock.stop()
    try:
        yield clock
    finally:
        clock.go_on()
