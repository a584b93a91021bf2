"""In a kernel: a line ``!command`` that fails raises, instead of being passed over in silence."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import ShellCommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable

PROLOGUE = (
    '__import__("notebook_flows.notebook.strictshell", fromlist=["install"]).install('
    '__import__("IPython").get_ipython())'
)
"""What a runner sends to the kernel before the first cell."""


def install(shell: Any) -> None:
    """Let ``!command``, ``x = !command`` and ``!!command`` of this IPython shell raise where the command fails."""
    # The names of the shell's own methods; they expand {expressions} two frames up, so they cannot be called from here.
    shell.system = _strict_system(shell)
    shell.getoutput = _strict_getoutput(shell)


def _strict_system(shell: Any) -> Callable[[str], None]:
    from IPython.utils.process import system  # type: ignore[attr-defined] # as ipykernel imports it

    def run(cmd: str) -> None:
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")  # as IPython says it
        command = shell.var_expand(cmd, depth=1)
        code = system(command)
        shell.user_ns["_exit_code"] = code
        _check(command, code)

    return run


def _strict_getoutput(shell: Any) -> Callable[..., Any]:
    from IPython.utils._process_common import process_handler
    from IPython.utils.text import LSString, SList

    def run(cmd: str, split: bool = True, depth: int = 0) -> Any:
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        command = shell.var_expand(cmd, depth=depth + 1)
        told = process_handler(command, lambda process: (process.communicate()[0], process), subprocess.STDOUT)
        text, code = ("", 1) if told is None else (told[0].decode(errors="replace"), told[1].returncode)
        shell.user_ns["_exit_code"] = code
        _check(command, code)
        return SList(text.splitlines()) if split else LSString(text)

    return run


def _check(command: str, code: int) -> None:
    # IPython tells a signal as a negative number, a shell that met one as 128 + n
    if code:
        raise ShellCommandFailed(command, code)
