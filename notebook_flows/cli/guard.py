"""Every command's frame: a user's mistake is one sentence, never a traceback; ``--debug`` shows what is behind it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.exits import Exit, exit_of_error
from notebook_flows.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem


class Command(click.Command):
    """A command that ends with one of our exit codes, whatever happens in it."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show tracebacks of notebook_flows itself."))

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, and tell what goes wrong."""
        is_debugging = ctx.params.pop("debug", False)
        trace = ""
        make_streams_safe()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            code, sentence = Exit.INTERRUPTED, ""
        except FlowError as error:
            trace = _traceback(error)
            code, sentence = exit_of_error(error), str(error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `... | head`: click ends quietly
                raise
            trace = _traceback(error)
            code, sentence = Exit.USAGE, _WITHOUT_FOLDER if _has_no_folder(error) else told_os_error(error)
        except Exception as error:
            trace = _traceback(error)
            code = Exit.OUR_MISTAKE
            sentence = (
                f"notebook_flows itself has failed: {type(error).__name__}: {error}\n"
                "This is a mistake of ours. Please report it with what `--debug` shows."
            )
        if is_debugging and trace:
            click.echo(trace, err=True, nl=False)
        elif sentence:
            click.echo(f"Error: {sentence}", err=True)
        return ctx.exit(code)


_WITHOUT_FOLDER = "The working directory has been removed: go to another one."


def _has_no_folder(error: OSError) -> bool:
    """Whether somebody has removed the working directory: its name cannot be had then."""
    if error.errno != errno.ENOENT or error.filename:
        return False
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def command(name: str, **more: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """`click.command`, in our frame."""
    return click.command(name, cls=Command, **more)


def complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, by the shell itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def told_os_error(error: OSError) -> str:
    """An error of the operating system, as a sentence.

    >>> told_os_error(PermissionError(13, "Permission denied", "/data/a.svg"))
    '/data/a.svg: Permission denied.'
    """
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def make_streams_safe() -> None:
    """What a terminal's encoding cannot carry is replaced; it never ends a command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
