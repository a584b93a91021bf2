"""``notebook-flows run``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from notebook_flows.cli.guard import command, complete_file

if TYPE_CHECKING:
    from notebook_flows.cli.exits import Exit

_SECONDS = click.FloatRange(min=0, min_open=True)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@command("run")
@click.argument("file", metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb", shell_complete=complete_file)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter; NAME:=JSON for any value, NAME:=@FILE to read the JSON.",
)
@click.option("-o", "--output", type=_FILE, help="Where the executed notebook goes.")
@click.option("-x", "--executor", metavar="NAME", help="Where tasks run: local, threads, threads:8, processes:4.")
@click.option("--timeout", type=_SECONDS, metavar="SECONDS", help="How long the whole run may take.")
@click.option("--cell-timeout", type=_SECONDS, metavar="SECONDS", help="How long each cell of a notebook may take.")
@click.option("-k", "--kernel", metavar="NAME", help="The kernel of a notebook, instead of its own.")
@click.option("--cwd", type=_FOLDER, help="The working directory while it runs.")
@click.option("--no-history", is_flag=True, help="Leave no trace in the history.")
@click.option("--picture", type=_FILE, metavar="FILE.svg", help="Draw the flow with its final states.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless it fails.")
@click.pass_context
def command_line(
    ctx: click.Context,
    file: str,
    parameters: tuple[str, ...],
    output: Path | None,
    executor: str | None,
    timeout: float | None,
    cell_timeout: float | None,
    kernel: str | None,
    cwd: Path | None,
    no_history: bool,
    picture: Path | None,
    quiet: bool,
) -> None:
    """Run a flow of a Python file, or a notebook, and show how it goes.

    \b
    notebook-flows run etl.py
    notebook-flows run etl.py:nightly -p day=2026-01-31 -x threads:8
    notebook-flows run report.ipynb -p region=north -o report-north.ipynb

    The file is loaded as a module: what stands below `if __name__ == "__main__":` does not run. A schedule of the flow is
    left aside: it runs once, now. Ctrl-C cancels the run; pressed again, it ends at once.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import target_of

    target = target_of(file)
    if picture is not None and not picture.absolute().parent.is_dir():
        raise click.UsageError(f"--picture {picture}: there is no folder {picture.parent}.", ctx)
    wishes = Wishes(
        parameters=parameters,
        executor=executor,
        timeout_s=timeout,
        history=False if no_history else None,
        picture=None if picture is None else picture.absolute(),
        is_quiet=quiet,
    )
    for_notebooks = {"--output": output, "--cell-timeout": cell_timeout, "--kernel": kernel}
    code: Exit
    if target.is_notebook:
        from notebook_flows.cli.notebook_run import run_notebook_of

        if executor is not None:
            raise click.UsageError(f"--executor is for flows; the cells of {target.path.name} run in its kernel.", ctx)

        code = run_notebook_of(target, wishes, output=output, cell_timeout_s=cell_timeout, kernel=kernel, cwd=cwd)
    else:
        for option, value in for_notebooks.items():
            if value is not None:
                raise click.UsageError(f"{option} is for notebooks, and {target.path.name} is a Python file.", ctx)
        from notebook_flows.cli.flow_run import run_flow_of

        if cwd is not None:
            os.chdir(cwd)
        code = run_flow_of(target, wishes)
    ctx.exit(code)
