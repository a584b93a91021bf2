"""The names of the commands; each is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from notebook_flows._version import __version__

_COMMANDS = {
    "run": "Run a flow or a notebook, and show how it goes.",
    "validate": "Find every mistake of a flow without running it.",
    "show": "Draw a flow, a notebook or a run: as a tree, DOT or SVG.",
    "explain": "Tell what the cells of a notebook read, bind and change, and why they wait.",
    "params": "List the parameters of a notebook or a flow.",
    "runs": "List the runs in the history, newest first.",
    "logs": "Print what a run, or one task of it, has logged.",
    "artifacts": "List, print or save what the tasks of a run have attached.",
    "resume": "Go on with a run that failed, crashed or was cancelled.",
    "cancel": "Stop a run that another process is running.",
    "retry": "Try again what has failed in a run that goes on.",
    "store": "Look at the history itself: info, upgrade, check, prune, export.",
    "cache": "List, remove, clean and verify the results that runs leave to one another.",
    "doctor": "Check this installation, the history and the settings.",
    "version": "Print the versions.",
}
_EPILOG = "Exit codes: 0 success, 1 failed, 2 nothing ran, 3 crashed, 4 timed out, 5 paused, 6 cancelled, 130 Ctrl-C, 143 SIGTERM."


class _Commands(click.Group):
    """Loads the module of the one command that is called, so that none waits for the others' imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"notebook_flows.cli.{cmd_name}_command")
        found: click.Command = module.command_line
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from notebook_flows.errors import did_you_mean

            hint = did_you_mean(args[0], _COMMANDS)
            if not hint and args[0].partition(":")[0].endswith((".py", ".ipynb")):
                hint = f" To run it: notebook-flows run {args[0]}"
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.version_option(__version__, "-V", "--version", message="notebook-flows %(version)s")
def app(**_: Any) -> None:
    """Run notebooks and flows, and look at what they did."""
