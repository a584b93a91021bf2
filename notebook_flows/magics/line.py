"""What can stand behind ``%flow``: its commands and their options."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Any

import click

from notebook_flows.analysis.taskcell import EXECUTORS, without_comment
from notebook_flows.errors import FlowError, did_you_mean
from notebook_flows.magics.errors import FlowLineError, FlowRunFailed
from notebook_flows.magics.here import Here

HERE = click.make_pass_decorator(Here)
_WHOLE = 10_000


class _Commands(click.Group):
    """The commands in the order of their definition; a misspelt one is told the likely one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with the whole of its first sentence; click would cut it to a line."""
        rows = [(name, command.get_short_help_str(limit=_WHOLE)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            raise click.UsageError(
                f"There is no `%flow {args[0]}`.{did_you_mean(args[0], self.commands)} `%flow --help` lists all.", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["--help", "-h"]})
@click.pass_context
def flow_line(ctx: click.Context) -> Any:
    """The notebook as a flow: its task cells, what they need of each other, and runs of them."""
    if ctx.invoked_subcommand is None:
        return ctx.invoke(status)
    return None


@flow_line.command()
@click.argument("names", nargs=-1, metavar="[TASK|FLOW]...")
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="Set a parameter of the notebook."
)
@click.option("--all", "everything", is_flag=True, help="All tasks, also those that are up to date.")
@click.option("--stale", is_flag=True, help="Only what is stale; that is the default.")
@click.option("--from", "start", metavar="TASK", help="This task, and all that takes values from it.")
@click.option("--only", "only", multiple=True, metavar="TASK", help="This task alone; may be repeated.")
@click.option("-x", "--executor", type=click.Choice(EXECUTORS), help="Where cells run that do not say it themselves.")
@click.option("-j", "--workers", type=click.IntRange(min=1), help="How many cells at once.")
@click.option("--background", "-b", is_flag=True, help="Give the prompt back at once.")
@click.option("--strict-shell", is_flag=True, help="A `!command` that fails, fails its cell.")
@click.option(
    "--cache/--no-cache",
    default=None,
    help="Take cells from earlier runs with the same inputs, unless they act on the world outside; or none at all.",
)
@click.option("--refresh-cache", is_flag=True, help="Run cached cells, too, and keep their results anew.")
@click.option("--no-history", is_flag=True, help="Leave no trace in the history.")
@HERE
def run(
    here: Here,
    names: tuple[str, ...],
    given: tuple[str, ...],
    everything: bool,
    stale: bool,
    start: str | None,
    only: tuple[str, ...],
    executor: str | None,
    workers: int | None,
    background: bool,
    strict_shell: bool,
    cache: bool | None,
    refresh_cache: bool,
    no_history: bool,
) -> Any:
    """Run the task cells that are stale: never run, edited, failed, or with values that are no longer true.

    With names, those tasks run, and what they need where it is stale. The name of a `Flow` that a cell has made runs
    that flow.
    """
    from notebook_flows.magics.running import run_flow_object, run_notebook_flow
    from notebook_flows.session.runorder import RunOptions
    from notebook_flows.session.selection import Wish

    ways = {
        "--all": everything,
        "--stale": stale,
        "--from": start is not None,
        "--only": bool(only),
        "names": bool(names),
    }
    chosen = [way for way, is_chosen in ways.items() if is_chosen]
    if len(chosen) > 1:
        raise FlowLineError(f"{' and '.join(chosen)} say different things about what to run: give one of them.")
    if cache is False and refresh_cache:
        raise FlowLineError("--no-cache and --refresh-cache are two ways to treat the cache: give one.")
    options = RunOptions(
        executor=executor,
        workers=workers,
        history=False if no_history else None,
        strict_shell=strict_shell,
        cache=cache,
        refreshes_cache=refresh_cache,
    )
    if len(names) == 1 and not any(one.name == names[0] for one in here.session.book.tasks()):
        flow = here.flow_named(names[0])
        if flow is not None:
            if background:
                raise FlowLineError("A Flow object runs in the foreground: leave out --background.")
            run_flow_object(here, flow, given, options)
            return _finished(here)
    wish = Wish(names=names, start=start, only=only, everything=everything)
    return run_notebook_flow(here, wish, given, options, background=background)


async def _nothing() -> None:
    return None


def _finished(here: Here) -> Any:
    return _nothing() if here.is_awaited else None


@flow_line.command()
@HERE
def status(here: Here) -> None:
    """Tell of each task cell whether it is up to date, and why not."""
    from notebook_flows.magics.looking import tell_status

    tell_status(here)


@flow_line.command()
@click.argument("name", required=False, metavar="[FLOW|RUN]")
@click.option("--text", is_flag=True, help="As a tree of text.")
@click.option("-o", "--output", metavar="FILE", help="Write it to a file: .svg, .png, .pdf or .dot.")
@click.option("--cells", is_flag=True, help="All cells, not only tasks.")
@HERE
def show(here: Here, name: str | None, text: bool, output: str | None, cells: bool) -> None:
    """Draw the task cells, or a `Flow` that a cell has made, with the states of the last run.

    A run of this notebook that goes on in another process is followed; before a task has run in this kernel the last run
    of the history is drawn. So is one whose id, or the beginning of it, is given.
    """
    from notebook_flows.magics.showing import show_flow

    show_flow(here, name, as_text=text, output=output, all_cells=cells)


@flow_line.command()
@click.argument("name", required=False, metavar="[FLOW]")
@HERE
def validate(here: Here, name: str | None) -> None:
    """Tell every problem of the task cells, or of a `Flow`; runs nothing."""
    from notebook_flows.magics.looking import tell_problems

    tell_problems(here, name)


@flow_line.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
@HERE
def explain(here: Here, names: tuple[str, ...]) -> None:
    """Tell of each cell what it reads, binds and changes, why it waits for others, and what cannot be seen."""
    from notebook_flows.magics.looking import tell_explanation

    tell_explanation(here, names)


@flow_line.command()
@click.argument("name", metavar="TASK")
@HERE
def result(here: Here, name: str) -> None:
    """Show the output of a task's last run, and what it has bound."""
    from notebook_flows.magics.looking import show_result

    show_result(here, name)


