"""``notebook-flows params``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from notebook_flows.cli.guard import command, complete_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Row(NamedTuple):
    """One parameter.

    Attributes:
        kind: what it takes, in a word or as its annotation says.
        default: its value; None where there is none, or where only running would tell.
        text: the default as it is written in Python.
    """

    name: str
    kind: str
    default: Any
    text: str
    is_required: bool
    help: str


@command("params")
@click.argument("file", metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb", shell_complete=complete_file)
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def command_line(file: str, wants_json: bool) -> None:
    """List the parameters of a notebook or a flow: name, kind, default, help."""
    from notebook_flows.cli.history import echo_json
    from notebook_flows.cli.loading import target_of

    target = target_of(file)
    if target.is_notebook:
        from notebook_flows.cli.notebook_run import parameters_of

        rows = parameters_of(target.path)
    else:
        rows = _rows_of_flow(target)
    if wants_json:
        echo_json([row._asdict() for row in rows])
    elif not rows:
        click.echo(f"{_shown(target.path)} has no parameters.", err=True)
    else:
        _tell(rows)


def _shown(path: Path) -> str:
    from notebook_flows.cli.loading import shown

    return shown(path)


def _rows_of_flow(target: Any) -> list[Row]:
    from notebook_flows.cli.loading import flow_in
    from notebook_flows.cli.values import kind_of

    return [
        Row(one.name, kind_of(one), one.default, "" if one.required else repr(one.default), one.required, "")
        for one in flow_in(target).parameters()
    ]


def _tell(rows: Sequence[Row]) -> None:
    from rich.table import Table

    from notebook_flows.cli import screen
    from notebook_flows.views.text import printable

    console = screen.stdout()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Parameter", no_wrap=True, style="cyan")
    table.add_column("Kind", overflow="fold")
    table.add_column("Default", overflow="ellipsis", no_wrap=True)
    if any(row.help for row in rows):
        table.add_column("Help", overflow="fold")
    for row in rows:
        default = "(required)" if row.is_required else printable(row.text)
        cells = [row.name, row.kind, default, printable(row.help)]
        table.add_row(*[screen.carried(cell, console.encoding) for cell in cells[: len(table.columns)]])
    screen.print_table(console, table)
