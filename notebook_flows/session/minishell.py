"""What ``get_ipython()`` is inside a task that runs in a thread or a process: `!`, `%time` and the like, no more."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError, ShellCommandFailed
from notebook_flows.session.commands import Command
from notebook_flows.session.displaying import show_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

LENT = frozenset(
    [
        "config",
        "display_formatter",
        "display_pub",
        "displayhook",
        "execution_count",
        "kernel",
        "colors",
        "profile_dir",
        "has_trait",
        "user_module",
        "user_global_ns",
        "compile",
        "transform_ast",
        "ast_transformers",
        "autoawait",
    ]
)
"""What a task may look at of the kernel's shell."""


class NeedsMainThread(FlowError, AttributeError):  # noqa: N818 - the sentence that people read
    """A task that runs in a thread or a process asks for what only the kernel's main thread has.

    Attributes:
        wanted: the magic, or the attribute of ``get_ipython()``.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"{self.wanted} works in the kernel's main thread only, and this task runs elsewhere. "
            "Run it there: `%%task --executor main`; or move the line to a cell that is no task."
        )


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
        self._shell = shell
        self._lock = threading.Lock()
        self._commands: set[Command] = set()
        self._was_stopped = False

    def get_ipython(self) -> MiniShell:
        """What the name ``get_ipython`` stands for in the task's namespace."""
        return self

    @property
    def runs_commands(self) -> bool:
        """Whether the task waits for a command."""
        with self._lock:
            return bool(self._commands)

    def stop(self) -> None:
        """Ends the commands that run, and lets no more begin: the task was cancelled, interrupted, or is too late."""
        with self._lock:
            self._was_stopped = True
            commands = list(self._commands)
        for command in commands:
            command.stop()

    # -- what IPython's syntax becomes ------------------------------------------------------------------------------

    def system(self, cmd: str) -> None:
        """``!cmd``: prints what the command prints, as it does; ``_exit_code`` tells how it ended."""
        _refuse_background(cmd)
        line = self.var_expand(cmd, depth=1)
        with self._command(line) as command:
            code = command.run(_print)
        self._judge(line, code, command)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """``x = !cmd`` and ``!!cmd``: what the command prints, as a list of lines."""
        from IPython.utils.text import LSString, SList

        _refuse_background(cmd)
        line = self.var_expand(cmd, depth=depth + 1)
        with self._command(line) as command:
            text, code = command.output()
        self._judge(line, code, command, keeps_code=False)
        return SList(text.splitlines()) if split else LSString(text)

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """``%name line``."""
        return self._magic(f"%{magic_name}", magic_name, line, None, sys._getframe(_stack_depth).f_locals)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """``%%name line`` with a body."""
        return self._magic(f"%%{magic_name}", magic_name, line, cell, sys._getframe(1).f_locals)

    def _magic(self, shown: str, name: str, line: str, cell: str | None, names: dict[str, Any]) -> Any:
        handler = MAGICS.get((name, cell is not None))
        if handler is None:
            raise NeedsMainThread(shown)
        return handler(self, line, cell, names)

    # -- what magics and users ask of a shell -----------------------------------------------------------------------

    def var_expand(self, cmd: str, depth: int = 0) -> str:
        """``{expression}`` and ``$name`` become their values, of the caller's names and the task's."""
        return self._filled_in(cmd, sys._getframe(depth + 1).f_locals)

    def push(self, variables: Any, interactive: bool = True) -> None:
        """Bind these names in the task."""
        self.user_ns.update(variables)

    def transform_cell(self, cell: str) -> str:
        """IPython's text as Python's."""
        if self._shell is not None:
            text: str = self._shell.transform_cell(cell)
            return text
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(cell)  # type: ignore[no-untyped-call] # IPython's own

    def run_cell(self, raw_cell: str, *args: Any, **more: Any) -> None:
        """Runs the text in the task's names and shows the value of a last expression; raises what it raises."""
        from notebook_flows.session.code import prepare

        code = prepare(raw_cell, key="cell", name="cell", shell=self._shell)
        if code.problem is not None:
            raise code.problem
        for step in code.steps:
            if step.awaits:
                raise NeedsMainThread("`await` under this magic")
            names: Any = self.user_ns
            value = eval(step.code, names)  # noqa: S307 - it is the user's own code
            if step.shows and value is not None:
                self.show(value)

    def show(self, value: Any) -> None:
        """The value of the task's last expression goes to its cell."""
        show_result(self._shell if self._shell is not None else _any_shell(), value)

    @property  # type: ignore[misc] # object's can be set
    def __class__(self) -> Any:
        """Libraries ask for the name of the shell's class, to know whether this is a notebook."""
        return MiniShell if self._shell is None else type(self._shell)

    def __getattr__(self, name: str) -> Any:
        shell = self.__dict__.get("_shell")
        if name in LENT and shell is not None:
            return getattr(shell, name)
        raise NeedsMainThread(f"get_ipython().{name}")

    # -- commands ---------------------------------------------------------------------------------------------------

    def _command(self, line: str) -> _Running:
        return _Running(self, Command(line))

    def _judge(self, line: str, code: int, command: Command, *, keeps_code: bool = True) -> None:
        if keeps_code:
            self.user_ns["_exit_code"] = code
        if command.was_stopped:
            raise ShellCommandFailed(line, code, was_stopped=True)
        if code and self.strict_shell:
            raise ShellCommandFailed(line, code)
        if code and getattr(self._shell, "system_raise_on_error", False):
            from subprocess import CalledProcessError

            raise CalledProcessError(code, line)

    def _filled_in(self, text: str, names: dict[str, Any]) -> str:
        from IPython.utils.text import DollarFormatter

        try:
            return DollarFormatter().vformat(text, args=[], kwargs={**self.user_ns, **names})
        except Exception:  # braces and dollars of another language: IPython leaves such a line as it is, too
            return text