@flow_line.command()
@HERE
def params(here: Here) -> None:
    """List the parameters of the notebook: name, type, the value that tasks take, help; and where it was given."""
    from notebook_flows.magics.parameters import tell_parameters

    tell_parameters(here)


@flow_line.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@HERE
def runs(here: Here, options: tuple[str, ...]) -> None:
    """List the runs in the history, newest first; takes the options of `notebook-flows runs`."""
    from notebook_flows.cli.runs_command import command_line

    here.session.hand_runs.wait(1.0)
    _on_the_command_line(command_line, options)


@flow_line.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@HERE
def logs(here: Here, options: tuple[str, ...]) -> None:
    """Print what the last run, or one task of it, has logged: `%flow logs TASK`, or `%flow logs RUN TASK`."""
    from notebook_flows.cli.logs_command import command_line
    from notebook_flows.magics.lastruns import tell_by_hand_since, with_run

    here.session.hand_runs.wait(1.0)
    _on_the_command_line(command_line, with_run(here, options))
    tell_by_hand_since(here, options)


@flow_line.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@HERE
def artifacts(here: Here, options: tuple[str, ...]) -> None:
    """Show what the last run, or one task of it, has attached: `%flow artifacts TASK`, or `%flow artifacts RUN TASK`."""
    from notebook_flows.magics.attached import show_artifacts

    with suppress(SystemExit):  # it has said what was wrong
        show_artifacts(here, options)


def _on_the_command_line(command: click.Command, options: tuple[str, ...]) -> None:
    with suppress(SystemExit):  # it has said what was wrong
        command.main(list(options), prog_name=f"%flow {command.name}", standalone_mode=False)


