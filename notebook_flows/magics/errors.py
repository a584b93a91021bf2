"""What `%flow` raises: errors that people read as a sentence, where a traceback would only show our own code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Sequence


class FlowLineError(FlowError):
    """A mistake in a line of `%flow`, or something that cannot be done; shown without a traceback."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence

    def _render_traceback_(self) -> Sequence[str]:
        return [f"\x1b[31m{line}\x1b[0m" for line in self.sentence.splitlines()]


class RunStopped(KeyboardInterrupt):
    """Ctrl-C has stopped a run in the notebook; shown without a traceback, which would show only our own code."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence

    def _render_traceback_(self) -> Sequence[str]:
        return [f"\x1b[31m{line}\x1b[0m" for line in self.sentence.splitlines()]


class FlowRunFailed(FlowError):  # noqa: N818 - the sentence that people read
    """A run in the notebook did not end well. The tracebacks stand below the cells that have failed.

    Attributes:
        sentence: how it ended.
        failures: name of a task -> what it has raised; None where it raised nothing.
    """

    def __init__(self, sentence: str, failures: dict[str, BaseException | None]) -> None:
        super().__init__(sentence, failures)
        self.sentence = sentence
        self.failures = failures

    def __str__(self) -> str:
        return self.sentence

    def _render_traceback_(self) -> Sequence[str]:
        self._let_debug_begin_there()
        return [f"\x1b[31m{line}\x1b[0m" for line in self.sentence.splitlines()]

    def _let_debug_begin_there(self) -> None:
        """`%debug` goes to the first task that has failed, not to us."""
        error = next((one for one in self.failures.values() if one is not None and one.__traceback__), None)
        if error is not None:
            sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
