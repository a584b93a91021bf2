"""``notebook-flows retry``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import SHORT_ID, complete_run, run_to_ask
from notebook_flows.core.lifecycle import IS_FAILED, facts_of

if TYPE_CHECKING:
    from notebook_flows.store.rows import RunRow


@command("retry")
@click.argument("run", shell_complete=complete_run)
@click.pass_context
def command_line(ctx: click.Context, run: str) -> None:
    """Try again, in a run that goes on in another process, what has failed in it.

    RUN is a run's id, the beginning of one, or `latest`: the latest of those that go on. Each task that has failed by now gets one
    more attempt, and what did not run because of it runs after all. A run that has ended is gone on with by `notebook-flows resume`.
    """
    from notebook_flows.workspace import event_log

    log = event_log()
    log.sweep()
    row = run_to_ask(log, run)
    told = f"Run {row.run_id[:SHORT_ID]} of {row.flow!r}"
    if not row.goes_on:
        click.echo(f"{told} does not go on any more: {facts_of(row.state).word}.{_instead(row)}", err=True)
        ctx.exit(Exit.USAGE)
    log.request(row.run_id, "retry")
    click.echo(
        f"{told} is asked to try again what has failed; process {row.owner.pid} on {row.owner.host} runs it.", err=True
    )


def _instead(row: RunRow) -> str:
    return f" To go on with it: notebook-flows resume {row.run_id[:SHORT_ID]}" if IS_FAILED[row.state] else ""
