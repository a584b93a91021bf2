"""What a task gets that asks a question where nobody answers: an error that says so, not the end of an empty file.

While a cell is executed, the kernel itself takes care of ``input()``. A task in a thread goes on after that, and one in
a process has no kernel: there ``input()`` reads ``sys.stdin``, which in both is empty.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.session.routes import current_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

UNANSWERED = "Nobody can answer a task that runs in a thread or a process. Make what it asks for a parameter."


class UnaskableInput:
    """The standard input, which refuses to be read by a task.

    Args:
        real: what everybody else reads.
    """

    def __init__(self, real: Any) -> None:
        self._real = real

    def readline(self, size: int = -1) -> Any:
        """The next line; ``input()`` asks for it here."""
        self._refuse()
        return self._real.readline(size)

    def read(self, size: int | None = -1) -> Any:
        """All that is left."""
        self._refuse()
        return self._real.read(size)

    def __iter__(self) -> Iterator[Any]:
        self._refuse()
        return iter(self._real)

    def _refuse(self) -> None:
        if current_sink() is not None:
            from IPython.core.error import StdinNotImplementedError

            raise StdinNotImplementedError(UNANSWERED)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def questions_refused() -> Iterator[None]:
    """Inside, a task that reads the standard input gets an error; at a terminal it may ask."""
    before: Any = sys.stdin
    if before is None or before.closed or before.isatty():
        yield
        return
    ours: Any = UnaskableInput(before)
    sys.stdin = ours
    try:
        yield
    finally:
        if sys.stdin is ours:
            sys.stdin = before
