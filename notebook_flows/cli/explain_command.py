"""``notebook-flows explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from notebook_flows.cli.guard import command, complete_file
from notebook_flows.cli.outputs import OutputFile, write_file

if TYPE_CHECKING:
    from pathlib import Path


@command("explain")
@click.argument("file", metavar="NOTEBOOK.ipynb", shell_complete=complete_file)
@click.argument("cells", nargs=-1, metavar="[CELL]...")
@click.option("-o", "--output", type=OutputFile(), help="Write it to a file.")
def command_line(file: str, cells: tuple[str, ...], output: Path | None) -> None:
    """Tell, of each cell of a notebook, what it reads, binds and changes, what it comes after and why, and what
    cannot be seen. Nothing runs.

    CELL is a cell's name, or cell-N; all cells unless given.
    """
    from notebook_flows.cli import screen
    from notebook_flows.cli.loading import FileError, shown, target_of
    from notebook_flows.notebook.dataflow import dataflow_of
    from notebook_flows.views.explain import explained

    target = target_of(file)
    if not target.is_notebook:
        raise FileError(f"{shown(target.path)} is a Python file; explain is for notebooks. See `notebook-flows show`.")
    flow = dataflow_of(shown(target.path))
    chosen = [flow.key_of(name) for name in cells]
    text = explained(flow.connections, flow.headings(), only=chosen, labels={key: key for key in flow.names})
    if output is not None:
        write_file(output, [f"{text}\n".encode()])
        click.echo(f"Written: {output}", err=True)
        return
    click.echo(screen.carried(text, screen.stdout().encoding))