@flow_line.command()
@click.argument("name", required=False, metavar="[RUN]")
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="In place of the run's own.")
@HERE
def resume(here: Here, name: str | None, given: tuple[str, ...]) -> Any:
    """Run what failed, or did not run, in the last run of this notebook, or in another one; all that went well is kept.

    That may be a run of an earlier kernel, or one without a person: what it has kept is taken. A task runs, too, if its
    text, or that of a cell from which it takes values, is another now, or a file that it wrote is gone. The parameters
    are those of the run.
    """
    from notebook_flows.magics.resuming import resume_here

    return resume_here(here, name, given)


@flow_line.command()
@HERE
def cancel(here: Here) -> None:
    """Stop the run in the background."""
    background = here.flow.background
    if background is None or background.run.has_ended:
        click.echo("No run goes on in the background.")
        return
    background.run.ask_to_stop("Cancelled by `%flow cancel`.")
    click.echo("The run in the background is being stopped.")


@flow_line.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
@HERE
def clear(here: Here, names: tuple[str, ...]) -> None:
    """Forget what tasks, or all, have made: the next `%flow run` runs them again. Names keep their values."""
    here.check_free()
    outlook = here.outlook()
    for record in [here.task_named(outlook, name) for name in names]:
        here.flow.forget(record.key)
    if not names:
        here.flow.forget()
    click.echo(f"{', '.join(names) if names else 'All tasks'} will run again.")


@flow_line.command()
@click.argument("wanted", required=False, type=click.Choice(["eager", "lazy"]))
@HERE
def mode(here: Here, wanted: str | None) -> None:
    """Tell or set what happens when a task cell is executed: `eager`, it runs; `lazy`, it is only registered."""
    from notebook_flows.magics.looking import told_mode
    from notebook_flows.session.session import Mode

    session = here.session
    if wanted is not None:
        if session.mode is Mode.SERVED:
            raise FlowLineError("This kernel runs headlessly: its runner says when tasks run.")
        session.mode = Mode(wanted)
    click.echo(told_mode(session.mode))


@flow_line.command(name="help")
@click.argument("name", required=False)
@click.pass_context
def help_of(ctx: click.Context, name: str | None) -> None:
    """Explain a command."""
    assert ctx.parent is not None
    if name is None:
        click.echo(ctx.parent.get_help())
        return
    command = flow_line.get_command(ctx, name)
    if command is None:
        raise click.UsageError(f"There is no `%flow {name}`.{did_you_mean(name, flow_line.commands)}", ctx)
    with click.Context(command, info_name=name, parent=ctx.parent) as own:
        click.echo(command.get_help(own))


def obey(here: Here, line: str) -> Any:
    """Do what a line says.

    Args:
        here: where it was typed.
        line: all that stands behind ``%flow``.
    Returns:
        A coroutine where the command runs something and the line is awaited; else None.
    Raises:
        FlowLineError: it cannot be understood, or not be done.
    """
    line = without_comment(line).strip()
    try:
        words = shlex.split(line.removesuffix(";"))  # `;` at its end keeps Jupyter from showing a value
    except ValueError as error:
        raise FlowLineError(f"%flow {line}: it cannot be cut into words: {str(error).lower()}.") from None
    try:
        done = flow_line.main(words, prog_name="%flow", standalone_mode=False, obj=here)
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        raise FlowLineError(f"%flow {line}: {error.format_message()}{_beside(words)}") from None
    except FlowLineError as error:
        raise FlowLineError(f"{error}{_beside(words)}") from error.__cause__
    except FlowRunFailed:
        raise
    except FlowError as error:
        raise FlowLineError(f"{error}{_beside(words)}") from error
    except OSError as error:
        raise FlowLineError(f"%flow {line}: {error.strerror or error}.") from error
    return done if hasattr(done, "__await__") else None


def _beside(words: list[str]) -> str:
    """A hint where something else stands on the line: all of it is ours."""
    is_beside = any(word.endswith(";") or word.startswith(";") for word in words)
    return " What stands behind `;` is read as a part of this line: put it on a line of its own." if is_beside else ""