class _Running:
    """A command that its shell can stop, while it is in here."""

    def __init__(self, shell: MiniShell, command: Command) -> None:
        self._shell = shell
        self._command = command

    def __enter__(self) -> Command:
        with self._shell._lock:
            self._command.was_stopped = self._shell._was_stopped
            self._shell._commands.add(self._command)
        return self._command

    def __exit__(self, *exception: object) -> None:
        with self._shell._lock:
            self._shell._commands.discard(self._command)


class _TimingShell:
    """The shell that IPython's own `%time` and `%timeit` are given: the task's names, the kernel's settings."""

    def __init__(self, mini: MiniShell) -> None:
        from IPython.core.compilerop import CachingCompiler

        shell = mini._shell
        self.user_ns = mini.user_ns
        self.transform_cell = mini.transform_cell
        self.compile = shell.compile if shell is not None else CachingCompiler()  # type: ignore[no-untyped-call] # IPython's own
        self.transform_ast = shell.transform_ast if shell is not None else _as_it_is
        self.run_cell = mini.run_cell


def _ipythons(name: str) -> Callable[[MiniShell, str, str | None, dict[str, Any]], Any]:
    """The magic as IPython has written it."""

    def called(mini: MiniShell, line: str, cell: str | None, names: dict[str, Any]) -> Any:
        from IPython.core.displayhook import DisplayHook
        from IPython.core.magics.execution import ExecutionMagics

        magics: Any = ExecutionMagics(shell=_TimingShell(mini))  # type: ignore[no-untyped-call] # IPython's own
        if name == "capture":
            return magics.capture(mini._filled_in(line, names), cell)
        value = getattr(magics, name)(line, cell, local_ns=names)
        hook: Any = DisplayHook
        return None if hook.semicolon_at_end_of_expression(line if cell is None else cell) else value

    return called


def _output(mini: MiniShell, line: str, cell: str | None, names: dict[str, Any]) -> Any:
    """``%sx cmd`` and ``%%sx``."""
    return mini.getoutput(mini._filled_in(line if cell is None else f"{line}\n{cell}", names))


def _environment(mini: MiniShell, line: str, cell: str | None, names: dict[str, Any]) -> Any:
    """``%env`` and ``%env NAME``; to set one changes all tasks."""
    name = mini._filled_in(line, names).strip()
    if not name:
        return dict(os.environ)
    if "=" in name or len(name.split()) > 1:
        raise NeedsMainThread(f"%env {line}")
    if name not in os.environ:
        from IPython.core.error import UsageError

        reason = f"Environment does not have key: {name}"
        raise UsageError(reason)
    return os.environ[name]


def _directory(mini: MiniShell, line: str, cell: str | None, names: dict[str, Any]) -> str:
    """``%pwd``."""
    return os.getcwd()  # noqa: PTH109 - a text, as IPython's is


def _magics() -> Iterator[tuple[tuple[str, bool], Callable[[MiniShell, str, str | None, dict[str, Any]], Any]]]:
    for name in ("time", "timeit"):
        yield (name, False), _ipythons(name)
        yield (name, True), _ipythons(name)
    yield ("capture", True), _ipythons("capture")
    for name in ("sx", "system", "!"):
        yield (name, False), _output
        yield (name, True), _output
    yield ("env", False), _environment
    yield ("pwd", False), _directory


MAGICS = dict(_magics())
"""(name, whether it is a cell magic) -> what it does in a task."""


def _print(text: str) -> None:
    sys.stdout.write(text)


def _as_it_is(tree: Any) -> Any:
    return tree


def _any_shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _refuse_background(cmd: str) -> None:
    if cmd.rstrip().endswith("&"):
        reason = "Background processes not supported."
        raise OSError(reason)
