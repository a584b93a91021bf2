"""``notebook-flows resume``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from notebook_flows.cli.guard import command
from notebook_flows.cli.history import SHORT_ID, complete_run, run_named
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.errors import FlowError
from notebook_flows.notebook.names import address_of
from notebook_flows.store.rows import is_of_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.cli.exits import Exit
    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import Target
    from notebook_flows.store.rows import RunRow


class NoFile(FlowError):  # noqa: N818 - the sentence that people read
    """It is not known which file a run is of."""


@command("resume")
@click.argument("run", default="latest", shell_complete=complete_run)
@click.option(
    "--file",
    metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb",
    help="The file with the flow, if it has another place now, or the history does not say it.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Where the executed notebook goes; in place of that of RUN unless given."
)
@click.option(
    "-p", "--parameter", "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Set a parameter again."
)
@click.option("-x", "--executor", metavar="NAME", help="Where tasks run: local, threads, threads:8, processes:4.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless it fails.")
@click.pass_context
def command_line(
    ctx: click.Context,
    run: str,
    file: str | None,
    output: str | None,
    parameters: tuple[str, ...],
    executor: str | None,
    quiet: bool,
) -> None:
    """Go on with a run that failed, crashed or was cancelled: what it has done is not done again.

    RUN is a run's id, the beginning of one, or `latest`. The flow is loaded anew from its file. A task runs if it has not
    succeeded in RUN, if its code or what it is given is another now, or if its result is needed and was not kept. The
    parameters are those of RUN, but for what -p sets; secrets have to be given again.

    Of a notebook, task cells that went well are taken as they are; an ordinary cell runs again if one that runs needs its
    values. Its kernel, its folder and its output are those of RUN.
    """
    from notebook_flows.cli.flow_run import Wishes, run_flow_of
    from notebook_flows.cli.loading import target_of
    from notebook_flows.workspace import event_log

    log = event_log()
    log.sweep()
    row = run_named(log, run)
    place = file or row.environment.get("file")
    if not place:
        if parts := [one for one in log.runs(parent=row.run_id, limit=None) if one.environment.get("file")]:
            raise NoFile(_of_parts(row, parts))
        is_notebook = is_of_notebook(row)
        what = "notebook" if is_notebook else "flow"
        likely = shlex.quote(f"{row.flow}.ipynb") if is_notebook else "FILE.py"
        raise NoFile(
            f"The history does not say from which file run {row.run_id[:SHORT_ID]} of {what} {row.flow!r} was. "
            f"Say it: notebook-flows resume {row.run_id[:SHORT_ID]} --file {likely}"
        )
    target = target_of(str(place))
    if not target.is_notebook and output is not None:
        raise click.UsageError(f"--output is for notebooks, and {target.path.name} is a Python file.", ctx)
    if target.is_notebook and executor is not None:
        raise click.UsageError(f"--executor is for flows; the cells of {target.path.name} run in its kernel.", ctx)
    wishes = Wishes(
        parameters=parameters,
        executor=executor,
        timeout_s=None,
        history=None,
        picture=None,
        is_quiet=quiet,
        resume=row.run_id,
    )
    if row.state is S.SUCCESS and not quiet:
        click.echo(f"Run {row.run_id[:SHORT_ID]} went well: only what has changed since runs again.", err=True)
    ctx.exit(_resume_notebook(target, wishes, output, row) if target.is_notebook else run_flow_of(target, wishes))


def _of_parts(row: RunRow, parts: Sequence[RunRow]) -> str:
    """What to do with a run whose tasks were runs of notebooks."""
    left = [one for one in reversed(parts) if one.state is not S.SUCCESS]
    told = f"Run {row.run_id[:SHORT_ID]} is one of several notebooks, each of which has a run of its own. "
    if not left:
        return f"{told}All of them went well."
    return "\n".join([f"{told}Go on with those that did not end well:", *map(_command_for, left)])


def _command_for(row: RunRow) -> str:
    return f"  notebook-flows resume {row.run_id[:SHORT_ID]}  # {row.flow}, {facts_of(row.state).word}"


def _output_of(row: RunRow) -> str | None:
    """Where the executed notebook of a run went; None: that is not told, or there is no such folder here."""
    output = row.environment.get("output")
    if not output or not (address_of(output) or Path(output).parent.is_dir()):
        return None
    return str(output).replace("{", "{{").replace("}", "}}")  # it is no template any more


def _resume_notebook(target: Target, wishes: Wishes, output: str | None, row: RunRow) -> Exit:
    from notebook_flows.cli.notebook_run import run_notebook_of
    from notebook_flows.cli.notebook_wishes import NotebookWishes

    more = NotebookWishes(
        output=_output_of(row) if output is None else output,
        kernel=row.environment.get("kernel"),
        cwd=None if (cwd := row.environment.get("cwd")) is None else Path(cwd),
        cell_timeout_s=None,
        selection=None,
        strict_shell=False,
        report=None,
        hides_input=False,
        retries=0,
        retry_delay_s=0.0,
    )
    return run_notebook_of(target, wishes, more)
