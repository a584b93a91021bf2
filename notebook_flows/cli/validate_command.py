"""``notebook-flows validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command, complete_file

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow


@command("validate")
@click.argument("file", metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb", shell_complete=complete_file)
@click.pass_context
def command_line(ctx: click.Context, file: str) -> None:
    """Find every mistake of a flow without running it.

    All flows of a Python file are looked at, unless one is named. The exit code is 0 if nothing is wrong, else 2.
    """
    from notebook_flows.cli.loading import FileError, flow_in, flows_in, shown, target_of

    target = target_of(file)
    if target.is_notebook:
        from notebook_flows.cli.notebook_run import told_notebook

        click.echo(told_notebook(target.path))
        return
    flows = [flow_in(target)] if target.flow_name else list(flows_in(target.path).values())
    if not flows:
        raise FileError(f"{shown(target.path)} has no flow: none of its variables is a Flow.")
    invalid = [flow for flow in flows if not _is_valid(flow)]
    if invalid:
        ctx.exit(Exit.USAGE)


def _is_valid(flow: Flow) -> bool:
    from notebook_flows.core.parameter import Parameter
    from notebook_flows.errors import FlowValidationError
    from notebook_flows.views.text import counted

    try:
        flow.validate()
    except FlowValidationError as error:
        click.echo(str(error), err=True)
        return False
    parameters = [task.name for task in flow._into if isinstance(task, Parameter)]
    named = f", parameters: {', '.join(parameters)}" if parameters else ""
    tasks, edges = len(flow._into), len(flow.edges)
    click.echo(f"Flow {flow.name!r} is valid: {counted(tasks, 'task')}, {counted(edges, 'edge')}{named}.")
    return True
