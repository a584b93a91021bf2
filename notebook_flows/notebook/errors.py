"""What can be wrong with a notebook, told before anything of it runs.

FlowError
├── NotebookError                a notebook that cannot be run
│   ├── NotebookNotFound         there is no such file                                (FileNotFoundError)
│   ├── NotebookUnreadable       no JSON, no notebook, or one from the future         (ValueError)
│   ├── UnknownKernel            no kernel of this name is installed                  (ValueError)
│   ├── OutputError              the output notebook cannot be written                (OSError)
│   └── CellError                a cell failed; what it raised, in words
└── ParameterError
    └── NotebookParameterError   unknown, missing or unreadable parameters, all told at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError, ParameterError, did_you_mean
from notebook_flows.notebook.names import named

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_THE_NOTEBOOK = "In the notebook:"
"""Stands between an error's own traceback and that of the cell that failed."""


class NotebookError(FlowError):
    """A notebook that cannot be run.

    Attributes:
        path: of the notebook, as it was given.
        reason: a sentence that goes on after the path.
    """

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(path, reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"Notebook {named(self.path)!r} {self.reason}"


class NotebookNotFound(NotebookError, FileNotFoundError):  # noqa: N818 - the sentence that people read
    """There is no such file."""


class NotebookUnreadable(NotebookError, ValueError):  # noqa: N818 - the sentence that people read
    """The file is no notebook that we can read."""


class UnknownKernel(NotebookError, ValueError):  # noqa: N818 - the sentence that people read
    """No kernel of this name is installed.

    Attributes:
        kernel: the name that was looked for.
        known: the names of those that are.
    """

    def __init__(self, path: object, kernel: str, known: Sequence[str]) -> None:
        listed = ", ".join(known) or "none"
        super().__init__(
            path,
            f"wants the kernel {kernel!r}, which is not installed.{did_you_mean(kernel, known)} "
            f"Installed: {listed}. Choose one with --kernel NAME.",
        )
        self.kernel = kernel
        self.known = tuple(known)


class OutputError(NotebookError, OSError):
    """The output notebook cannot be written; an older one in its place is still whole."""

    def __str__(self) -> str:
        return f"The output notebook {named(self.path)!r} {self.reason}"


class CellError(NotebookError):
    """What a cell raised, in words: its exception lives in the kernel.

    Attributes:
        cell: 1 for the first code cell.
        name: the exception's class.
        value: its message.
        traceback: as text, without colours.
    """

    def __init__(self, path: object, cell: int, name: str, value: str, traceback: str = "") -> None:
        super().__init__(path, f"failed in cell {cell}: {name}: {value}")
        self.args = (path, cell, name, value, traceback)
        self.cell = cell
        self.name = name
        self.value = value
        self.traceback = traceback


class NotebookParameterError(ParameterError):
    """Parameters that do not fit the notebook's.

    Attributes:
        path: of the notebook.
        problems: one sentence for each problem, at least one.
    """

    def __init__(self, path: object, problems: Sequence[str]) -> None:
        super().__init__(path, tuple(problems))
        self.path = str(path)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        path = named(self.path)
        if len(self.problems) == 1:
            return f"Notebook {path!r} cannot run with these parameters: {self.problems[0]}"
        listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return f"Notebook {path!r} cannot run with these parameters, for {len(self.problems)} reasons:\n{listed}"
