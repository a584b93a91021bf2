"""``notebook-flows run``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.guard import command, complete_file
from notebook_flows.cli.times import Seconds
from notebook_flows.errors import did_you_mean
from notebook_flows.settings import bytes_of

if TYPE_CHECKING:
    from notebook_flows.cli.exits import Exit
    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import Target

_SECONDS = Seconds(min=0, min_open=True)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@command("run")
@click.argument(
    "files", metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb...", nargs=-1, required=True, shell_complete=complete_file
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter; NAME:=JSON for any value, NAME:=@FILE to read the JSON; a secret: NAME=@env:VARIABLE, "
    "NAME=@file:FILE, NAME=@prompt.",
)
@click.option(
    "--grid", multiple=True, metavar="NAME=A,B,C", help="Run a notebook with each value; again: with all combinations."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="How many notebooks run at once.")
@click.option(
    "-o", "--output", metavar="FILE", help="Where the executed notebook goes; {name}, {date}, {run_id} are filled in."
)
@click.option("--html", "report", metavar="FILE", help="Write the executed notebook as an HTML page, too.")
@click.option("--no-input", is_flag=True, help="Leave the code out of the HTML page.")
@click.option("-x", "--executor", metavar="NAME", help="Where tasks run: local, threads, threads:8, processes:4.")
@click.option("--from", "first", metavar="TASK", help="Run this task or cell, what comes after it, and what they need.")
@click.option("--only", metavar="NAMES", help="Run these tasks or cells, and what they need: a,b or cell-3.")
@click.option("--timeout", type=_SECONDS, metavar="SECONDS", help="How long the whole run may take.")
@click.option("--cell-timeout", type=_SECONDS, metavar="SECONDS", help="How long each cell of a notebook may take.")
@click.option("--retries", type=click.IntRange(min=0), metavar="N", help="Run a notebook that fails again.")
@click.option("--retry-delay", type=Seconds(min=0), metavar="SECONDS", help="How long to rest before it runs again.")
@click.option("--strict-shell", is_flag=True, help="A line !command that fails, fails its cell.")
@click.option("-k", "--kernel", metavar="NAME", help="The kernel of a notebook, instead of its own.")
@click.option("--cwd", type=_FOLDER, help="The working directory while it runs.")
@click.option(
    "--env-file", type=_FILE, multiple=True, help="Set the variables of a file, save those that are set already."
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="latest",
    metavar="[RUN]",
    help="Go on with a run of this flow or notebook, the newest unless named: what it has done is not done again.",
)
@click.option(
    "--cache/--no-cache",
    default=None,
    help="Cache all task cells of a notebook that do not act on the world outside; or cache nothing at all.",
)
@click.option("--refresh-cache", is_flag=True, help="Run what is cached, too, and keep its results anew.")
@click.option("--max-result-size", metavar="SIZE", help="Keep no result of more bytes, as 500MB; 0 for any.")
@click.option("--no-results", is_flag=True, help="Keep no results; a run without them cannot be resumed.")
@click.option("--no-history", is_flag=True, help="Leave no trace in the history.")
@click.option("--picture", type=_FILE, metavar="FILE.svg", help="Draw the flow with its final states.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless it fails.")
@click.pass_context
def command_line(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    """Run a flow of a Python file, or notebooks, and show how it goes.

    \b
    notebook-flows run etl.py
    notebook-flows run etl.py:nightly -p day=2026-01-31 -x threads:8
    notebook-flows run report.ipynb -p region=north -o report-north.ipynb
    notebook-flows run report.ipynb --grid region=north,south -j 2 -o 'out/{region}.ipynb'
    notebook-flows run daily/*.ipynb -j 4 --html 'out/{name}.html' --no-input

    The file is loaded as a module: what stands below `if __name__ == "__main__":` does not run. A schedule of the flow is
    left aside: it runs once, now. Ctrl-C cancels the run; pressed again, it ends at once.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import target_of

    targets = [target_of(file) for file in files]
    picture = options["picture"]
    _check(ctx, targets, options)
    if picture is not None:
        _check_picture(ctx, picture)
    if options["env_file"]:
        from notebook_flows.cli.env_file import load_env_file

        for file in options["env_file"]:
            load_env_file(file)
    wishes = Wishes(
        parameters=options["parameters"],
        executor=options["executor"],
        timeout_s=options["timeout"],
        history=False if options["no_history"] else None,
        picture=None if picture is None else picture.absolute(),
        is_quiet=options["quiet"],
        first=options["first"] or "",
        only=_names(options["only"]),
        resume=options["resume"],
        keeps_results=False if options["no_results"] else None,
    )
    if options["cache"] is not None or options["refresh_cache"]:  # also for the runs that tasks begin
        chosen = "all" if options["cache"] else "off"
        os.environ["NOTEBOOK_FLOWS_CACHE"] = "refresh" if options["refresh_cache"] else chosen
    if options["max_result_size"]:
        if bytes_of(options["max_result_size"]) is None:
            raise click.BadParameter(
                f"{options['max_result_size']!r} is no size such as 500MB or 2GB.", ctx, param_hint="--max-result-size"
            )
        os.environ["NOTEBOOK_FLOWS_MAX_RESULT_SIZE"] = options["max_result_size"]
    ctx.exit(_run(targets, wishes, options))


_FOR_NOTEBOOKS = {
    "output": "--output",
    "cell_timeout": "--cell-timeout",
    "kernel": "--kernel",
    "grid": "--grid",
    "jobs": "--jobs",
    "report": "--html",
    "no_input": "--no-input",
    "retries": "--retries",
    "retry_delay": "--retry-delay",
    "strict_shell": "--strict-shell",
}


_TEXTS = {"output": "--output", "report": "--html", "kernel": "--kernel", "executor": "--executor"}


def _check_picture(ctx: click.Context, picture: Path) -> None:
    """Whether it names a file with a picture, in a folder that is there.

    Raises:
        click.UsageError: it does not.
    """
    if not picture.name or picture.is_dir():
        raise click.UsageError(f"--picture {picture} names a folder; give a file, such as flow.svg.", ctx)
    if not picture.absolute().parent.is_dir():
        raise click.UsageError(f"--picture {picture}: there is no folder {picture.parent}.", ctx)
    from notebook_flows.views.picture import ENDINGS

    ending = picture.suffix[1:].lower()
    if ending and ending not in ENDINGS:
        hint = did_you_mean(ending, ENDINGS) or f" Or do you mean {picture}.svg?"
        raise click.UsageError(
            f"--picture {picture}: {ending!r} is no format of pictures; there are svg, png, pdf and dot.{hint}", ctx
        )


def _check(ctx: click.Context, targets: list[Target], options: dict[str, Any]) -> None:
    """Options that do not go with what is to run, or not with one another.

    Raises:
        click.UsageError: there is one.
    """
    for option, name in _TEXTS.items():
        if options[option] is not None and not options[option].strip():
            raise click.UsageError(f"{name} is given, but empty. Give it a value, or leave it out.", ctx)
    python = next((target for target in targets if not target.is_notebook), None)
    if python is None:
        if options["executor"] is not None:
            name = targets[0].path.name
            raise click.UsageError(f"--executor is for flows; the cells of {name} run in its kernel.", ctx)
    else:
        for option, name in _FOR_NOTEBOOKS.items():
            if options[option]:
                raise click.UsageError(f"{name} is for notebooks, and {python.path.name} is a Python file.", ctx)
        if len(targets) > 1:
            raise click.UsageError(f"Only notebooks can be run several at once; {python.path.name} is a Python file.")
    if options["resume"] is not None:
        if len(targets) > 1 or options["grid"]:
            raise click.UsageError("--resume goes on with one run: give one notebook, and no --grid.", ctx)
        if options["first"] or options["only"]:
            raise click.UsageError("--resume runs what is left of a run: leave out --from and --only.", ctx)
        if options["no_history"]:
            raise click.UsageError("--resume reads the history, and --no-history leaves it aside.", ctx)
    if options["cache"] is not None and options["refresh_cache"]:
        said = "--cache" if options["cache"] else "--no-cache"
        raise click.UsageError(f"{said} and --refresh-cache are two ways to treat the cache: give one.", ctx)
    if options["cache"] and python is not None:
        raise click.UsageError(
            f"--cache is for the task cells of notebooks; in {python.path.name}, @task(cache=True) asks for it.", ctx
        )
    if options["no_input"] and not options["report"]:
        raise click.UsageError("--no-input leaves code out of the page that --html FILE writes. Give both.", ctx)
    if options["retry_delay"] is not None and not options["retries"]:
        raise click.UsageError("--retry-delay is the rest before each retry: --retries N says how many.", ctx)
    for option in ("first", "only"):
        if options[option] is not None and not _names(options[option]):
            raise click.UsageError(f"--{'from' if option == 'first' else option} names nothing that could run.", ctx)
    if options["first"] and options["only"]:
        raise click.UsageError("--from and --only are two ways to choose: give one of them.", ctx)
    if options["jobs"] is not None and len(targets) == 1 and not options["grid"]:
        raise click.UsageError("--jobs is for several notebooks, or for one with --grid; this is one run.", ctx)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (one.strip() for one in (text or "").split(","))))


def _run(targets: list[Target], wishes: Wishes, options: dict[str, Any]) -> Exit:
    if not targets[0].is_notebook:
        from notebook_flows.cli.flow_run import run_flow_of

        if options["cwd"] is not None:
            os.chdir(options["cwd"])
        return run_flow_of(targets[0], wishes)
    from notebook_flows.cli.notebook_wishes import NotebookWishes

    more = NotebookWishes(
        output=_staged(options["output"]),
        kernel=options["kernel"],
        cwd=options["cwd"],
        cell_timeout_s=options["cell_timeout"],
        selection=_selection(wishes),
        strict_shell=options["strict_shell"],
        report=_staged(options["report"]),
        hides_input=options["no_input"],
        retries=options["retries"] or 0,
        retry_delay_s=options["retry_delay"] or 0.0,
    )
    if len(targets) == 1 and not options["grid"]:
        from notebook_flows.cli.notebook_run import run_notebook_of

        return run_notebook_of(targets[0], wishes, more)
    from notebook_flows.cli.batch import run_batch_of
    from notebook_flows.cli.grid import grid_from
    from notebook_flows.executors.calls import number_of_cpus

    at_once = options["jobs"] or number_of_cpus()
    return run_batch_of(targets, grid_from(options["grid"]), wishes, more, at_once=at_once)


def _staged(template: str | None) -> str | None:
    """Of an address, the file or folder of this machine from which what is written goes there."""
    if template is None or "://" not in template:
        return template
    from notebook_flows.notebook.addresses import is_address, outgoing

    if not is_address(template):
        return template
    return str(outgoing(template)) + "/" * template.endswith("/")


def _selection(wishes: Wishes) -> Any:
    if not wishes.first and not wishes.only:
        return None
    from notebook_flows.notebook.selection import Selection

    return Selection(first=wishes.first, only=wishes.only)
