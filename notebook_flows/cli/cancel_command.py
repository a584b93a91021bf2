"""``notebook-flows cancel``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import LATEST, SHORT_ID, complete_run, run_to_ask
from notebook_flows.cli.times import Seconds
from notebook_flows.core.lifecycle import S, facts_of

if TYPE_CHECKING:
    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow

LOOK_EVERY_S = 0.2
SWEEP_EVERY = 10
PATIENCE_S = 60.0


@command("cancel")
@click.argument("run", shell_complete=complete_run)
@click.option("--wait", is_flag=True, help="Return only when the run has ended.")
@click.option(
    "--timeout",
    type=Seconds(min=0),
    default=PATIENCE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for it, with --wait.",
)
@click.option("--reason", metavar="TEXT", help="What the history says about it.")
@click.pass_context
def command_line(ctx: click.Context, run: str, wait: bool, timeout: float, reason: str | None) -> None:
    """Stop a run that another process is running.

    RUN is a run's id, the beginning of one, or `latest`: the latest of those that go on. The process that runs it is asked,
    and ends it within about two seconds. The exit code is 0 if the run was asked, or does not run any more; with --wait 4 if
    it has not ended in time.
    """
    from notebook_flows.workspace import event_log

    log = event_log()
    dead = log.sweep()
    row = run_to_ask(log, run)
    told = _told(row)
    if row.run_id in dead:
        click.echo(f"{told} had lost its process: it is crashed now. There was nothing to cancel.", err=True)
        return
    if row.ended_us is not None:
        nothing = "No run goes on. " if run.lower() == LATEST else ""
        click.echo(f"{nothing}{told} has ended already: {facts_of(row.state).word}.", err=True)
        return
    if row.state is S.PAUSED:
        click.echo(f"{told} is paused: no process is running it, so there is nothing to cancel.", err=True)
        return
    log.request(row.run_id, "cancel", {"reason": reason or "Cancelled by `notebook-flows cancel`."})
    click.echo(f"{told} is asked to stop; process {row.owner.pid} on {row.owner.host} is running it.", err=True)
    if wait:
        ctx.exit(_wait(log, row.run_id, timeout))


def _told(row: RunRow) -> str:
    return f"Run {row.run_id[:SHORT_ID]} of {row.flow!r}"


def _wait(log: AnyLog, run_id: str, patience_s: float) -> Exit:
    deadline_s = time.monotonic() + patience_s
    looks = 0
    while True:
        row = log.run(run_id)
        if row.ended_us is not None:
            click.echo(f"It has ended: {facts_of(row.state).word}.", err=True)
            return Exit.SUCCESS
        if time.monotonic() >= deadline_s:
            click.echo(f"It has not ended within {patience_s:g} s.", err=True)
            return Exit.TIMED_OUT
        time.sleep(LOOK_EVERY_S)  # another process writes, and tells nobody
        looks += 1
        if looks % SWEEP_EVERY == 0:
            log.sweep()  # it may have lost its process meanwhile
