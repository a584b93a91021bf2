"""Where the output of one task goes: the cell's place in the notebook, or a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Sink(Protocol):
    """Takes what one task prints and shows; any thread may call it, at any time, also after the task's end."""

    def stream(self, name: str, text: str) -> None:
        """It has printed ``text`` to ``stdout`` or ``stderr``."""

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something, as by ``display(...)``."""

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown under ``transient["display_id"]``, in whichever cell."""

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of its last expression."""

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception, rendered."""

    def clear(self, *, wait: bool) -> None:
        """What it has shown so far goes away, at once or when the next output comes."""


class RecordingSink:
    """Only keeps: for a terminal, for tests, for processes.

    Args:
        execution_count: the number that results bear.
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.
    """

    def __init__(self, *, execution_count: int | None = None, file: Path | None = None) -> None:
        self.execution_count = execution_count
        self.file = file

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """As the notebook format has them, up to date."""
        raise NotImplementedError

    def stream(self, name: str, text: str) -> None:
        """It has printed this."""
        raise NotImplementedError

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something."""
        raise NotImplementedError

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown."""
        raise NotImplementedError

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of its last expression."""
        raise NotImplementedError

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception, rendered."""
        raise NotImplementedError

    def clear(self, *, wait: bool) -> None:
        """What it has shown so far goes away."""
        raise NotImplementedError

    def flush(self) -> None:
        """Nothing is held back."""


class CellSink(RecordingSink):
    """Publishes under a cell's parent header, and keeps the outputs as a notebook would have them.

    Args:
        parent: the request that runs the cell: the message, or its header.
        execution_count: the number that results bear; None: the kernel's.
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.
    """

    def __init__(
        self, parent: Mapping[str, Any], *, execution_count: int | None = None, file: Path | None = None
    ) -> None:
        super().__init__(execution_count=execution_count, file=file)
        self.parent = parent
