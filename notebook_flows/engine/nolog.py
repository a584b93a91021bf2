"""A history that is switched off: the run goes on as ever, and leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.engine.call import LogLine
    from notebook_flows.engine.ports import KeptContent, Request, RunInfo


class NoRunLog:
    """Fits `engine.ports.RunLog`."""

    def append(self, events: Sequence[Event]) -> None:
        """Forget them."""

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Forget them."""

    def keep(self, contents: Sequence[KeptContent]) -> None:
        """Forget them."""

    def may_start(self) -> bool:
        """Always."""
        return True

    def flush(self) -> None:
        """Nothing to wait for."""

    def requests(self, *, at_once: bool = False) -> Sequence[Request]:
        """Nobody can ask: no other process knows of this run."""
        del at_once
        return ()

    def close(self, patience_s: float | None = None) -> None:
        """Nothing to give up."""


class NoEventLog:
    """Fits `engine.ports.EventLog`."""

    def begin(self, info: RunInfo) -> NoRunLog:
        """Open a run."""
        return NoRunLog()
