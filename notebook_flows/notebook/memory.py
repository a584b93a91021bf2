"""What the executor of cells asks about earlier runs: whether a cell has to run, and what is to be kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.notebook.cells import CellTask


class Taken(NamedTuple):
    """A cell that need not run.

    Attributes:
        message: from which run it is.
        details: for the event.
        outputs: in the notebook format; None: those that the kernel has shown again.
    """

    message: str
    details: Mapping[str, Any]
    outputs: Sequence[Mapping[str, Any]] | None = None


class CellMemory(Protocol):
    """Of one run; it is asked in one thread."""

    def instead(self, task: CellTask) -> Taken | None:
        """What stands for a cell that need not even be known to the kernel; None: it does."""

    def order(self, task: CellTask, attempt: int) -> Mapping[str, Any]:
        """What the session in the kernel is told of a task cell that is about to run."""

    def taken(self, task: CellTask, told: Mapping[str, Any]) -> Taken:
        """The session in the kernel has taken a task cell from an earlier run."""

    def kept(self, task: CellTask, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """A task cell has run well: more for its event, as the session in the kernel has told it."""

    def ordinary(self, task: CellTask, outputs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """An ordinary cell has run well: more for its event."""

    def remarks(self, told: Mapping[str, Any]) -> Sequence[tuple[int, str]]:
        """What the session in the kernel has to say for the log: levels, and sentences."""
