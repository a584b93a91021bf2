"""What ``get_ipython()`` is inside a task that runs in a thread or a process: `!`, `%time` and the like, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class MiniShell:
    """A shell for one run of one task cell.

    Args:
        namespace: the task's own names; ``_exit_code`` and what ``%%capture name`` binds land there.
        shell: the kernel's IPython, for its configuration; None in a process without one.
        strict_shell: a failing ``!cmd`` raises `ShellCommandFailed`.
    """

    def __init__(self, namespace: MutableMapping[str, Any], *, shell: Any = None, strict_shell: bool = False) -> None:
        self.user_ns = namespace
        self.strict_shell = strict_shell

    def get_ipython(self) -> MiniShell:
        """What the name ``get_ipython`` stands for in the task's namespace."""
        return self

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """``%name line``."""
        raise NotImplementedError

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """``%%name line`` with a body."""
        raise NotImplementedError

    def system(self, cmd: str) -> None:
        """``!cmd``."""
        raise NotImplementedError

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """``x = !cmd`` and ``!!cmd``."""
        raise NotImplementedError
